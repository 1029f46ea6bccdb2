"""JSON Schemas of stores and import methods."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema


def _listing(properties: dict[str, Any], required: list[str]) -> Schema:
    store = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return Schema(
        {
            "type": "object",
            "properties": {"stores": {"type": "array", "items": store}},
            "required": ["stores"],
            "additionalProperties": False,
        }
    )


_STORE: dict[str, Any] = {
    "id": {"type": "string"},
    "description": {"type": "string"},
    "default": {"const": "true"},
    "weight": {"type": "integer"},
}
STORES = _listing(_STORE, ["id"])
STORES_DETAIL = _listing(
    _STORE | {"type": {"enum": ["file", "rbd"]}, "properties": {"type": "object"}},
    ["id", "type", "properties"],
)
IMPORT_INFO = Schema(
    {
        "type": "object",
        "properties": {
            "import-methods": {
                "type": "object",
                "properties": {
                    "description": {"type": "string"},
                    "type": {"const": "array"},
                    "value": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["type", "value"],
            }
        },
        "required": ["import-methods"],
    }
)
