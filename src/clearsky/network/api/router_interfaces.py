"""Interfaces of routers, and their extra routes."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import extra_routes, ndp_proxies, portmaking, store
from clearsky.network import tables as t
from clearsky.network.api import kit, routers
from clearsky.network.api.routers import ROUTER
from clearsky.network.model import ROUTER_GATEWAY, ROUTER_INTERFACE

routes = Routes()
_INTERFACE_BODY = Schema(
    {
        "type": "object",
        "properties": {"subnet_id": kit.UUID, "port_id": kit.UUID},
        "additionalProperties": False,
    }
)
_INTERFACE = Schema({"type": "object", "required": ["id", "subnet_id", "port_id", "network_id", "tenant_id"]})


# -- interfaces -------------------------------------------------------------------------------------------------


def _reply(row: Any, port: Any, subnet_ids: list[str]) -> Reply:
    body = {
        "id": row.id,
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "port_id": port.id,
        "network_id": port.network_id,
        "subnet_id": subnet_ids[0],
        "subnet_ids": subnet_ids,
        "tags": row.tags,
    }
    return Reply(body)


def _connected(c: Connection, router_id: str) -> list[Any]:
    """Return the subnets that a router reaches at once: those inside, and all of the external networks."""
    ports = store.interfaces(c, router_id)
    inside = [port.id for port in ports if port.device_owner == ROUTER_INTERFACE]
    ids = [a.subnet_id for found in store.addresses_of(c, inside).values() for a in found]
    outside = {port.network_id for port in ports if port.device_owner == ROUTER_GATEWAY}
    return [*store.many(c, t.subnets, ids).values(), *store.subnets_on(c, outside)]


def _no_overlap(c: Connection, row: Any, subnets: list[Any]) -> None:
    for mine in _connected(c, row.id):
        for new in subnets:
            if ipaddress.ip_network(mine.cidr).overlaps(ipaddress.ip_network(new.cidr)):
                what = (
                    "already has a port on"
                    if mine.id == new.id
                    else f"has an interface in {mine.cidr} that overlaps with"
                )
                raise Invalid(
                    f"Bad router request: Router {what} subnet {new.id} ({new.cidr}).", kind="BadRequest"
                )


@routes.put(
    "/v2.0/routers/{id}/add_router_interface",
    rule="add_router_interface",
    request=_INTERFACE_BODY,
    response=_INTERFACE,
)
def add_interface(call: Call) -> Reply:
    """Plug the router into a subnet, by the subnet's gateway address or by a port."""
    body = call.body
    if len(body) != 1:
        raise Invalid("Bad router request: give either subnet_id or port_id.", kind="BadRequest")
    with call.house.db.write() as c:
        row = kit.writable(c, ROUTER, call, "update", call.params["id"])
        if "port_id" in body:
            port, subnets = _interface_by_port(c, call, row, body["port_id"])
        else:
            port, subnets = interface_by_subnet(c, call, row, body["subnet_id"])
        store.sync(c, call.request_id)
    return _reply(row, port, [subnet.id for subnet in subnets])


def _interface_by_port(c: Connection, call: Call, row: Any, port_id: str) -> tuple[Any, list[Any]]:
    port = store.get(c, t.ports, call.scope, port_id)
    if port.device_id:
        raise Conflict(
            f"Unable to complete operation on port {port.id}: it is in use by {port.device_owner} {port.device_id}.",
            kind="PortInUse",
        )
    ids = [a.subnet_id for a in store.addresses_of(c, [port.id]).get(port.id, [])]
    subnets = list(store.many(c, t.subnets, ids).values())
    if not subnets:
        raise Invalid(f"Bad router request: port {port.id} has no fixed IP.", kind="BadRequest")
    _no_overlap(c, row, subnets)
    store.set_groups(c, port.id, [])
    changes = {"device_id": row.id, "device_owner": ROUTER_INTERFACE, "port_security_enabled": False}
    return store.change(c, t.ports, port.id, changes | {"allowed_address_pairs": []}), subnets


