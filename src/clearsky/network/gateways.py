"""Gateways of routers: ports in external networks, owned by the cloud.

The router's row names the first, which translates addresses and has the default route. The others are known by their
owner; they carry floating IPs of their networks, and default routes where the router spreads these (ECMP).
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from clearsky.errors import Conflict, Invalid
from clearsky.house import House
from clearsky.network import portmaking, store
from clearsky.network import tables as t
from clearsky.network.model import ROUTER_GATEWAY, ROUTER_INTERFACE

_NO_GATEWAY = {
    "external_network_id": None,
    "gateway_port_id": None,
    "enable_snat": True,
    "qos_policy_id": None,
    "ndp_proxy": False,
}
MOST = 10
"""So many gateways a router may have."""


def of(c: Connection, routers: Iterable[Any]) -> dict[str, list[Any]]:
    """Return the gateway ports of routers, each router's first one first and the others by age."""
    p = t.ports.c
    first = {row.id: row.gateway_port_id for row in routers if row.gateway_port_id}
    query = select(t.ports).where(p.device_id.in_(list(first)), p.device_owner == ROUTER_GATEWAY)
    found: dict[str, list[Any]] = defaultdict(list)
    for port in c.execute(query.order_by(p.created_at, p.id)) if first else ():
        found[port.device_id].append(port)
    for router_id, ports in found.items():
        ports.sort(key=lambda port: port.id != first[router_id])
    return found


def plug(c: Connection, house: House, router: Any, network: Any, wanted: list[dict[str, str]] | None) -> Any:
    """Give a router a port in an external network and return it; raises Invalid and Conflict."""
    if not network.external:
        raise Invalid(
            f"Bad router request: Network {network.id} is not an external network.", kind="BadRequest"
        )
    _check_ranges(c, router, network)
    values = {"project_id": "", "device_id": router.id, "device_owner": ROUTER_GATEWAY}
    port = portmaking.create(c, house, network, values, fixed_ips=wanted or None)
    if not store.addresses_of(c, [port.id]):
        raise Invalid(
            f"Bad router request: network {network.id} has no subnet to take an address from.",
            kind="BadRequest",
        )
    return port


def _check_ranges(c: Connection, router: Any, network: Any) -> None:
    """Raise Invalid where a router would have the same range in two networks."""
    ports = store.interfaces(c, router.id)
    inside = [port.id for port in ports if port.device_owner == ROUTER_INTERFACE]
    ids = [a.subnet_id for found in store.addresses_of(c, inside).values() for a in found]
    outside = {port.network_id for port in ports if port.device_owner == ROUTER_GATEWAY} - {network.id}
    others = [*store.many(c, t.subnets, ids).values(), *store.subnets_on(c, outside)]
    for new in store.subnets_on(c, [network.id]):
        for other in others:
            if ipaddress.ip_network(new.cidr).overlaps(ipaddress.ip_network(other.cidr)):
                raise Invalid(
                    f"Bad router request: Cidr {new.cidr} of subnet {new.id} overlaps with cidr {other.cidr} of subnet {other.id}.",
                    kind="BadRequest",
                )


def unplug(c: Connection, router: Any, port: Any, *, network_stays: bool = False) -> Any:
    """Take a gateway away and return the router's row; the oldest of the others takes the place of the first.

    `network_stays`: another gateway to the same network follows, so that floating IPs are not in the way.
    """
    left = [one for one in of(c, [router])[router.id] if one.id != port.id]
    if not network_stays and port.network_id not in {one.network_id for one in left}:
        _check_floating(c, router, port.network_id)
    if port.id == router.gateway_port_id and not network_stays:
        _check_proxies(c, router)
    store.remove_port(c, port.id)
    if port.id != router.gateway_port_id:
        return router
    return put_first(c, router, left[0]) if left else store.change(c, t.routers, router.id, _NO_GATEWAY)


def put_first(c: Connection, router: Any, port: Any) -> Any:
    values = {"external_network_id": port.network_id, "gateway_port_id": port.id}
    return store.change(c, t.routers, router.id, values)


def _check_floating(c: Connection, router: Any, network_id: str) -> None:
    f = t.floating_ips.c
    query = select(f.floating_ip_address).where(f.router_id == router.id, f.floating_network_id == network_id)
    if used := c.execute(query).scalars().all():
        raise Conflict(
            f"Gateway cannot be updated for router {router.id}, since a gateway to external network {network_id} is required by one or more floating IPs: {', '.join(used[:10])}.",
            kind="RouterExternalGatewayInUseByFloatingIp",
        )


def _check_proxies(c: Connection, router: Any) -> None:
    n = t.ndp_proxies.c
    if found := c.execute(select(n.id).where(n.router_id == router.id)).scalar():
        raise Conflict(
            f"Unable to unset external gateway of router {router.id}, NDP proxy {found} is still in use on the router.",
            kind="RouterGatewayInUseByNDPProxy",
        )


def clear(c: Connection, router: Any) -> Any:
    """Take all gateways of a router away."""
    for port in reversed(of(c, [router])[router.id]):
        router = unplug(c, router, port)
    return router


def matching(c: Connection, router: Any, info: dict[str, Any]) -> Any:
    """Return the gateway port that a description means: by its network, and by an address where there are several.

    None where nothing is alike; raises Invalid where several are.
    """
    there = [port for port in of(c, [router])[router.id] if port.network_id == info["network_id"]]
    asked = {item["ip_address"] for item in info.get("external_fixed_ips") or () if "ip_address" in item}
    if not asked:
        if len(there) > 1:
            raise Invalid(
                f"Unable to match a requested gateway port to existing gateway ports of router {router.id}: several are on "
                f"network {info['network_id']}; name one by external_fixed_ips.",
                kind="UnableToMatchGateways",
            )
        return there[0] if there else None
    addresses = store.addresses_of(c, [port.id for port in there])
    for port in there:
        if asked & {a.ip_address for a in addresses[port.id]}:
            return port
    return None
