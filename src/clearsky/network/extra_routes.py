"""Routes that a router's owner adds."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection

from clearsky.errors import Invalid
from clearsky.network import store
from clearsky.network import tables as t

MOST = 100


def check(c: Connection, row: Any, wanted: list[dict[str, str]]) -> None:
    """Raise Invalid unless each route's next hop is a neighbour of the router, and none is there twice."""
    if len(wanted) > MOST:
        raise Invalid(f"Router {row.id} may have at most {MOST} routes.", kind="RoutesExhausted")
    ports = [port.id for port in store.interfaces(c, row.id)]
    found = [address for addresses in store.addresses_of(c, ports).values() for address in addresses]
    own = {address.ip_address for address in found}
    subnets = store.many(c, t.subnets, (address.subnet_id for address in found))
    ranges = [ipaddress.ip_network(subnet.cidr) for subnet in subnets.values()]
    for number, route in enumerate(wanted):
        try:
            net = ipaddress.ip_network(route["destination"])
            hop = ipaddress.ip_address(route["nexthop"])
        except ValueError as error:
            raise Invalid(f"Invalid format for routes: {route}: {error}", kind="InvalidRoutes") from error
        if net.version != hop.version:
            raise Invalid(
                f"Invalid format for routes: {route}: a next hop of another IP version", kind="InvalidRoutes"
            )
        if route in wanted[:number]:
            raise Invalid(f"Invalid format for routes: {route} is there twice", kind="InvalidRoutes")
        if not any(hop in one for one in ranges):
            raise Invalid(
                f"Invalid format for routes: {route}, the nexthop is not connected with router",
                kind="InvalidRoutes",
            )
        if str(hop) in own:
            raise Invalid(
                f"Invalid format for routes: {route}, the nexthop is used by router", kind="InvalidRoutes"
            )
