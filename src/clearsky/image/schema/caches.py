"""JSON Schemas of the cache."""

from __future__ import annotations

from clearsky.api.schema import Schema

_CACHED = {
    "type": "object",
    "properties": {
        "image_id": {"type": "string"},
        "hits": {"type": "integer"},
        "last_accessed": {"type": "number"},
        "last_modified": {"type": "number"},
        "size": {"type": "integer"},
    },
    "required": ["image_id", "hits", "last_accessed", "last_modified", "size"],
    "additionalProperties": False,
}
CACHE = Schema(
    {
        "type": "object",
        "properties": {
            "cached_images": {"type": "array", "items": _CACHED},
            "queued_images": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["cached_images", "queued_images"],
        "additionalProperties": False,
    }
)
