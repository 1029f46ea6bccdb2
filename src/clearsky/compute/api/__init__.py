"""Routes of the Compute API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.compute.api import actions, discovery, flavors, hosts, keypairs, parts, quotas, servers
from clearsky.compute.policy import RULES
from clearsky.compute.versions import MICROVERSIONS

SERVICE = Service(
    name="compute",
    prefix="/compute",
    routes=tuple(
        route
        for room in (discovery, flavors, keypairs, servers, actions, parts, quotas, hosts)
        for route in room.routes.all
    ),
    rules=RULES,
    fault=faults.compute,
    microversions=MICROVERSIONS,
    type="compute",
    catalog_path="/v2.1",
)
