"""Where the bytes of images are, in which store under which name: written down before they are, forgotten after."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table

from clearsky.db.types import Timestamp, metadata

locations = Table(
    "image_locations",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("image_id", String(36), nullable=False, index=True),
    Column("store", String(64), nullable=False),
    Column("status", String(10), nullable=False),
    Column("size", BigInteger),
    Column("writer", String(64), nullable=False, default=""),
    Column("seen_at", Timestamp, nullable=False, index=True),
)
"""status: writing, active (whole and checked), deleting. writer: the request or task that writes it; seen_at: when
that was last heard of."""
