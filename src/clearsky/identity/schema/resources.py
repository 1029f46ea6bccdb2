"""Domains, projects, users, groups, roles, regions, services, endpoints."""

from __future__ import annotations

from clearsky.identity.schema.common import (
    FLAG,
    ID,
    LINKS,
    NAME,
    OBJECT,
    OPTIONAL_ID,
    SHORT_NAME,
    TEXT,
    index,
    request,
    show,
)

TAG = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,/]*$"}
TAGS = {
    "type": "array",
    "items": TAG,
    "maxItems": 80,
    "uniqueItems": True,
}
_SWITCH = {"type": ["boolean", "null"]}
_OPTIONS = {"type": "object", "properties": {"immutable": _SWITCH}, "additionalProperties": False}
_RULE = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
_USER_OPTIONS = {
    "type": "object",
    "properties": dict.fromkeys(("ignore_change_password_upon_first_use", "ignore_password_expiry", "ignore_lockout_failure_attempts", "ignore_user_inactivity", "lock_password", "multi_factor_auth_enabled"), _SWITCH) | {"multi_factor_auth_rules": {"type": ["array", "null"], "items": _RULE, "uniqueItems": True, "maxItems": 100}},
    "additionalProperties": False,
}  # fmt: skip
_PASSWORD = {"type": ["string", "null"], "maxLength": 4096}