def interface_by_subnet(c: Connection, call: Call, row: Any, subnet_id: str) -> tuple[Any, list[Any]]:
    subnet = store.get(c, t.subnets, call.scope, subnet_id)
    if not subnet.gateway_ip:
        raise Invalid(f"Bad router request: Subnet {subnet.id} has no gateway IP.", kind="BadRequest")
    _no_overlap(c, row, [subnet])
    network = store.usable_network(c, call.scope, subnet.network_id)
    values = {"project_id": row.project_id, "device_id": row.id, "device_owner": ROUTER_INTERFACE}
    wanted = [{"subnet_id": subnet.id, "ip_address": subnet.gateway_ip}]
    return portmaking.create(c, call.house, network, values, fixed_ips=wanted), [subnet]


@routes.put(
    "/v2.0/routers/{id}/remove_router_interface",
    rule="remove_router_interface",
    request=_INTERFACE_BODY,
    response=_INTERFACE,
)
def remove_interface(call: Call) -> Reply:
    """Unplug the router from a subnet that no floating IP or extra route needs."""
    body = call.body
    if not body:
        raise Invalid("Bad router request: give subnet_id or port_id.", kind="BadRequest")
    with call.house.db.write() as c:
        row = kit.writable(c, ROUTER, call, "update", call.params["id"])
        ports = [port for port in store.interfaces(c, row.id) if port.device_owner == ROUTER_INTERFACE]
        addresses = store.addresses_of(c, [port.id for port in ports])
        for port in ports:
            subnet_ids = [a.subnet_id for a in addresses.get(port.id, [])]
            if body.get("port_id", port.id) == port.id and body.get("subnet_id", subnet_ids[0]) in subnet_ids:
                break
        else:
            raise NotFound(f"Router {row.id} has no interface on {body}.", kind="RouterInterfaceNotFound")
        _interface_free(c, row, subnet_ids)
        store.remove_port(c, port.id)
        store.sync(c, call.request_id)
    return _reply(row, port, subnet_ids)


def _interface_free(c: Connection, row: Any, subnet_ids: list[str]) -> None:
    f, a = t.floating_ips.c, t.addresses.c
    inside = select(a.port_id).where(a.subnet_id.in_(subnet_ids))
    used = (
        c.execute(select(f.floating_ip_address).where(f.router_id == row.id, f.port_id.in_(inside)))
        .scalars()
        .all()
    )
    if used:
        raise Conflict(
            f"Router interface for subnet {subnet_ids[0]} on router {row.id} cannot be deleted, as it is required by one or more floating IPs: {', '.join(used[:10])}.",
            kind="RouterInterfaceInUseByFloatingIP",
        )
    ndp_proxies.check_interface(c, row, subnet_ids)
    ranges = [ipaddress.ip_network(s.cidr) for s in store.many(c, t.subnets, subnet_ids).values()]
    for route in row.routes:
        if any(ipaddress.ip_address(route["nexthop"]) in net for net in ranges):
            raise Conflict(
                f"Router interface for subnet {subnet_ids[0]} on router {row.id} cannot be deleted, as it is required by the route {route}.",
                kind="RouterInterfaceInUseByRoute",
            )


# -- extra routes -----------------------------------------------------------------------------------------------

_ROUTES = Schema(
    {
        "type": "object",
        "properties": {
            "router": {
                "type": "object",
                "properties": {"routes": kit.ROUTES},
                "required": ["routes"],
                "additionalProperties": False,
            }
        },
        "required": ["router"],
        "additionalProperties": False,
    }
)
_SHOWN = ROUTER.shown()


def _change_routes(call: Call, make: Any) -> Reply:
    with call.house.db.write() as c:
        row = kit.writable(c, ROUTER, call, "update", call.params["id"])
        wanted = make(row.routes, call.body["router"]["routes"])
        extra_routes.check(c, row, wanted)
        row = store.change(c, t.routers, row.id, {"routes": wanted})
        shown = routers.view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"router": shown})


@routes.put("/v2.0/routers/{id}/add_extraroutes", rule="update_router", request=_ROUTES, response=_SHOWN)
def add_extra_routes(call: Call) -> Reply:
    """Add routes, whatever others add at the same time; one that is there already is as good."""
    return _change_routes(
        call,
        lambda have, more: [*have, *(one for n, one in enumerate(more) if one not in [*have, *more[:n]])],
    )


@routes.put("/v2.0/routers/{id}/remove_extraroutes", rule="update_router", request=_ROUTES, response=_SHOWN)
def remove_extra_routes(call: Call) -> Reply:
    """Remove routes; one that is not there is as good."""
    return _change_routes(call, lambda have, less: [one for one in have if one not in less])
