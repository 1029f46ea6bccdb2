"""Bodies of identity providers, protocols, mappings and service providers."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema
from clearsky.identity.schema.common import FLAG, LINKS, request

_ID = {"type": "string", "minLength": 1, "maxLength": 64}
_TEXT = {"type": ["string", "null"], "maxLength": 65535}
_REMOTE_IDS = {
    "type": ["array", "null"],
    "items": {"type": "string", "minLength": 1, "maxLength": 255},
    "uniqueItems": True,
    "maxItems": 1000,
}
_TTL = {"type": ["integer", "null"], "minimum": 0, "maximum": 2**31 - 1}
_URL = {"type": "string", "maxLength": 225, "pattern": r"^[a-zA-Z0-9+.-]+:.+"}
_LINK = {"type": "object", "properties": {"self": {"type": "string"}}, "required": ["self"]}


def _one(key: str, properties: dict[str, Any], required: tuple[str, ...] = (), least: int = 0) -> Schema:
    """A request body that knows these properties and no others."""
    inner = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "minProperties": least,
        "additionalProperties": False,
    }
    return Schema({"type": "object", "properties": {key: inner}, "required": [key]})


def _show(key: str, properties: dict[str, Any], required: tuple[str, ...]) -> Schema:
    inner = {"type": "object", "properties": properties, "required": list(required)}
    return Schema({"type": "object", "properties": {key: inner}, "required": [key]})


def _index(key: str, properties: dict[str, Any], required: tuple[str, ...]) -> Schema:
    item = {"type": "object", "properties": properties, "required": list(required)}
    body = {key: {"type": "array", "items": item}, "links": LINKS}
    return Schema({"type": "object", "properties": body, "required": [key, "links"]})


_PROVIDER_IN = {"enabled": FLAG, "description": _TEXT, "remote_ids": _REMOTE_IDS, "authorization_ttl": _TTL}
_PROVIDER = _PROVIDER_IN | {"id": _ID, "domain_id": _ID, "links": _LINK}
_PROTOCOL_IN = {"mapping_id": _ID, "remote_id_attribute": {"type": ["string", "null"], "maxLength": 64}}
_PROTOCOL = _PROTOCOL_IN | {"id": _ID, "links": _LINK}
_SERVICE_IN = {
    "auth_url": _URL,
    "sp_url": _URL,
    "enabled": FLAG,
    "description": _TEXT,
    "relay_state_prefix": {"type": ["string", "null"], "maxLength": 256},
}
_SERVICE = _SERVICE_IN | {"id": _ID, "links": _LINK}

_STRING = {"type": "string", "maxLength": 4096}
_DOMAIN = {"type": "object", "properties": {"id": _STRING, "name": _STRING}, "additionalProperties": False}
_USER = {
    "type": "object",
    "properties": {
        "id": _STRING, "name": _STRING, "email": _STRING, "domain": _DOMAIN, "type": {"enum": ["ephemeral", "local"]},
    },
    "additionalProperties": False,
}  # fmt: skip
_GROUP = {
    "oneOf": [
        {"type": "object", "properties": {"id": _STRING}, "required": ["id"], "additionalProperties": False},
        {
            "type": "object",
            "properties": {"name": _STRING, "domain": _DOMAIN},
            "required": ["name", "domain"],
            "additionalProperties": False,
        },
    ]
}
_ROLE = {
    "type": "object", "properties": {"name": _STRING}, "required": ["name"], "additionalProperties": False,
}  # fmt: skip
_PROJECT = {
    "type": "object",
    "properties": {"name": _STRING, "domain": _DOMAIN, "roles": {"type": "array", "items": _ROLE}},
    "required": ["name", "roles"],
    "additionalProperties": False,
}
_LOCAL = {
    "type": "object",
    "properties": {
        "user": _USER, "group": _GROUP, "groups": _STRING, "group_ids": _STRING, "domain": _DOMAIN,
        "projects": {"type": "array", "items": _PROJECT},
    },
    "additionalProperties": False,
}  # fmt: skip
_LIST = {"type": "array", "items": {"type": "string", "maxLength": 4096}, "maxItems": 1000}


def _remote(condition: str) -> dict[str, Any]:
    properties: dict[str, Any] = {"type": _STRING}
    required = ["type"]
    if condition:
        properties |= {condition: _LIST, "regex": FLAG}
        required.append(condition)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_REMOTE = {"oneOf": [_remote(name) for name in ("", "any_one_of", "not_any_of", "whitelist", "blacklist")]}
_RULE = {
    "type": "object",
    "properties": {
        "local": {"type": "array", "items": _LOCAL, "minItems": 1, "maxItems": 100},
        "remote": {"type": "array", "items": _REMOTE, "minItems": 1, "maxItems": 100},
    },
    "required": ["local", "remote"],
    "additionalProperties": False,
}
_MAPPING_IN = {
    "rules": {"type": "array", "items": _RULE, "minItems": 1, "maxItems": 500},
    "schema_version": {"enum": ["1.0", "2.0", None]},
}
_MAPPING = _MAPPING_IN | {"id": _ID, "links": _LINK}

CREATE_PROVIDER = _one("identity_provider", _PROVIDER_IN | {"domain_id": _ID | {"type": ["string", "null"]}})
UPDATE_PROVIDER = _one("identity_provider", _PROVIDER_IN, least=1)
_KEYS = ("id", "enabled", "description", "remote_ids", "domain_id", "authorization_ttl", "links")
PROVIDER = _show("identity_provider", _PROVIDER, _KEYS)
PROVIDERS = _index("identity_providers", _PROVIDER, _KEYS)
CREATE_PROTOCOL = _one("protocol", _PROTOCOL_IN, ("mapping_id",))
UPDATE_PROTOCOL = _one("protocol", _PROTOCOL_IN, least=1)
PROTOCOL = _show("protocol", _PROTOCOL, ("id", "mapping_id", "links"))
PROTOCOLS = _index("protocols", _PROTOCOL, ("id", "mapping_id", "remote_id_attribute"))
CREATE_MAPPING = UPDATE_MAPPING = request("mapping", _MAPPING_IN, ("rules",))
MAPPING = _show("mapping", _MAPPING, ("id", "rules", "schema_version", "links"))
MAPPINGS = _index("mappings", _MAPPING, ("id", "rules"))
CREATE_SERVICE_PROVIDER = _one("service_provider", _SERVICE_IN, ("auth_url", "sp_url"))
UPDATE_SERVICE_PROVIDER = _one("service_provider", _SERVICE_IN, least=1)
SERVICE_PROVIDER = _show("service_provider", _SERVICE, tuple(_SERVICE))
SERVICE_PROVIDERS = _index("service_providers", _SERVICE, tuple(_SERVICE))
