"""Registered limits, limits and their model."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema
from clearsky.identity.schema.common import ID, LINKS, NAME, TEXT, index, show

_AMOUNT = {"type": "integer", "minimum": -1, "maximum": 2**31 - 1}
_REGION = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
_KEY = {"service_id": ID, "region_id": _REGION, "resource_name": NAME}
_REGISTERED_IN = _KEY | {"default_limit": _AMOUNT, "description": TEXT}
_REGISTERED = {"id": ID, "links": LINKS} | _REGISTERED_IN
_LIMIT_IN = _KEY | {
    "resource_limit": _AMOUNT, "description": TEXT, "project_id": ID | {"type": ["string", "null"]},
    "domain_id": ID | {"type": ["string", "null"]},
}  # fmt: skip
_LIMIT = {"id": ID, "links": LINKS} | _LIMIT_IN
_OWNER = [
    {"required": ["project_id"], "properties": {"project_id": {"type": "string"}, "domain_id": {"type": "null"}}},
    {"required": ["domain_id"], "properties": {"domain_id": {"type": "string"}, "project_id": {"type": "null"}}},
]  # fmt: skip


def _strict(properties: dict[str, Any], required: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(required), "additionalProperties": False,
    } | more  # fmt: skip


def _many(key: str, item: dict[str, Any]) -> Schema:
    array = {"type": "array", "items": item, "minItems": 1, "maxItems": 1000}
    return Schema(_strict({key: array}, (key,)))


def _made(key: str, shape: dict[str, Any]) -> Schema:
    return Schema(_strict({key: {"type": "array", "items": _strict(shape, tuple(shape))}}, (key,)))


CREATE_REGISTERED = _many(
    "registered_limits", _strict(_REGISTERED_IN, ("service_id", "resource_name", "default_limit"))
)
UPDATE_REGISTERED = Schema(_strict({"registered_limit": _strict(_REGISTERED_IN)}, ("registered_limit",)))
MADE_REGISTERED = _made("registered_limits", _REGISTERED)
SHOW_REGISTERED = show("registered_limit", _REGISTERED)
INDEX_REGISTERED = index("registered_limits", _REGISTERED)

CREATE = _many("limits", _strict(_LIMIT_IN, ("service_id", "resource_name", "resource_limit"), oneOf=_OWNER))
UPDATE = Schema(_strict({"limit": _strict({"resource_limit": _AMOUNT, "description": TEXT})}, ("limit",)))
MADE = _made("limits", _LIMIT)
SHOW = show("limit", _LIMIT)
INDEX = index("limits", _LIMIT)
MODEL = Schema(
    _strict(
        {"model": _strict({"name": NAME, "description": {"type": "string"}}, ("name", "description"))},
        ("model",),
    )
)
