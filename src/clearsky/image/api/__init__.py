"""Routes of the Image API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.image.api import (
    actions,
    cache,
    data,
    discovery,
    images,
    imports,
    listing,
    members,
    metadefs,
    stores,
    tasks,
)
from clearsky.image.policy import RULES

_ROOMS = (discovery, images, listing, actions, data, members, metadefs, stores, imports, tasks, cache)
SERVICE = Service(
    name="image",
    prefix="/image",
    routes=tuple(route for room in _ROOMS for route in room.routes.all),
    rules=RULES,
    fault=faults.plain,
    type="image",
    trailing_slash=False,
)
