"""NDP proxies: what a router needs for them, and which address of a port can have one."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, select

from clearsky.errors import Conflict, Invalid
from clearsky.network import store
from clearsky.network import tables as t
from clearsky.network.model import ROUTER_INTERFACE


def scope_of(c: Connection, network_id: str) -> str | None:
    """Return the IPv6 address scope of a network."""
    s, p = t.subnets.c, t.subnetpools.c
    query = select(p.address_scope_id).join_from(t.subnets, t.subnetpools, s.subnetpool_id == p.id)
    query = query.where(s.network_id == network_id, s.ip_version == 6, p.address_scope_id.is_not(None))
    found = c.execute(query).scalar()
    return None if found is None else str(found)


def check_gateway(c: Connection, router: Any) -> None:
    """Raise Conflict where a router's gateway cannot answer for addresses inside."""
    port_id = router.gateway_port_id or ""
    six = any(":" in a.ip_address for a in store.addresses_of(c, [port_id])[port_id])
    if not six or scope_of(c, router.external_network_id) is None:
        raise Conflict(
            f"Can not enable ndp proxy on router {router.id}: it has no external gateway, or that has no IPv6 address, or its "
            "network no IPv6 address scope.",
            kind="RouterGatewayNotValid",
        )


def choose(c: Connection, router: Any, port: Any, wanted: str | None) -> str:
    """Return the address of a port that a router is to answer for; raises Invalid and Conflict."""
    if not router.ndp_proxy:
        raise Conflict(
            f"The enable_ndp_proxy parameter of router {router.id} must be set as True while create ndp proxy entry on it.",
            kind="RouterNDPProxyNotEnable",
        )
    own = [a for a in store.addresses_of(c, [port.id])[port.id] if ":" in a.ip_address]
    if not own:
        raise Invalid(
            f"Bad ndp_proxy request: Requested port {port.id} must allocate one IPv6 address at least.",
            kind="BadRequest",
        )
    inside = [one.id for one in store.interfaces(c, router.id) if one.device_owner == ROUTER_INTERFACE]
    near = {a.subnet_id for found in store.addresses_of(c, inside).values() for a in found}
    fitting = [str(a.ip_address) for a in own if a.subnet_id in near]
    if not fitting:
        raise Conflict(
            f"The port {port.id} cannot reach the router {router.id} by IPv6 subnet.",
            kind="PortUnreachableRouter",
        )
    if wanted is not None and (wanted := _plain(wanted)) not in fitting:
        raise Invalid(
            f"The address {wanted} is invalid, reason: by this router the port has {', '.join(fitting)}.",
            kind="InvalidAddress",
        )
    outer, inner = scope_of(c, router.external_network_id), scope_of(c, port.network_id)
    if outer != inner:
        raise Conflict(
            f"The IPv6 address scope {outer} of external network conflict with internal network's IPv6 address scope {inner}.",
            kind="AddressScopeConflict",
        )
    return wanted or fitting[0]


def _plain(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise Invalid(f"ip_address = {text!r}: not an IP address.", kind="InvalidInput") from error


def check_interface(c: Connection, router: Any, subnet_ids: list[str]) -> None:
    """Raise Conflict where an address of a subnet, that a router is to leave, has a proxy there."""
    n, a = t.ndp_proxies.c, t.addresses.c
    inside = select(a.ip_address).where(a.subnet_id.in_(subnet_ids), a.port_id == n.port_id)
    query = select(n.id).where(n.router_id == router.id, n.ip_address.in_(inside))
    if found := c.execute(query).scalar():
        raise Conflict(
            f"Unable to remove subnet {subnet_ids[0]} from router {router.id}, NDP proxy {found} is still in use on the subnet.",
            kind="RouterInterfaceInUseByNDPProxy",
        )
