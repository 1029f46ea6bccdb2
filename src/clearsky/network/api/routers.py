"""Routers, their interfaces and gateways."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import portmaking, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit
from clearsky.network.api.discovery import ZONE
from clearsky.network.model import ROUTER_GATEWAY, ROUTER_INTERFACE

routes = Routes()
_GATEWAY = {
    "type": ["object", "null"],
    "properties": {
        "network_id": kit.OPTIONAL_UUID,
        "enable_snat": kit.FLAG,
        "external_fixed_ips": {
            "type": "array",
            "maxItems": 10,
            "items": {
                "type": "object",
                "properties": {"subnet_id": kit.UUID, "ip_address": kit.TEXT},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
_CREATE = {
    "admin_state_up": kit.FLAG,
    "external_gateway_info": _GATEWAY,
    "availability_zone_hints": {"type": "array", "items": kit.TEXT, "maxItems": 10},
}
_UPDATE = {
    "admin_state_up": kit.FLAG,
    "external_gateway_info": _GATEWAY,
    "routes": kit.ROUTES | {"type": ["array", "null"]},
}


def view(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    addresses = store.addresses_of(c, [row.gateway_port_id for row in rows if row.gateway_port_id])
    return [_one(row, addresses.get(row.gateway_port_id or "", [])) for row in rows]


def _one(row: Any, addresses: list[Any]) -> dict[str, Any]:
    gateway = None
    if row.external_network_id:
        gateway = {
            "network_id": row.external_network_id,
            "enable_snat": row.enable_snat,
            "external_fixed_ips": [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in addresses],
        }
    return kit.standard(row) | {
        "admin_state_up": row.admin_state_up,
        "status": "ACTIVE",
        "external_gateway_info": gateway,
        "routes": row.routes,
        "availability_zone_hints": [],
        "availability_zones": [ZONE],
    }


ROUTER = kit.Resource("router", "routers", t.routers, view, _CREATE, _UPDATE)
_SHOWN = ROUTER.shown()
_INTERFACE_BODY = Schema(
    {
        "type": "object",
        "properties": {"subnet_id": kit.UUID, "port_id": kit.UUID},
        "additionalProperties": False,
    }
)
_INTERFACE = Schema({"type": "object", "required": ["id", "subnet_id", "port_id", "network_id", "tenant_id"]})


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    quotas.check(c, call.house, project_id, "router")
    quotas.check_datapaths(c, call.house)
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    columns |= {"project_id": project_id, "admin_state_up": kit.truth(body.get("admin_state_up", True))}
    row = store.create(c, t.routers, columns)
    if body.get("external_gateway_info"):
        row = _set_gateway(call, c, row, body["external_gateway_info"])
    return row


def _set_gateway(call: Call, c: Connection, row: Any, info: dict[str, Any] | None) -> Any:
    """Plug the router into an external network, change that, or unplug it."""
    network_id = (info or {}).get("network_id")
    if not network_id and info and "enable_snat" in info and row.external_network_id:
        network_id = row.external_network_id
    if not network_id:
        return _clear_gateway(c, row)
    assert info is not None
    network = store.get(c, t.networks, call.scope, network_id)
    if not network.external:
        raise Invalid(
            f"Bad router request: Network {network.id} is not an external network.", kind="BadRequest"
        )
    wanted = info.get("external_fixed_ips") or None
    changes: dict[str, Any] = {"enable_snat": kit.truth(info.get("enable_snat", True))}
    if network.id != row.external_network_id or wanted:
        _clear_gateway(c, row, keep_floating=network.id == row.external_network_id)
        values = {"project_id": "", "device_id": row.id, "device_owner": ROUTER_GATEWAY}
        port = portmaking.create(c, call.house, network, values, fixed_ips=wanted)
        if not store.addresses_of(c, [port.id]):
            raise Invalid(
                f"Bad router request: network {network.id} has no subnet to take an address from.",
                kind="BadRequest",
            )
        changes |= {"external_network_id": network.id, "gateway_port_id": port.id}
    return store.change(c, t.routers, row.id, changes)


def _clear_gateway(c: Connection, row: Any, *, keep_floating: bool = False) -> Any:
    if not row.gateway_port_id:
        return row
    f = t.floating_ips.c
    used = c.execute(select(f.floating_ip_address).where(f.router_id == row.id)).scalars().all()
    if used and not keep_floating:
        raise Conflict(
            f"Gateway cannot be updated for router {row.id}, since a gateway to external network {row.external_network_id} is required by one or more floating IPs: {', '.join(used[:10])}.",
            kind="RouterExternalGatewayInUseByFloatingIp",
        )
    store.remove_port(c, row.gateway_port_id)
    return store.change(
        c, t.routers, row.id, {"external_network_id": None, "gateway_port_id": None, "enable_snat": True}
    )


@routes.post("/v2.0/routers", rule="create_router", status=201, request=ROUTER.creation(), response=_SHOWN)
def create_router(call: Call) -> Reply:
    """Create a router."""
    return kit.create_all(ROUTER, call, lambda c, body: _create(call, c, body))


@routes.get("/v2.0/routers", rule="get_router", response=_SHOWN)
def list_routers(call: Call) -> Reply:
    """List routers."""
    return kit.listed(ROUTER, call)


@routes.get("/v2.0/routers/{id}", rule="get_router", response=_SHOWN)
def show_router(call: Call) -> Reply:
    """Show a router."""
    return kit.show(ROUTER, call)


@routes.put("/v2.0/routers/{id}", rule="update_router", request=ROUTER.changing(), response=_SHOWN)
def update_router(call: Call) -> Reply:
    """Update a router, its gateway and its extra routes."""
    body = call.body["router"]
    with call.house.db.write() as c:
        row = kit.writable(c, ROUTER, call, "update", call.params["id"])
        columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
        if "admin_state_up" in body:
            columns["admin_state_up"] = kit.truth(body["admin_state_up"])
        if "routes" in body:
            columns["routes"] = body["routes"] or []
            _check_routes(c, row, columns["routes"])
        if "external_gateway_info" in body:
            row = _set_gateway(call, c, row, body["external_gateway_info"])
        row = store.change(c, t.routers, row.id, columns)
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"router": shown})


def _check_routes(c: Connection, row: Any, wanted: list[dict[str, str]]) -> None:
    ports = [port.id for port in store.interfaces(c, row.id)]
    subnet_ids = [a.subnet_id for found in store.addresses_of(c, ports).values() for a in found]
    ranges = [ipaddress.ip_network(s.cidr) for s in store.many(c, t.subnets, subnet_ids).values()]
    for route in wanted:
        try:
            ipaddress.ip_network(route["destination"])
            hop = ipaddress.ip_address(route["nexthop"])
        except ValueError as error:
            raise Invalid(f"Invalid format for routes: {route}: {error}", kind="InvalidRoutes") from error
        if not any(hop in net for net in ranges):
            raise Invalid(
                f"Invalid format for routes: {route}, the nexthop is not connected with router",
                kind="InvalidRoutes",
            )


@routes.delete("/v2.0/routers/{id}", rule="delete_router")
def delete_router(call: Call) -> Reply:
    """Delete a router that has no interfaces."""
    with call.house.db.write() as c:
        row = kit.writable(c, ROUTER, call, "delete", call.params["id"])
        inside = [port for port in store.interfaces(c, row.id) if port.device_owner == ROUTER_INTERFACE]
        if inside:
            named = ", ".join(f"port {port.id}" for port in inside[:10])
            raise Conflict(
                f"Router {row.id} still has ports: {named}. Remove these interfaces first.",
                kind="RouterInUse",
            )
        _clear_gateway(c, row)
        store.remove(c, t.routers, row.id)
        store.sync(c, call.request_id)
    return Reply()


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
    ports = [port.id for port in store.interfaces(c, router_id) if port.device_owner == ROUTER_INTERFACE]
    ids = [a.subnet_id for found in store.addresses_of(c, ports).values() for a in found]
    return list(store.many(c, t.subnets, ids).values())


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
            port, subnets = _interface_by_subnet(c, call, row, body["subnet_id"])
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


def _interface_by_subnet(c: Connection, call: Call, row: Any, subnet_id: str) -> tuple[Any, list[Any]]:
    subnet = store.get(c, t.subnets, call.scope, subnet_id)
    if not subnet.gateway_ip:
        raise Invalid(f"Bad router request: Subnet {subnet.id} has no gateway IP.", kind="BadRequest")
    _no_overlap(c, row, [subnet])
    network = store.get(c, t.networks, None, subnet.network_id)
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
    ranges = [ipaddress.ip_network(s.cidr) for s in store.many(c, t.subnets, subnet_ids).values()]
    for route in row.routes:
        if any(ipaddress.ip_address(route["nexthop"]) in net for net in ranges):
            raise Conflict(
                f"Router interface for subnet {subnet_ids[0]} on router {row.id} cannot be deleted, as it is required by the route {route}.",
                kind="RouterInterfaceInUseByRoute",
            )
