"""JSON Schemas of what the Image service says about itself."""

from __future__ import annotations

from clearsky.api.schema import Schema

_COUNTED = {
    "type": "object",
    "properties": {"usage": {"type": "integer"}, "limit": {"type": "integer"}},
    "required": ["usage", "limit"],
    "additionalProperties": False,
}
USAGE = Schema(
    {
        "type": "object",
        "properties": {"usage": {"type": "object", "additionalProperties": _COUNTED}},
        "required": ["usage"],
        "additionalProperties": False,
    }
)
