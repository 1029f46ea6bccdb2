"""Ports of floating IPs that lead inside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from clearsky.errors import Conflict, NotFound
from clearsky.network import tables as t
from clearsky.network.model import ROUTER_GATEWAY, ROUTER_INTERFACE


def of(c: Connection, floating_ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the forwardings of floating IPs as these show them."""
    p = t.port_forwardings
    query = select(p).where(p.c.floating_ip_id.in_(list(floating_ids))).order_by(p.c.created_at, p.c.id)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in c.execute(query):
        shown = ports_of(row) | {
            "id": row.id,
            "protocol": row.protocol,
            "internal_ip_address": row.internal_ip_address,
            "internal_port_id": row.internal_port_id,
        }
        found.setdefault(row.floating_ip_id, []).append(shown)
    return found


def ports_of(row: Any) -> dict[str, Any]:
    """Return a forwarding's ports: single ones as numbers too, all as ranges."""
    return {
        "external_port": row.external_first if row.external_first == row.external_last else None,
        "external_port_range": f"{row.external_first}:{row.external_last}",
        "internal_port": row.internal_first if row.internal_first == row.internal_last else None,
        "internal_port_range": f"{row.internal_first}:{row.internal_last}",
    }


def check_unused(c: Connection, floating: Any) -> None:
    """Raise Conflict where ports of the floating IP lead inside: then it cannot be a port's as a whole."""
    p = t.port_forwardings.c
    if found := c.execute(select(p.id).where(p.floating_ip_id == floating.id)).scalar():
        raise Conflict(
            f"Floating IP {floating.id} in use by port forwarding {found}.", kind="FipInUseByPortForwarding"
        )


def router_to(c: Connection, row: Any, subnet_id: str) -> str:
    """Return the router that joins the port's subnet to the floating IP's network."""
    p, a, r = t.ports.c, t.addresses.c, t.routers.c
    inside = select(p.device_id).where(
        p.device_owner == ROUTER_INTERFACE, p.id.in_(select(a.port_id).where(a.subnet_id == subnet_id))
    )
    gateways = select(p.device_id).where(
        p.device_owner == ROUTER_GATEWAY, p.network_id == row.floating_network_id
    )
    query = select(r.id).where(r.id.in_(inside), r.id.in_(gateways))
    found = c.execute(query).scalar()
    if found is None:
        raise NotFound(
            f"External network {row.floating_network_id} is not reachable from subnet {subnet_id}. Therefore, cannot associate a port of it with a Floating IP.",
            kind="ExternalGatewayForFloatingIPNotFound",
        )
    return str(found)
