"""JSON Schemas of metadata definitions."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema

TYPES = ["array", "boolean", "integer", "number", "object", "string"]
_TIMES = {
    "created_at": {"type": "string", "readOnly": True},
    "updated_at": {"type": "string", "readOnly": True},
}
_LINKS = {"schema": {"type": "string", "readOnly": True}, "self": {"type": "string", "readOnly": True}}
_NAME = {"type": "string", "minLength": 1, "maxLength": 80, "pattern": "^[^/]*$"}
"""A name is one part of a URL."""
_COUNT = {"type": "integer", "minimum": 0}
_STRINGS = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
DEFINITION: dict[str, Any] = {
    "title": {"type": "string", "description": "Short name for people"},
    "description": {"type": "string", "description": "What the property means"},
    "type": {"type": "string", "enum": TYPES, "description": "JSON type of the value"},
    "operators": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Comparisons that may stand before the value where it is a wish, such as <in>",
    },
    "default": {"description": "What is meant where the property is not there"},
    "readonly": {"type": "boolean", "description": "True: shown to people, not set by them"},
    "required": _STRINGS,
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "minLength": _COUNT,
    "maxLength": _COUNT,
    "pattern": {"type": "string", "format": "regex"},
    "enum": {"type": "array"},
    "items": {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": TYPES}, "enum": {"type": "array"}},
    },
    "minItems": _COUNT,
    "maxItems": _COUNT,
    "uniqueItems": {"type": "boolean"},
    "additionalItems": {"type": "boolean"},
}
_DEFINITION = {
    "type": "object",
    "properties": DEFINITION | {"name": _NAME},
    "required": ["title", "type"],
    "additionalProperties": False,
}
_DEFINITIONS = {"type": "object", "propertyNames": _NAME, "additionalProperties": _DEFINITION}
_PROPERTY = _DEFINITION | {"required": ["name", "title", "type"]}
_OBJECT: dict[str, Any] = {
    "name": _NAME,
    "description": {"type": "string"},
    "required": _STRINGS,
    "properties": _DEFINITIONS,
}
_ASSOCIATION: dict[str, Any] = {
    "name": _NAME | {"description": "Resource type, such as OS::Nova::Flavor"},
    "prefix": {
        "type": "string",
        "maxLength": 80,
        "description": "Stands before each property's name on such a resource, with its separator",
    },
    "properties_target": {
        "type": "string",
        "maxLength": 80,
        "description": "Which of the resource's kinds of metadata is meant, where it has several",
    },
}
_NAMESPACE: dict[str, Any] = {
    "namespace": _NAME | {"description": "The namespace's unique name"},
    "display_name": {"type": "string", "maxLength": 80, "description": "Name for people"},
    "description": {"type": "string", "maxLength": 500, "description": "What the namespace is about"},
    "visibility": {"type": "string", "enum": ["public", "private"], "description": "Who may see it"},
    "protected": {"type": "boolean", "description": "True: neither it nor what it holds can be deleted"},
    "owner": {"type": "string", "maxLength": 255, "description": "Project that it belongs to"},
}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _page(name: str, item: dict[str, Any]) -> Schema:
    links = {"first": {"type": "string"}, "next": {"type": "string"}, "schema": {"type": "string"}}
    return Schema(_object(links | {name: {"type": "array", "items": item}}, name, "first", "schema"))


_HELD = {
    "objects": {"type": "array", "items": _object(_OBJECT | _LINKS | _TIMES, "name")},
    "properties": _DEFINITIONS,
    "resource_type_associations": {"type": "array", "items": _object(_ASSOCIATION | _TIMES, "name")},
    "tags": {"type": "array", "items": _object({"name": _NAME}, "name")},
}
_ANYTHING: dict[str, Any] = {name: {} for name in (*_LINKS, *_TIMES)}
"""Read-only: may be there in any shape, and is refused by name."""
NAMESPACE = Schema(_object(_NAMESPACE | _HELD | _LINKS | _TIMES, "namespace"))
NAMESPACE_SET = Schema(_object(_NAMESPACE | _HELD | _ANYTHING, "namespace"))
NAMESPACES = _page("namespaces", NAMESPACE.definition)
OBJECT = Schema(_object(_OBJECT | _LINKS | _TIMES, "name"))
OBJECT_SET = Schema(_object(_OBJECT | _ANYTHING, "name"))
OBJECTS = _page("objects", OBJECT.definition)
PROPERTY = Schema(_PROPERTY)
PROPERTY_SET = Schema(
    _PROPERTY | {"properties": DEFINITION | {"name": _NAME} | {name: {} for name in _TIMES}}
)
PROPERTIES = Schema(_object({"properties": _DEFINITIONS}, "properties"))
TAG = Schema(_object({"name": _NAME} | _TIMES, "name"))
TAG_SET = Schema(_object({"name": _NAME} | {name: {} for name in _TIMES}, "name"))
TAGS = _page("tags", _object({"name": _NAME}, "name"))
TAGS_SET = Schema(_object({"tags": _HELD["tags"] | {"maxItems": 1000}}, "tags"))
TAGS_MADE = Schema(_object({"tags": _HELD["tags"]}, "tags"))
ASSOCIATION = Schema(_object(_ASSOCIATION | _TIMES, "name"))
ASSOCIATION_SET = Schema(_object(_ASSOCIATION | {name: {} for name in _TIMES}, "name"))
ASSOCIATIONS = Schema(
    _object({"resource_type_associations": _HELD["resource_type_associations"]}, "resource_type_associations")
)
RESOURCE_TYPES = Schema(
    _object(
        {"resource_types": {"type": "array", "items": _object({"name": _NAME} | _TIMES, "name")}},
        "resource_types",
    )
)
