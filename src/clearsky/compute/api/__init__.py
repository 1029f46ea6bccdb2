"""Routes of the Compute API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.compute.api import (
    actions,
    addresses,
    aggregates,
    consoles,
    discovery,
    flavors,
    hosts,
    images,
    inspection,
    interfaces,
    keypairs,
    lifecycle,
    parts,
    quotas,
    records,
    security_groups,
    server_groups,
    servers,
    services,
)
from clearsky.compute.policy import RULES
from clearsky.compute.versions import MICROVERSIONS

_ROOMS = (
    discovery, flavors, keypairs, servers, actions, lifecycle, consoles, parts, interfaces, inspection, quotas, services,
    hosts, aggregates, server_groups, records, security_groups, addresses, images,
)  # fmt: skip

SERVICE = Service(
    name="compute",
    prefix="/compute",
    routes=tuple(route for room in _ROOMS for route in room.routes.all),
    rules=RULES,
    fault=faults.compute,
    microversions=MICROVERSIONS,
    type="compute",
    catalog_path="/v2.1",
    trailing_slash=False,
    legacy={"v2": ("v2.1", (2, 1))},
)
