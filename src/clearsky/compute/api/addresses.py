"""Floating IPs and networks as Compute showed them before there was a Network service: passed on, until 2.35."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute.api.actions import ACTION, unlocked
from clearsky.compute.api.parts import server
from clearsky.compute.schema.servers import action, holding
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import service as network

routes = Routes()
_FLOATING = "/v2.1/os-floating-ips"
_UNTIL = (2, 35)
_CREATE = Schema({"type": ["object", "null"], "properties": {"pool": {"type": ["string", "null"]}}})


def _external(call: Call) -> dict[str, str]:
    """Return id -> name of the networks that floating IPs come from."""
    found = network.ask(call, "GET", "/v2.0/networks", query=[("router:external", "true")])["networks"]
    return {one["id"]: one["name"] for one in found}


def _view(call: Call, row: dict[str, Any], pools: dict[str, str]) -> dict[str, Any]:
    device = None
    if row["port_id"]:
        device = network.ask(call, "GET", f"/v2.0/ports/{row['port_id']}")["port"]["device_id"]
    return {
        "id": row["id"],
        "ip": row["floating_ip_address"],
        "pool": pools.get(row["floating_network_id"], row["floating_network_id"]),
        "fixed_ip": row["fixed_ip_address"],
        "instance_id": device,
    }


def _own(call: Call, **filters: str) -> list[dict[str, Any]]:
    query = [("project_id", call.caller.project_id or ""), *filters.items()]
    found: list[dict[str, Any]] = network.ask(call, "GET", "/v2.0/floatingips", query=query)["floatingips"]
    return found


@routes.get(
    _FLOATING, rule="os_compute_api:os-floating-ips:list", until=_UNTIL, response=holding("floating_ips")
)
def list_floating_ips(call: Call) -> Reply:
    """List the project's floating IPs."""
    pools = _external(call)
    return Reply({"floating_ips": [_view(call, row, pools) for row in _own(call)]})


@routes.get(
    _FLOATING + "/{id}",
    rule="os_compute_api:os-floating-ips:show",
    until=_UNTIL,
    response=holding("floating_ip"),
)
def show_floating_ip(call: Call) -> Reply:
    """Show a floating IP."""
    row = network.ask(call, "GET", f"/v2.0/floatingips/{call.params['id']}")["floatingip"]
    return Reply({"floating_ip": _view(call, row, _external(call))})


@routes.post(
    _FLOATING,
    rule="os_compute_api:os-floating-ips:create",
    until=_UNTIL,
    request=_CREATE,
    response=holding("floating_ip"),
)
def create_floating_ip(call: Call) -> Reply:
    """Take a floating IP from a pool."""
    pools, wanted = _external(call), (call.body or {}).get("pool")
    chosen = [id for id, name in pools.items() if wanted in (None, id, name)]
    if not chosen:
        raise NotFound(f"Floating IP pool {wanted!r:.80} not found." if wanted else "There is no pool.")
    body = {"floatingip": {"floating_network_id": chosen[0]}}
    row = network.ask(call, "POST", "/v2.0/floatingips", body)["floatingip"]
    return Reply({"floating_ip": _view(call, row, pools)})


@routes.delete(_FLOATING + "/{id}", rule="os_compute_api:os-floating-ips:delete", until=_UNTIL, status=202)
def delete_floating_ip(call: Call) -> Reply:
    """Give a floating IP back."""
    network.ask(call, "DELETE", f"/v2.0/floatingips/{call.params['id']}")
    return Reply()


@routes.get(
    "/v2.1/os-floating-ip-pools",
    rule="os_compute_api:os-floating-ip-pools",
    until=_UNTIL,
    response=holding("floating_ip_pools"),
)
def list_pools(call: Call) -> Reply:
    """List the networks that floating IPs come from."""
    return Reply({"floating_ip_pools": [{"name": name} for name in _external(call).values()]})


_ADDRESS = {"type": "string", "format": "ipv4"}


