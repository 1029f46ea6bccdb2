"""Routes of the Placement API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.placement.api import allocations, candidates, inventories, providers, traits
from clearsky.placement.policy import RULES
from clearsky.placement.versions import MICROVERSIONS

SERVICE = Service(
    name="placement",
    prefix="/placement",
    routes=tuple(
        route
        for room in (providers, inventories, traits, allocations, candidates)
        for route in room.routes.all
    ),
    rules=RULES,
    fault=faults.placement,
    microversions=MICROVERSIONS,
    type="placement",
)
