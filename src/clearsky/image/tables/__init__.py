"""Tables of the Image service."""

from __future__ import annotations

from clearsky.image.tables import metadefs
from clearsky.image.tables.caches import cache_wishes, caches
from clearsky.image.tables.images import images
from clearsky.image.tables.locations import locations
from clearsky.image.tables.members import members
from clearsky.image.tables.tasks import tasks
from clearsky.image.tables.terms import terms

__all__ = ["cache_wishes", "caches", "images", "locations", "members", "metadefs", "tasks", "terms"]
