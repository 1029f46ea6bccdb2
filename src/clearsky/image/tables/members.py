"""The projects that an image is shared with."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from clearsky.db.types import Timestamp, metadata

members = Table(
    "image_members",
    metadata,
    Column("image_id", String(36), primary_key=True),
    Column("member_id", String(64), primary_key=True, index=True),
    Column("status", String(10), nullable=False, default="pending"),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
)
