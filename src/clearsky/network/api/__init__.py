"""Routes of the Network API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.errors import ClearskyError, QuotaExceeded
from clearsky.network.api import (
    discovery,
    floating_ips,
    networks,
    ports,
    quotas,
    routers,
    security_groups,
    subnets,
)
from clearsky.network.policy import RULES


def _status(error: ClearskyError) -> int:
    return 409 if isinstance(error, QuotaExceeded) else error.code


SERVICE = Service(
    name="network",
    prefix="/network",
    routes=tuple(
        route
        for room in (discovery, networks, subnets, ports, routers, floating_ips, security_groups, quotas)
        for route in room.routes.all
    ),
    rules=RULES,
    fault=faults.network,
    type="network",
    status_of=_status,
)
