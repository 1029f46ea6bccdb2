"""JSON Schemas of the Placement API."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema

UUID = {"type": "string", "format": "uuid"}
CLASS = {"type": "string", "pattern": "^[A-Z0-9_]+$", "minLength": 1, "maxLength": 255}
CUSTOM = {"type": "string", "pattern": "^CUSTOM_[A-Z0-9_]+$", "minLength": 1, "maxLength": 255}
_WHOLE = {"type": "integer", "minimum": 0, "maximum": 2147483647}
_POSITIVE = _WHOLE | {"minimum": 1}
_GENERATION = {"type": "integer"}
INVENTORY: dict[str, Any] = {
    "total": _POSITIVE,
    "reserved": _WHOLE,
    "min_unit": _POSITIVE,
    "max_unit": _POSITIVE,
    "step_size": _POSITIVE,
    "allocation_ratio": {"type": "number", "exclusiveMinimum": 0, "maximum": 3.40282e38},
}
_ONE_INVENTORY = {
    "type": "object",
    "properties": INVENTORY,
    "required": ["total"],
    "additionalProperties": False,
}
AMOUNTS = {
    "type": "object",
    "additionalProperties": _POSITIVE,
    "propertyNames": CLASS,
    "minProperties": 1,
}
NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_OWNER = {"type": "string", "minLength": 1, "maxLength": 255}


def _object(
    properties: dict[str, Any], required: tuple[str, ...] | None = None, **more: Any
) -> dict[str, Any]:
    needed = list(properties if required is None else required)
    return {
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
    } | more


_PARENT = {"type": ["string", "null"], "format": "uuid", "since": (1, 14)}
PROVIDER_CREATE = Schema(_object({"name": NAME, "uuid": UUID, "parent_provider_uuid": _PARENT}, ("name",)))
PROVIDER_UPDATE = Schema(_object({"name": NAME, "parent_provider_uuid": _PARENT}, ("name",)))
_PROVIDER = {
    "type": "object",
    "properties": {"uuid": UUID, "name": {"type": "string"}, "generation": _GENERATION},
    "required": ["uuid", "name", "generation"],
}
PROVIDER = Schema(_PROVIDER)
PROVIDERS = Schema(_object({"resource_providers": {"type": "array", "items": _PROVIDER}}))
INVENTORIES = Schema(
    _object(
        {
            "resource_provider_generation": _GENERATION,
            "inventories": {
                "type": "object",
                "additionalProperties": _ONE_INVENTORY,
                "propertyNames": CLASS,
            },
        }
    )
)
ONE_INVENTORY = Schema(
    _object(
        INVENTORY | {"resource_provider_generation": _GENERATION}, ("total", "resource_provider_generation")
    )
)
NEW_INVENTORY = Schema(
    _object(
        INVENTORY | {"resource_class": CLASS, "resource_provider_generation": _GENERATION},
        ("total", "resource_class"),
    )
)
_TRAIT_LIST = {"type": "array", "items": CLASS, "uniqueItems": True}
PROVIDER_TRAITS = Schema(_object({"resource_provider_generation": _GENERATION, "traits": _TRAIT_LIST}))
TRAITS = Schema(_object({"traits": _TRAIT_LIST}))
_AGGREGATE_LIST = {"type": "array", "items": UUID, "uniqueItems": True}
AGGREGATES_OLD = Schema(_AGGREGATE_LIST)
AGGREGATES = Schema(
    _object(
        {"aggregates": _AGGREGATE_LIST, "resource_provider_generation": _GENERATION},
        ("aggregates", "resource_provider_generation"),
    )
)
AGGREGATES_SHOWN = Schema(
    _object(
        {"aggregates": _AGGREGATE_LIST, "resource_provider_generation": _GENERATION | {"since": (1, 19)}},
        ("aggregates",),
    )
)
RESOURCE_CLASS = Schema({"type": "object", "properties": {"name": CLASS}, "required": ["name"]})
RESOURCE_CLASSES = Schema(
    _object({"resource_classes": {"type": "array", "items": {"type": "object", "required": ["name"]}}})
)
NEW_CLASS = Schema(_object({"name": CUSTOM}))
USAGES = Schema(
    _object({"usages": {"type": "object"}, "resource_provider_generation": _GENERATION}, ("usages",))
)

# -- allocations ------------------------------------------------------------------------------------------------

_BY_PROVIDER = {
    "type": "object",
    "propertyNames": UUID,
    "additionalProperties": _object(
        {"resources": AMOUNTS, "generation": _GENERATION | {"since": (1, 12)}}, ("resources",)
    ),
}
_LISTED = {
    "type": "array",
    "minItems": 1,
    "items": _object({"resource_provider": _object({"uuid": UUID}), "resources": AMOUNTS}),
}
_MAPPINGS = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^[a-zA-Z0-9_-]{0,64}$"},
    "additionalProperties": {"type": "array", "items": UUID, "minItems": 1},
    "since": (1, 34),
}
_CONSUMER = {
    "project_id": _OWNER,
    "user_id": _OWNER,
    "consumer_generation": {"type": ["integer", "null"], "since": (1, 28)},
    "consumer_type": CLASS | {"since": (1, 38)},
}
ALLOCATIONS_BEFORE_1_8 = Schema(_object({"allocations": _LISTED}))
ALLOCATIONS_BEFORE_1_12 = Schema(_object({"allocations": _LISTED, "project_id": _OWNER, "user_id": _OWNER}))
_PUT = _object({"allocations": _BY_PROVIDER, "mappings": _MAPPINGS} | _CONSUMER, ("allocations", *_CONSUMER))
ALLOCATIONS_BEFORE_1_28 = Schema(
    _PUT | {"properties": _PUT["properties"] | {"allocations": _BY_PROVIDER | {"minProperties": 1}}}
)
ALLOCATIONS_PUT = Schema(_PUT)
_MANY = {"type": "object", "propertyNames": UUID, "additionalProperties": _PUT}
ALLOCATIONS_POST = Schema(_MANY | {"minProperties": 1})
ALLOCATIONS = Schema(
    {"type": "object", "properties": {"allocations": {"type": "object"}}, "required": ["allocations"]}
)
RESHAPER = Schema(
    _object(
        {
            "inventories": {
                "type": "object",
                "propertyNames": UUID,
                "additionalProperties": INVENTORIES.definition,
            },
            "allocations": _MANY,
        }
    )
)
CANDIDATES = Schema(
    _object({"allocation_requests": {"type": "array"}, "provider_summaries": {"type": "object"}})
)
