"""JSON Schemas of the Placement API."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema

UUID = {"type": "string", "format": "uuid"}
_CLASS = {"type": "string", "pattern": "^[A-Z0-9_]+$", "maxLength": 255}
_WHOLE = {"type": "integer", "minimum": 0, "maximum": 2147483647}
_GENERATION = {"type": "integer"}
_INVENTORY = {
    "type": "object",
    "properties": {
        "total": _WHOLE | {"minimum": 1},
        "reserved": _WHOLE,
        "min_unit": _WHOLE | {"minimum": 1},
        "max_unit": _WHOLE | {"minimum": 1},
        "step_size": _WHOLE | {"minimum": 1},
        "allocation_ratio": {"type": "number", "exclusiveMinimum": 0, "maximum": 3.40282e38},
    },
    "required": ["total"],
    "additionalProperties": False,
}
_AMOUNTS = {
    "type": "object",
    "additionalProperties": _WHOLE | {"minimum": 1},
    "propertyNames": _CLASS,
    "minProperties": 1,
}


def _object(properties: dict[str, Any], required: tuple[str, ...] | None = None) -> Schema:
    needed = list(properties if required is None else required)
    return Schema(
        {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
    )


PROVIDER_CREATE = _object(
    {"name": {"type": "string", "minLength": 1, "maxLength": 200}, "uuid": UUID}, ("name",)
)
_PROVIDER = {
    "type": "object",
    "properties": {"uuid": UUID, "name": {"type": "string"}, "generation": _GENERATION},
    "required": ["uuid", "name", "generation"],
}
PROVIDER = Schema(_PROVIDER)
PROVIDERS = _object({"resource_providers": {"type": "array", "items": _PROVIDER}})
INVENTORIES = _object(
    {
        "resource_provider_generation": _GENERATION,
        "inventories": {"type": "object", "additionalProperties": _INVENTORY, "propertyNames": _CLASS},
    }
)
TRAITS = _object(
    {
        "resource_provider_generation": _GENERATION,
        "traits": {"type": "array", "items": _CLASS, "uniqueItems": True},
    }
)
USAGES = _object({"usages": {"type": "object"}, "resource_provider_generation": _GENERATION}, ("usages",))
ALLOCATIONS_PUT = _object(
    {
        "allocations": {
            "type": "object",
            "propertyNames": UUID,
            "additionalProperties": {
                "type": "object",
                "properties": {"resources": _AMOUNTS, "generation": _GENERATION},
                "required": ["resources"],
            },
        },
        "project_id": {"type": "string", "minLength": 1, "maxLength": 255},
        "user_id": {"type": "string", "minLength": 1, "maxLength": 255},
        "consumer_generation": {"type": ["integer", "null"]},
        "consumer_type": {"type": "string"},
        "mappings": {"type": "object"},
    },
    ("allocations", "project_id", "user_id", "consumer_generation"),
)
ALLOCATIONS = Schema(
    {"type": "object", "properties": {"allocations": {"type": "object"}}, "required": ["allocations"]}
)
CANDIDATES = _object({"allocation_requests": {"type": "array"}, "provider_summaries": {"type": "object"}})
