"""JSON Schema of the JSON Schemas that clients may read."""

from __future__ import annotations

from clearsky.api.schema import Schema

DOCUMENT = Schema(
    {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name", "properties"]}
)
