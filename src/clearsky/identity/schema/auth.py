"""Bodies of /v3/auth."""

from __future__ import annotations

from clearsky.api.schema import Schema

_TEXT = {"type": "string", "maxLength": 4096}
_DOMAIN = {"type": "object", "properties": {"id": _TEXT, "name": _TEXT}}
_USER = {
    "type": "object",
    "properties": {"id": _TEXT, "name": _TEXT, "domain": _DOMAIN, "password": _TEXT},
}
_PROJECT = {"type": "object", "properties": {"id": _TEXT, "name": _TEXT, "domain": _DOMAIN}}
_BY_PASSWORD = {"type": "object", "properties": {"user": _USER}, "required": ["user"]}
_BY_TOTP = {
    "type": "object",
    "properties": {"user": {
        "type": "object",
        "properties": {"id": _TEXT, "name": _TEXT, "domain": _DOMAIN, "passcode": _TEXT},
        "required": ["passcode"],
    }},
    "required": ["user"],
}  # fmt: skip
_BY_APPLICATION_CREDENTIAL = {
    "type": "object",
    "properties": {"id": _TEXT, "name": _TEXT, "secret": _TEXT, "user": _USER},
    "required": ["secret"],
}
_SCOPE = {
    "type": ["object", "string", "null"],
    "properties": {
        "project": _PROJECT, "domain": _DOMAIN, "system": {"type": "object"}, "unscoped": {"type": "object"},
        "OS-TRUST:trust": {"type": "object", "properties": {"id": _TEXT}},
    },
}  # fmt: skip
_IDENTITY = {
    "type": "object",
    "properties": {
        "methods": {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 8},
        "password": _BY_PASSWORD,
        "token": {"type": "object", "properties": {"id": _TEXT}, "required": ["id"]},
        "totp": _BY_TOTP,
        "application_credential": _BY_APPLICATION_CREDENTIAL,
        "oauth1": {"type": "object"},
    },
    "required": ["methods"],
}
AUTHENTICATE = Schema(
    {
        "type": "object",
        "properties": {
            "auth": {
                "type": "object",
                "properties": {"identity": _IDENTITY, "scope": _SCOPE},
                "required": ["identity"],
            }
        },
        "required": ["auth"],
    }
)
_NAMED = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
    "required": ["id"],
}
TOKEN = Schema(
    {
        "type": "object",
        "properties": {
            "token": {
                "type": "object",
                "properties": {
                    "methods": {"type": "array", "items": {"type": "string"}},
                    "user": _NAMED,
                    "audit_ids": {"type": "array", "items": {"type": "string"}},
                    "expires_at": {"type": "string"},
                    "issued_at": {"type": "string"},
                    "project": _NAMED,
                    "domain": _NAMED,
                    "system": {"type": "object"},
                    "is_domain": {"type": "boolean"},
                    "roles": {"type": "array", "items": _NAMED},
                    "catalog": {"type": "array", "items": {"type": "object"}},
                    "service_providers": {"type": "array", "items": {"type": "object"}},
                    "application_credential": _NAMED,
                    "OS-TRUST:trust": {"type": "object"},
                    "OS-OAUTH1": {"type": "object"},
                },
                "required": ["methods", "user", "audit_ids", "expires_at", "issued_at"],
                "additionalProperties": False,
            }
        },
        "required": ["token"],
    }
)
CATALOG = Schema(
    {
        "type": "object",
        "properties": {"catalog": {"type": "array"}, "links": {"type": "object"}},
        "required": ["catalog", "links"],
    }
)
SYSTEM = Schema({"type": "object", "properties": {"system": {"type": "array"}}, "required": ["system"]})
EVENTS = Schema(
    {
        "type": "object",
        "properties": {"events": {"type": "array", "items": {"type": "object"}}, "links": {"type": "object"}},
        "required": ["events", "links"],
        "additionalProperties": False,
    }
)
