"""Routes of the Placement API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.placement.api import allocations, providers
from clearsky.placement.policy import RULES
from clearsky.placement.versions import MICROVERSIONS

SERVICE = Service(
    name="placement",
    prefix="/placement",
    routes=(*providers.routes.all, *allocations.routes.all),
    rules=RULES,
    fault=faults.placement,
    microversions=MICROVERSIONS,
    type="placement",
)
