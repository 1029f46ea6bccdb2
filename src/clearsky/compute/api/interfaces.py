"""A server's ports: list, attach, detach; its security groups."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute import attaching, store
from clearsky.compute.api import security_groups
from clearsky.compute.api.actions import ACTION, unlocked
from clearsky.compute.api.parts import server
from clearsky.compute.schema import servers as schema
from clearsky.compute.schema.servers import action, holding
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import service as network
from clearsky.network.service import PortInfo, PortRequest

routes = Routes()
_INTERFACES = "/v2.1/servers/{server_id}/os-interface"
_STATES = ("active", "paused", "stopped")


def _port(call: Call, row: Any, port: PortInfo) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac,
        "port_state": "ACTIVE" if port.up else "DOWN",
        "fixed_ips": [{"subnet_id": a.subnet_id, "ip_address": a.ip} for a in port.addresses],
    }
    if call.version >= (2, 70):
        requests = row.plan["requests"]
        request = requests[port.index] if port.index < len(requests) else None
        shown["tag"] = request["tag"] if request else None
    return shown


@routes.get(
    _INTERFACES, rule="os_compute_api:os-attach-interfaces:list", response=holding("interfaceAttachments")
)
def list_interfaces(call: Call) -> Reply:
    """List a server's ports."""
    row = server(call)
    found = [_port(call, row, port) for port in network.ports_of_server(call.house, row.id)]
    return Reply({"interfaceAttachments": found})


@routes.get(
    _INTERFACES + "/{port_id}",
    rule="os_compute_api:os-attach-interfaces:show",
    response=holding("interfaceAttachment"),
)
def show_interface(call: Call) -> Reply:
    """Show one of a server's ports."""
    row = server(call)
    return Reply({"interfaceAttachment": _port(call, row, _one(call, row, call.params["port_id"]))})


def _one(call: Call, row: Any, port_id: str) -> PortInfo:
    for port in network.ports_of_server(call.house, row.id):
        if port.id == port_id:
            return port
    raise NotFound(f"Instance {row.id} has no port {port_id:.80}")


@routes.post(
    _INTERFACES,
    rule="os_compute_api:os-attach-interfaces:create",
    request=schema.ATTACH,
    response=holding("interfaceAttachment"),
)
def attach_interface(call: Call) -> Reply:
    """Give a server one more port; a running one has it at once."""
    asked = call.body.get("interfaceAttachment", {})
    if asked.get("port_id") and (asked.get("net_id") or asked.get("fixed_ips")):
        raise Invalid("port_id cannot be given together with net_id or fixed_ips: the port has its own")
    if asked.get("fixed_ips") and not asked.get("net_id"):
        raise Invalid("fixed_ips needs net_id: say of which network the address is")
    address = asked["fixed_ips"][0]["ip_address"] if asked.get("fixed_ips") else None
    request = PortRequest(asked.get("net_id"), asked.get("port_id"), address, asked.get("tag"))
    port = _attach(call, request, asked.get("net_id") is not None or asked.get("port_id") is not None)
    return Reply({"interfaceAttachment": _port(call, server(call), port)})


def _attach(call: Call, request: PortRequest, named: bool) -> PortInfo:
    with call.house.db.read() as c:
        row = unlocked(call, store.server(c, call.scope, call.params["server_id"]))
        store.no_conflict(row, "attach_interface", _STATES)
    plan = network.plan(call.house, call.caller, [request] if named else "auto", [])
    with call.house.db.write() as c:
        if network.promises(c, [plan.requests[0].port_id]):
            raise Invalid(
                f"Port {plan.requests[0].port_id} is promised bandwidth by its QoS policy: only a new server can claim that"
            )
        row = unlocked(call, store.server(c, call.scope, call.params["server_id"]))
        store.no_conflict(row, "attach_interface", _STATES)
        if not row.host:
            raise Conflict(f"Instance {row.id} is on no host")
        store.begin_action(c, row, "attach_interface", call.request_id, call.caller.user_id, row.project_id)
        row = attaching.ask(c, row, plan.requests[0])
    try:
        row, made = attaching.attach(call.house, row)
    except (Conflict, Invalid, NotFound):
        with call.house.db.write() as c:
            attaching.unask(c, store.server(c, None, row.id), len(row.plan["requests"]) - 1)
        raise
    return _one(call, row, made[-1])


@routes.delete(_INTERFACES + "/{port_id}", rule="os_compute_api:os-attach-interfaces:delete", status=202)
def detach_interface(call: Call) -> Reply:
    """Take a port out of a server; one that was made for it goes."""
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
    _detach(call, _one(call, row, call.params["port_id"]))
    return Reply()


def _detach(call: Call, port: PortInfo) -> None:
    with call.house.db.write() as c:
        row = unlocked(call, store.server(c, call.scope, call.params["server_id"]))
        store.no_conflict(row, "detach_interface", _STATES)
        store.begin_action(c, row, "detach_interface", call.request_id, call.caller.user_id, row.project_id)
        attaching.forget(c, row, port.index, port.id)


# -- addresses, as before there were ports ----------------------------------------------------------------------


@routes.post(
    ACTION,
    rule="os_compute_api:os-multinic:add",
    action="addFixedIp",
    status=202,
    until=(2, 43),
    request=action(
        "addFixedIp",
        {
            "type": "object",
            "properties": {"networkId": {"type": ["string", "number"]}},
            "required": ["networkId"],
            "additionalProperties": False,
        },
    ),
)
def add_fixed_ip(call: Call) -> Reply:
    """Give a server one more address on one of its networks."""
    row = server(call)
    network_id = str(call.body["addFixedIp"]["networkId"])
    for port in network.ports_of_server(call.house, unlocked(call, row).id):
        if port.network_id == network_id:
            network.add_address(call.house, port.id)
            return Reply()
    raise Invalid(f"networkId = {network_id!r:.80}: instance {row.id} has no port on such a network")


@routes.post(
    ACTION,
    rule="os_compute_api:os-multinic:remove",
    action="removeFixedIp",
    status=202,
    until=(2, 43),
    request=action(
        "removeFixedIp",
        {
            "type": "object",
            "properties": {"address": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}},
            "required": ["address"],
            "additionalProperties": False,
        },
    ),
)
def remove_fixed_ip(call: Call) -> Reply:
    """Take an address from a server."""
    row, address = server(call), call.body["removeFixedIp"]["address"]
    for port in network.ports_of_server(call.house, unlocked(call, row).id):
        if any(one.ip == address for one in port.addresses):
            kept = [{"ip_address": one.ip, "subnet_id": one.subnet_id} for one in port.addresses]
            left = [one for one in kept if one["ip_address"] != address]
            network.ask(call, "PUT", f"/v2.0/ports/{port.id}", {"port": {"fixed_ips": left}})
            return Reply()
    raise Invalid(f"address = {address}: instance {row.id} has no such address")


# -- security groups --------------------------------------------------------------------------------------------


@routes.get(
    "/v2.1/servers/{server_id}/os-security-groups",
    rule="os_compute_api:os-security-groups:list",
    response=holding("security_groups"),
)
def list_security_groups(call: Call) -> Reply:
    """List the security groups that a server's ports are in."""
    row = server(call)
    ids = {id for port in network.ports_of_server(call.house, row.id) for id in port.security_groups}
    return Reply({"security_groups": security_groups.views(call, sorted(ids))})
