"""Routes of the Network API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.errors import ClearskyError, QuotaExceeded
from clearsky.network import drift
from clearsky.network.api import (
    address_groups,
    agents,
    auto_topology,
    availability,
    bindings,
    default_rules,
    default_statefulness,
    discovery,
    floating_ips,
    ndp_proxies,
    networks,
    path,
    pictures,
    port_forwardings,
    ports,
    qos,
    qos_rules,
    quotas,
    rbac,
    router_gateways,
    router_interfaces,
    routers,
    security_group_rules,
    security_groups,
    segment_ranges,
    subnetpools,
    subnets,
    tags,
    trunks,
    zones,
)
from clearsky.network.policy import RULES

_ROOMS = (
    discovery, zones, agents, networks, segment_ranges, subnets, subnetpools, ports, routers, router_gateways, router_interfaces,
    ndp_proxies, floating_ips,
    bindings, security_groups, security_group_rules, default_rules, default_statefulness, address_groups, rbac, availability, auto_topology, quotas,
    qos, qos_rules, port_forwardings, trunks,
    tags, path, pictures,
)  # fmt: skip


def _status(error: ClearskyError) -> int:
    return 409 if isinstance(error, QuotaExceeded) else error.code


SERVICE = Service(
    name="network",
    prefix="/network",
    routes=tuple(route for room in _ROOMS for route in room.routes.all),
    rules=RULES,
    fault=faults.network,
    type="network",
    status_of=_status,
    gauges=drift.gauges,
)
