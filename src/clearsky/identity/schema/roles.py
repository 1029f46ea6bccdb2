"""Implied roles and role assignments."""

from __future__ import annotations

from clearsky.api.schema import Schema
from clearsky.identity.schema.common import ID, LINKS, NAME, OBJECT, index

_SHORT = {
    "type": "object", "properties": {"id": ID, "name": NAME, "links": OBJECT}, "required": ["id", "name", "links"],
}  # fmt: skip
INFERENCE = Schema(
    {
        "type": "object",
        "properties": {
            "role_inference": {
                "type": "object",
                "properties": {
                    "prior_role": _SHORT,
                    "implies": {"anyOf": [_SHORT, {"type": "array", "items": _SHORT}]},
                },
                "required": ["prior_role", "implies"],
            },
            "links": LINKS,
        },
        "required": ["role_inference", "links"],
    }
)
INFERENCES = Schema(
    {
        "type": "object",
        "properties": {
            "role_inferences": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"prior_role": _SHORT, "implies": {"type": "array", "items": _SHORT}},
                    "required": ["prior_role", "implies"],
                },
            },
            "links": LINKS,
        },
        "required": ["role_inferences", "links"],
    }
)
ASSIGNMENTS = index("role_assignments", {"role": OBJECT, "scope": OBJECT, "links": OBJECT})
