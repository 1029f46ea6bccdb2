"""Routers, their interfaces and gateways."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid
from clearsky.network import extra_routes, portmaking, qos_policies, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit, zones
from clearsky.network.model import ROUTER_GATEWAY, ROUTER_INTERFACE

routes = Routes()
_GATEWAY = {
    "type": ["object", "null"],
    "properties": {
        "network_id": kit.OPTIONAL_UUID,
        "enable_snat": kit.FLAG,
        "qos_policy_id": kit.OPTIONAL_UUID,
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
    "availability_zone_hints": zones.HINTS,
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
            "qos_policy_id": row.qos_policy_id,
            "external_fixed_ips": [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in addresses],
        }
    return kit.standard(row) | {
        "admin_state_up": row.admin_state_up,
        "status": "ACTIVE",
        "external_gateway_info": gateway,
        "enable_snat": row.enable_snat,
        "routes": row.routes,
        "availability_zone_hints": row.availability_zone_hints,
        "availability_zones": [zones.ZONE],
    }


ROUTER = kit.Resource("router", "routers", t.routers, view, _CREATE, _UPDATE, derived=("status",))
_SHOWN = ROUTER.shown()


def create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    quotas.check(c, call.house, project_id, "router")
    quotas.check_datapaths(c, call.house)
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    zones.check_hints(body)
    columns |= {
        "project_id": project_id,
        "admin_state_up": kit.truth(body.get("admin_state_up", True)),
        "availability_zone_hints": body.get("availability_zone_hints") or [],
    }
    row = store.create(c, t.routers, columns)
    if body.get("external_gateway_info"):
        row = _set_gateway(call, c, row, body["external_gateway_info"])
    return row


def _set_gateway(call: Call, c: Connection, row: Any, info: dict[str, Any] | None) -> Any:
    """Plug the router into an external network, change that, or unplug it."""
    network_id = (info or {}).get("network_id")
    if not network_id and info and row.external_network_id:
        network_id = row.external_network_id
    if not network_id:
        return clear_gateway(c, row)
    assert info is not None
    network = store.get(c, t.networks, call.scope, network_id)
    if not network.external:
        raise Invalid(
            f"Bad router request: Network {network.id} is not an external network.", kind="BadRequest"
        )
    wanted = info.get("external_fixed_ips") or None
    changes: dict[str, Any] = {"enable_snat": kit.truth(info.get("enable_snat", True))}
    if "qos_policy_id" in info:
        changes["qos_policy_id"] = qos_policies.usable(c, call, info["qos_policy_id"], "a gateway")
    if network.id != row.external_network_id or wanted:
        clear_gateway(c, row, keep_floating=network.id == row.external_network_id)
        values = {"project_id": "", "device_id": row.id, "device_owner": ROUTER_GATEWAY}
        port = portmaking.create(c, call.house, network, values, fixed_ips=wanted)
        if not store.addresses_of(c, [port.id]):
            raise Invalid(
                f"Bad router request: network {network.id} has no subnet to take an address from.",
                kind="BadRequest",
            )
        changes |= {"external_network_id": network.id, "gateway_port_id": port.id}
    return store.change(c, t.routers, row.id, changes)


_NO_GATEWAY = {
    "external_network_id": None,
    "gateway_port_id": None,
    "enable_snat": True,
    "qos_policy_id": None,
}


def clear_gateway(c: Connection, row: Any, *, keep_floating: bool = False) -> Any:
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
    return store.change(c, t.routers, row.id, _NO_GATEWAY)


@routes.post("/v2.0/routers", rule="create_router", status=201, request=ROUTER.creation(), response=_SHOWN)
def create_router(call: Call) -> Reply:
    """Create a router."""
    return kit.create_all(ROUTER, call, lambda c, body: create(call, c, body))


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
        if "external_gateway_info" in body:
            row = _set_gateway(call, c, row, body["external_gateway_info"])
        if "routes" in body:
            columns["routes"] = body["routes"] or []
            extra_routes.check(c, row, columns["routes"])
        row = store.change(c, t.routers, row.id, columns)
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"router": shown})


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
        clear_gateway(c, row)
        store.remove(c, t.routers, row.id)
        store.sync(c, call.request_id)
    return Reply()
