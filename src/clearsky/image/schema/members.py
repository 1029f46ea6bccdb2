"""JSON Schemas of members."""

from __future__ import annotations

from clearsky.api.schema import Schema

_MEMBER = {
    "type": "object",
    "properties": {
        "member_id": {"type": "string"},
        "image_id": {"type": "string"},
        "status": {"enum": ["pending", "accepted", "rejected"]},
        "created_at": {"type": "string"},
        "updated_at": {"type": "string"},
        "schema": {"type": "string"},
    },
    "required": ["member_id", "image_id", "status", "created_at", "updated_at", "schema"],
    "additionalProperties": False,
}
MEMBER = Schema(_MEMBER)
MEMBERS = Schema(
    {
        "type": "object",
        "properties": {"members": {"type": "array", "items": _MEMBER}, "schema": {"type": "string"}},
        "required": ["members", "schema"],
        "additionalProperties": False,
    }
)
MEMBER_CREATE = Schema(
    {
        "type": "object",
        "properties": {"member": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[^/]*$"}},
        "required": ["member"],
    }
)
MEMBER_UPDATE = Schema(
    {
        "type": "object",
        "properties": {"status": {"enum": ["pending", "accepted", "rejected"]}},
        "required": ["status"],
    }
)
