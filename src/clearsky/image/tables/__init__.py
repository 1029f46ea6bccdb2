"""Tables of the Image service."""

from __future__ import annotations

from clearsky.image.tables.images import images
from clearsky.image.tables.members import members
from clearsky.image.tables.terms import terms

__all__ = ["images", "members", "terms"]