_PROJECT_IN = {
    "name": SHORT_NAME, "description": TEXT, "domain_id": OPTIONAL_ID, "parent_id": OPTIONAL_ID, "enabled": FLAG,
    "is_domain": FLAG, "tags": TAGS, "options": _OPTIONS,
}  # fmt: skip
_DOMAIN_IN = _PROJECT_IN | {"explicit_domain_id": ID}
_PROJECT = {
    "id": ID, "name": {"type": "string"}, "description": TEXT, "domain_id": {"type": ["string", "null"]},
    "parent_id": {"type": ["string", "null"]}, "enabled": FLAG, "is_domain": FLAG, "tags": TAGS,
    "options": _OPTIONS, "links": LINKS,
}  # fmt: skip
_DOMAIN = {
    name: _PROJECT[name] for name in ("id", "name", "description", "enabled", "tags", "options", "links")
}
_KEY = {"type": "string", "minLength": 1, "maxLength": 64}
_FEDERATED = {
    "type": "array",
    "maxItems": 100,
    "items": {
        "type": "object",
        "properties": {
            "idp_id": _KEY,
            "protocols": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {"protocol_id": _KEY, "unique_id": _KEY | {"maxLength": 255}},
                    "required": ["protocol_id", "unique_id"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["idp_id", "protocols"],
        "additionalProperties": False,
    },
}
_EMAIL = {"type": ["string", "null"], "maxLength": 255}
_USER_IN = {
    "name": NAME, "password": _PASSWORD, "domain_id": OPTIONAL_ID, "enabled": FLAG, "description": TEXT,
    "email": _EMAIL, "default_project_id": OPTIONAL_ID, "options": _USER_OPTIONS, "federated": _FEDERATED,
}  # fmt: skip
_USER = {
    "id": ID, "name": NAME, "domain_id": ID, "enabled": FLAG, "options": _USER_OPTIONS,
    "password_expires_at": {"type": ["string", "null"]}, "links": LINKS,
}  # fmt: skip
_GROUP_IN = {"name": SHORT_NAME, "description": TEXT, "domain_id": OPTIONAL_ID}
_GROUP = {"id": ID, "name": NAME, "description": TEXT, "domain_id": ID, "links": LINKS}
_ROLE_IN = {"name": NAME, "description": TEXT, "domain_id": OPTIONAL_ID, "options": _OPTIONS}
_ROLE = {
    "id": ID, "name": NAME, "description": TEXT, "domain_id": OPTIONAL_ID, "options": _OPTIONS, "links": LINKS,
}  # fmt: skip
_REGION_ID = {"type": "string", "minLength": 1, "maxLength": 255}
_OPTIONAL_REGION = {"type": ["string", "null"], "maxLength": 255}
_REGION_IN = {"id": {"type": ["string", "null"], "maxLength": 255}, "description": TEXT,
              "parent_region_id": {"type": ["string", "null"], "maxLength": 255}}  # fmt: skip
_REGION = {"id": _REGION_ID, "description": {"type": "string"}, "parent_region_id": {"type": ["string", "null"]},
           "links": LINKS}  # fmt: skip
_SERVICE_IN = {"type": NAME, "name": TEXT | {"maxLength": 255}, "description": TEXT, "enabled": FLAG}
_SERVICE = {"id": ID, "type": NAME, "name": {"type": "string"}, "enabled": FLAG, "links": LINKS}
_INTERFACE = {"enum": ["public", "internal", "admin"]}
_URL = {"type": "string", "minLength": 1, "maxLength": 225, "pattern": r"^[a-zA-Z0-9+.-]+:.+"}
_ENDPOINT_IN = {"service_id": ID, "interface": _INTERFACE, "url": _URL, "region_id": _OPTIONAL_REGION,
                "region": _OPTIONAL_REGION, "enabled": FLAG, "name": TEXT, "description": TEXT}  # fmt: skip
_ENDPOINT = {"id": ID, "service_id": ID, "interface": _INTERFACE, "url": {"type": "string"}, "enabled": FLAG,
             "region_id": TEXT, "region": TEXT, "links": LINKS}  # fmt: skip
_FILTERS = {
    "type": "object",
    "properties": {"interface": _INTERFACE, "service_id": ID, "region_id": _REGION_ID, "enabled": FLAG},
    "additionalProperties": False,
}
_GROUPING_IN = {"name": NAME, "description": TEXT, "filters": _FILTERS}
_GROUPING = {"id": ID, "name": NAME, "description": TEXT, "filters": OBJECT, "links": LINKS}
_BLOB = {"type": ["string", "object"]}
_POLICY_IN = {"type": NAME, "blob": _BLOB}
_POLICY = {"id": ID, "type": NAME, "blob": _BLOB, "links": LINKS}

CREATE = {
    "domain": request("domain", _DOMAIN_IN, ("name",)),
    "project": request("project", _PROJECT_IN, ("name",)),
    "user": request("user", _USER_IN, ("name",)),
    "group": request("group", _GROUP_IN, ("name",)),
    "role": request("role", _ROLE_IN, ("name",)),
    "region": request("region", _REGION_IN),
    "service": request("service", _SERVICE_IN, ("type",)),
    "endpoint": request("endpoint", _ENDPOINT_IN, ("service_id", "interface", "url")),
    "endpoint_group": request("endpoint_group", _GROUPING_IN, ("name", "filters")),
    "policy": request("policy", _POLICY_IN, ("type", "blob")),
}
UPDATE = {
    "domain": request("domain", _PROJECT_IN),
    "project": request("project", _PROJECT_IN),
    "user": request("user", _USER_IN),
    "group": request("group", _GROUP_IN),
    "role": request("role", _ROLE_IN),
    "region": request("region", _REGION_IN),
    "service": request("service", _SERVICE_IN),
    "endpoint": request("endpoint", _ENDPOINT_IN),
    "endpoint_group": request("endpoint_group", _GROUPING_IN),
    "policy": request("policy", _POLICY_IN),
}
_SHAPES = {
    "domain": _DOMAIN, "project": _PROJECT, "user": _USER, "group": _GROUP, "role": _ROLE, "region": _REGION,
    "service": _SERVICE, "endpoint": _ENDPOINT, "endpoint_group": _GROUPING,
}  # fmt: skip
SHOW = {name: show(name, shape) for name, shape in _SHAPES.items()}
INDEX = {name: index(f"{name}s", shape) for name, shape in _SHAPES.items()}
SHOW["policy"], INDEX["policy"] = show("policy", _POLICY), index("policies", _POLICY)
PASSWORD = request(
    "user",
    {
        "password": {"type": "string", "minLength": 1, "maxLength": 4096},
        "original_password": {"type": "string"},
    },
    ("password", "original_password"),
)