@routes.post(
    ACTION,
    rule="os_compute_api:os-floating-ips:add",
    action="addFloatingIp",
    status=202,
    until=(2, 43),
    request=action(
        "addFloatingIp",
        {
            "type": "object",
            "properties": {"address": _ADDRESS, "fixed_address": _ADDRESS},
            "required": ["address"],
            "additionalProperties": False,
        },
    ),
)
def add_floating_ip(call: Call) -> Reply:
    """Put a floating IP on a server."""
    row, asked = unlocked(call, server(call)), call.body["addFloatingIp"]
    found = _own(call, floating_ip_address=asked["address"])
    if not found:
        raise NotFound(f"floating IP not found: {asked['address']}")
    fixed = asked.get("fixed_address")
    for port in network.ports_of_server(call.house, row.id):
        for one in port.addresses:
            if one.version == 4 and fixed in (None, one.ip):
                body = {"floatingip": {"port_id": port.id, "fixed_ip_address": one.ip}}
                try:
                    network.ask(call, "PUT", f"/v2.0/floatingips/{found[0]['id']}", body)
                except Conflict as error:
                    raise Invalid(error.message) from error
                return Reply()
    raise Invalid(f"Instance {row.id} has no fixed IPv4 address{f' {fixed}' if fixed else ''}")


@routes.post(
    ACTION,
    rule="os_compute_api:os-floating-ips:remove",
    action="removeFloatingIp",
    status=202,
    until=(2, 43),
    request=action(
        "removeFloatingIp",
        {
            "type": "object",
            "properties": {"address": _ADDRESS},
            "required": ["address"],
            "additionalProperties": False,
        },
    ),
)
def remove_floating_ip(call: Call) -> Reply:
    """Take a floating IP off a server."""
    row, address = unlocked(call, server(call)), call.body["removeFloatingIp"]["address"]
    ports = {port.id for port in network.ports_of_server(call.house, row.id)}
    found = _own(call, floating_ip_address=address)
    if not found:
        raise NotFound(f"floating IP not found: {address}")
    if found[0]["port_id"] not in ports:
        raise Conflict(f"Floating IP {address} is not associated with instance {row.id}.")
    network.ask(call, "PUT", f"/v2.0/floatingips/{found[0]['id']}", {"floatingip": {"port_id": None}})
    return Reply()


# -- networks ---------------------------------------------------------------------------------------------------

_LEGACY = (
    "bridge", "bridge_interface", "broadcast", "cidr", "cidr_v6", "created_at", "deleted", "deleted_at", "dhcp_server",
    "dhcp_start", "dns1", "dns2", "enable_dhcp", "gateway", "gateway_v6", "host", "injected", "mtu", "multi_host",
    "netmask", "netmask_v6", "priority", "project_id", "rxtx_base", "share_address", "updated_at", "vlan",
    "vpn_private_address", "vpn_public_address", "vpn_public_port",
)  # fmt: skip
"""What a network had before it became the Network service's: shown, and always empty."""


def _networks(call: Call) -> list[dict[str, Any]]:
    found = network.ask(call, "GET", "/v2.0/networks")["networks"]
    mine = call.caller.project_id
    return [one for one in found if call.scope is None or one["project_id"] == mine or one["shared"]]


def _network(call: Call) -> dict[str, Any]:
    for one in _networks(call):
        if one["id"] == call.params["id"]:
            return one
    raise NotFound(f"Network {call.params['id']:.80} not found")


def _legacy(one: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(_LEGACY) | {"id": one["id"], "label": one["name"]}


def _tenant(one: dict[str, Any]) -> dict[str, Any]:
    return {"cidr": "None", "id": one["id"], "label": one["name"]}


@routes.get(
    "/v2.1/os-networks", rule="os_compute_api:os-networks:list", until=_UNTIL, response=holding("networks")
)
def list_networks(call: Call) -> Reply:
    """List the project's networks, and those that it shares."""
    return Reply({"networks": [_legacy(one) for one in _networks(call)]})


@routes.get(
    "/v2.1/os-networks/{id}",
    rule="os_compute_api:os-networks:show",
    until=_UNTIL,
    response=holding("network"),
)
def show_network(call: Call) -> Reply:
    """Show a network."""
    return Reply({"network": _legacy(_network(call))})


@routes.get(
    "/v2.1/os-tenant-networks",
    rule="os_compute_api:os-tenant-networks:list",
    until=_UNTIL,
    response=holding("networks"),
)
def list_tenant_networks(call: Call) -> Reply:
    """List the project's networks, and those that it shares."""
    return Reply({"networks": [_tenant(one) for one in _networks(call)]})


@routes.get(
    "/v2.1/os-tenant-networks/{id}",
    rule="os_compute_api:os-tenant-networks:show",
    until=_UNTIL,
    response=holding("network"),
)
def show_tenant_network(call: Call) -> Reply:
    """Show a network."""
    return Reply({"network": _tenant(_network(call))})
