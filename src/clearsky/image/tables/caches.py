"""What hosts have in their image caches, as they report it, and what administrators wish of these."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, String, Table

from clearsky.db.types import Json, Timestamp, metadata

caches = Table(
    "image_caches",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("seen_at", Timestamp, nullable=False),
    Column("images", Json, nullable=False),
)
"""images: image id -> size_bytes, hits, used_at, made_at."""
cache_wishes = Table(
    "image_cache_wishes",
    metadata,
    Column("image_id", String(36), primary_key=True),
    Column("keep", Boolean, nullable=False),
    Column("asked_at", Timestamp, nullable=False),
)
"""keep: every host is to have the image. Else no host keeps it once no server there stands on it; forgotten when none has
it any more."""
