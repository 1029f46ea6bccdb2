"""Routers, their interfaces and gateways."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict
from clearsky.network import extra_routes, gateways, ndp_proxies, qos_policies, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit, zones
from clearsky.network.model import ROUTER_INTERFACE

routes = Routes()
GATEWAY = {
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
_CHOICE = {
    "type": ["boolean", "string", "integer", "null"],
    "enum": [True, False, "true", "false", "True", "False", 0, 1, None],
}
_CREATE = {
    "admin_state_up": kit.FLAG,
    "external_gateway_info": GATEWAY,
    "availability_zone_hints": zones.HINTS,
    "enable_default_route_ecmp": _CHOICE,
    "enable_ndp_proxy": _CHOICE,
}
_UPDATE = {
    "admin_state_up": kit.FLAG,
    "external_gateway_info": GATEWAY,
    "enable_default_route_ecmp": _CHOICE,
    "enable_ndp_proxy": _CHOICE,
    "routes": kit.ROUTES | {"type": ["array", "null"]},
}


def view(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    ports = gateways.of(c, rows)
    ids = [port.id for found in ports.values() for port in found]
    addresses = store.addresses_of(c, ids) if ids else {}
    return [_one(row, [_gateway(row, port, addresses[port.id]) for port in ports[row.id]]) for row in rows]


def _gateway(row: Any, port: Any, addresses: list[Any]) -> dict[str, Any]:
    first = port.id == row.gateway_port_id
    return {
        "network_id": port.network_id,
        "enable_snat": row.enable_snat,
        "qos_policy_id": row.qos_policy_id if first else None,
        "external_fixed_ips": [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in addresses],
    }


def _one(row: Any, shown: list[dict[str, Any]]) -> dict[str, Any]:
    return kit.standard(row) | {
        "admin_state_up": row.admin_state_up,
        "status": "ACTIVE",
        "external_gateway_info": shown[0] if shown else None,
        "external_gateways": shown,
        "enable_snat": row.enable_snat,
        "enable_default_route_ecmp": row.ecmp,
        "enable_ndp_proxy": row.ndp_proxy,
        "routes": row.routes,
        "availability_zone_hints": row.availability_zone_hints,
        "availability_zones": [zones.ZONE],
    }


ROUTER = kit.Resource(
    "router",
    "routers",
    t.routers,
    view,
    _CREATE,
    _UPDATE,
    aliases={"enable_default_route_ecmp": "ecmp", "enable_ndp_proxy": "ndp_proxy"},
    derived=("status",),
)
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
        "ecmp": kit.truth(body.get("enable_default_route_ecmp")),
    }
    row = store.create(c, t.routers, columns)
    if body.get("external_gateway_info"):
        row = set_gateway(call, c, row, body["external_gateway_info"])
    return _set_proxy(c, row, body)


def _set_proxy(c: Connection, row: Any, body: dict[str, Any]) -> Any:
    """Switch NDP proxies of a router on or off, as a body says."""
    wanted = body.get("enable_ndp_proxy")
    if wanted is None:
        return row
    if kit.truth(wanted):
        ndp_proxies.check_gateway(c, row)
    return store.change(c, t.routers, row.id, {"ndp_proxy": kit.truth(wanted)})


def check_rights(call: Call, info: dict[str, Any] | None) -> None:
    """Raise Forbidden where a gateway's description says what is for administrators."""
    for name in ("enable_snat", "external_fixed_ips"):
        if info and name in info:
            call.authorize(f"update_router:external_gateway_info:{name}")


def set_gateway(call: Call, c: Connection, row: Any, info: dict[str, Any] | None) -> Any:
    """Plug the router's first gateway into an external network, change it, or unplug it."""
    check_rights(call, info)
    first = next(iter(gateways.of(c, [row])[row.id]), None)
    network_id = (info or {}).get("network_id") or (row.external_network_id if info else None)
    if not network_id:
        return gateways.unplug(c, row, first) if first else row
    assert info is not None
    network = store.get(c, t.networks, call.scope, network_id)
    wanted = info.get("external_fixed_ips") or None
    before = row
    if network.id != row.external_network_id or wanted:
        if first is not None:
            row = gateways.unplug(c, row, first, network_stays=network.id == first.network_id)
        row = gateways.put_first(c, row, gateways.plug(c, call.house, row, network, wanted))
    if network.id == before.external_network_id:
        info = {"qos_policy_id": before.qos_policy_id} | info
    return describe_first(call, c, row, info)


def describe_first(call: Call, c: Connection, row: Any, info: dict[str, Any]) -> Any:
    """Give the first gateway what its description says beside its place."""
    changes: dict[str, Any] = {"enable_snat": kit.truth(info.get("enable_snat", True))}
    if "qos_policy_id" in info:
        changes["qos_policy_id"] = qos_policies.usable(c, call, info["qos_policy_id"], "a gateway")
    return store.change(c, t.routers, row.id, changes)


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
        if body.get("enable_default_route_ecmp") is not None:
            columns["ecmp"] = kit.truth(body["enable_default_route_ecmp"])
        if "external_gateway_info" in body:
            row = set_gateway(call, c, row, body["external_gateway_info"])
        row = _set_proxy(c, row, body)
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
        gateways.clear(c, row)
        store.remove(c, t.routers, row.id)
        store.sync(c, call.request_id)
    return Reply()
