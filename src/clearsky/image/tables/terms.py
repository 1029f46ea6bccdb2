"""What images are found by beside their columns; see store/terms.py."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from clearsky.db.types import metadata

terms = Table(
    "image_terms",
    metadata,
    Column("term", String(40), primary_key=True),
    Column("image_id", String(36), primary_key=True, index=True),
)
"""`term`: a digest of a tag, or of a custom property's name and value."""
