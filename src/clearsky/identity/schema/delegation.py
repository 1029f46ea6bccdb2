"""Bodies of application credentials, access rules and trusts."""

from __future__ import annotations

from clearsky.identity.schema.common import FLAG, ID, LINKS, NAME, TEXT, index, request, show

_TIME = {"type": ["string", "null"], "maxLength": 64}
_OPTIONAL_FLAG = {"type": ["boolean", "null"]}
_NAMED_ROLE = {
    "type": "object",
    "properties": {"id": ID, "name": NAME},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
_ROLES_IN = {"type": "array", "items": _NAMED_ROLE, "maxItems": 200}
_SELF = {"type": "object", "properties": {"self": {"type": "string"}}, "required": ["self"]}
_SERVICE = ID
_METHOD = {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]}
_PATH = {"type": "string", "maxLength": 225, "pattern": "^/"}
_RULE_IN = {
    "type": "object",
    "properties": {"id": ID, "service": _SERVICE, "method": _METHOD, "path": _PATH},
    "anyOf": [{"required": ["id"]}, {"required": ["service", "method", "path"]}],
    "additionalProperties": False,
}
_RULE = {"id": ID, "service": _SERVICE, "method": _METHOD, "path": _PATH, "links": _SELF}
_ROLE = {
    "type": "object",
    "properties": {"id": ID, "name": NAME, "domain_id": {"type": ["string", "null"]}},
    "required": ["id", "name"],
}
_CREDENTIAL_IN = {
    "name": NAME,
    "description": TEXT,
    "secret": {"type": ["string", "null"], "minLength": 1, "maxLength": 4096},
    "expires_at": _TIME,
    "roles": _ROLES_IN,
    "unrestricted": _OPTIONAL_FLAG,
    "access_rules": {"type": "array", "items": _RULE_IN, "maxItems": 200},
    "id": {"type": "string"},
    "project_id": {"type": "string"},
    "system": {"type": ["string", "null"]},
}
_CREDENTIAL = {
    "id": ID,
    "name": NAME,
    "description": TEXT,
    "user_id": ID,
    "project_id": ID,
    "system": {"type": "null"},
    "expires_at": _TIME,
    "unrestricted": FLAG,
    "roles": {"type": "array", "items": _ROLE},
    "links": _SELF,
}
_TRUST_IN = {
    "trustor_user_id": ID,
    "trustee_user_id": ID,
    "project_id": {"type": ["string", "null"], "maxLength": 64},
    "impersonation": FLAG,
    "expires_at": _TIME,
    "remaining_uses": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1},
    "allow_redelegation": _OPTIONAL_FLAG,
    "redelegation_count": {"type": ["integer", "null"], "minimum": 0, "maximum": 1000},
    "redelegated_trust_id": {"type": ["string", "null"], "maxLength": 64},
    "roles": _ROLES_IN,
}
_TRUST = {
    "id": ID,
    "trustor_user_id": ID,
    "trustee_user_id": ID,
    "project_id": {"type": ["string", "null"]},
    "impersonation": FLAG,
    "expires_at": _TIME,
    "deleted_at": {"type": "null"},
    "remaining_uses": {"type": ["integer", "null"]},
    "redelegated_trust_id": {"type": ["string", "null"]},
    "redelegation_count": {"type": "integer"},
    "links": _SELF,
}
_TRUST_ROLE = {"id": ID, "name": NAME, "links": LINKS}

CREATE_APPLICATION_CREDENTIAL = request("application_credential", _CREDENTIAL_IN, ("name",))
APPLICATION_CREDENTIAL = show("application_credential", _CREDENTIAL)
APPLICATION_CREDENTIALS = index("application_credentials", _CREDENTIAL)
ACCESS_RULE = show("access_rule", _RULE)
ACCESS_RULES = index("access_rules", _RULE)
CREATE_TRUST = request("trust", _TRUST_IN, ("trustor_user_id", "trustee_user_id", "impersonation"))
TRUST = show("trust", _TRUST | {"roles": {"type": "array"}, "roles_links": LINKS})
TRUSTS = index("trusts", _TRUST)
TRUST_ROLE = show("role", _TRUST_ROLE)
TRUST_ROLES = index("roles", _TRUST_ROLE)
