"""Pieces that the schemas of several resources share."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema

ID = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[a-zA-Z0-9-]+$"}
OPTIONAL_ID = ID | {"type": ["string", "null"]}
NAME = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"\S"}
SHORT_NAME = NAME | {"maxLength": 64}
TEXT = {"type": ["string", "null"], "maxLength": 65535}
FLAG = {"type": "boolean"}
OBJECT = {"type": "object"}
LINKS = {
    "type": "object",
    "properties": {name: {"type": ["string", "null"]} for name in ("self", "next", "previous")},
    "required": ["self"],
}


def request(key: str, properties: dict[str, Any], required: tuple[str, ...] = ()) -> Schema:
    """A body `{key: {...}}`; unknown properties are allowed, as upstream keeps them as `extra`."""
    inner = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": True,
    }
    return Schema({"type": "object", "properties": {key: inner}, "required": [key]})


def show(key: str, properties: dict[str, Any]) -> Schema:
    inner = {"type": "object", "properties": properties, "required": list(properties)}
    return Schema(
        {"type": "object", "properties": {key: inner}, "required": [key], "additionalProperties": False}
    )


def index(key: str, properties: dict[str, Any]) -> Schema:
    inner = {
        "type": "array",
        "items": {"type": "object", "properties": properties, "required": list(properties)},
    }
    return Schema({"type": "object", "properties": {key: inner, "links": LINKS}, "required": [key, "links"]})
