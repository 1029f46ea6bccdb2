"""Bodies of stored credentials, EC2's included."""

from __future__ import annotations

from clearsky.api.schema import Schema
from clearsky.identity.schema.common import ID, LINKS, index, request, show

_BLOB = {"type": "string", "maxLength": 65535}
_TYPE = {"type": "string", "minLength": 1, "maxLength": 255}
_PROJECT_ID = {"type": ["string", "null"], "maxLength": 64}
_SELF = {"type": "object", "properties": {"self": {"type": "string"}}, "required": ["self"]}
_CREDENTIAL_IN = {"blob": _BLOB, "type": _TYPE, "user_id": ID, "project_id": _PROJECT_ID}
_CREDENTIAL = {
    "id": ID,
    "user_id": ID,
    "project_id": _PROJECT_ID,
    "type": _TYPE,
    "blob": {"type": "string"},
    "links": _SELF,
}
_EC2 = {
    "access": {"type": "string"},
    "secret": {"type": "string"},
    "user_id": ID,
    "tenant_id": _PROJECT_ID,
    "trust_id": {"type": ["string", "null"]},
    "links": _SELF,
}
_TEXT = {"type": "string", "maxLength": 65535}
_SIGNED = {
    "access": {"type": "string", "maxLength": 255},
    "signature": {"type": "string", "maxLength": 255},
    "host": _TEXT,
    "verb": {"type": "string", "maxLength": 16},
    "path": _TEXT,
    "params": {"type": "object"},
    "headers": {"type": "object"},
    "body_hash": {"type": "string", "maxLength": 128},
    "token": {"type": "string", "maxLength": 65535},
    "data": _TEXT,
}
_SIGNED_REQUEST = {"type": "object", "properties": _SIGNED, "required": ["access", "signature"]}

CREATE_CREDENTIAL = request("credential", _CREDENTIAL_IN, ("blob", "type", "user_id"))
UPDATE_CREDENTIAL = request("credential", _CREDENTIAL_IN)
CREDENTIAL = show("credential", _CREDENTIAL)
CREDENTIALS = index("credentials", _CREDENTIAL)
CREATE_EC2 = Schema(
    {
        "type": "object",
        "properties": {"tenant_id": ID, "project_id": ID},
        "anyOf": [{"required": ["tenant_id"]}, {"required": ["project_id"]}],
    }
)
EC2 = show("credential", _EC2)
EC2S = Schema(
    {
        "type": "object",
        "properties": {
            "credentials": {
                "type": "array",
                "items": {"type": "object", "properties": _EC2, "required": list(_EC2)},
            },
            "links": LINKS,
        },
        "required": ["credentials"],
    }
)
SIGNED = Schema(
    {
        "type": "object",
        "properties": {"credentials": _SIGNED_REQUEST, "ec2Credentials": _SIGNED_REQUEST},
        "anyOf": [{"required": ["credentials"]}, {"required": ["ec2Credentials"]}],
    }
)
