"""Floating IPs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, or_, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid
from clearsky.network import forwarding, portmaking, qos_policies, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit
from clearsky.network.model import FLOATING_IP

routes = Routes()
_UPDATE = {
    "port_id": kit.OPTIONAL_UUID,
    "fixed_ip_address": {"type": ["string", "null"], "maxLength": 64},
    "qos_policy_id": kit.OPTIONAL_UUID,
}
_CREATE = _UPDATE | {
    "floating_network_id": kit.UUID,
    "floating_ip_address": {"type": ["string", "null"], "maxLength": 64},
    "subnet_id": kit.OPTIONAL_UUID,
    "dns_name": {"type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)?$"},
    "dns_domain": kit.DOMAIN,
}  # fmt: skip


def view(c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    ports = store.many(c, t.ports, (row.port_id for row in rows))
    led = forwarding.of(c, [row.id for row in rows])
    return [_one(row, ports.get(row.port_id)) | {"port_forwardings": led.get(row.id, [])} for row in rows]


def _one(row: Any, port: Any) -> dict[str, Any]:
    details = None
    if port is not None:
        details = {
            name: getattr(port, name)
            for name in ("name", "network_id", "mac_address", "admin_state_up", "device_id", "device_owner")
        }
        details["status"] = "ACTIVE" if port.up else "DOWN"
    shown = kit.standard(row) | {
        "floating_network_id": row.floating_network_id,
        "floating_ip_address": row.floating_ip_address,
        "port_id": row.port_id,
        "fixed_ip_address": row.fixed_ip_address,
        "router_id": row.router_id,
        "status": "ACTIVE" if row.router_id else "DOWN",
        "qos_policy_id": row.qos_policy_id,
        "qos_network_policy_id": None,
        "port_details": details,
        "dns_name": row.dns_name,
        "dns_domain": row.dns_domain,
    }
    del shown["name"]
    return shown


def _with_status(values: list[str]) -> Any:
    f, wanted = t.floating_ips.c.router_id, set(values)
    return or_(
        *(f.is_not(None) if value == "ACTIVE" else f.is_(None) for value in wanted & {"ACTIVE", "DOWN"})
    )


FLOATING = kit.Resource(
    "floatingip",
    "floatingips",
    t.floating_ips,
    view,
    _CREATE,
    _UPDATE,
    required=("floating_network_id",),
    words=("description",),
    clauses={"status": _with_status},
)
_SHOWN = FLOATING.shown()


def _target(c: Connection, call: Call, row: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that tie the floating IP to a port, or free it."""
    if not body.get("port_id"):
        if body.get("fixed_ip_address"):
            raise Invalid("fixed_ip_address cannot be specified without a port_id", kind="BadRequest")
        return {"port_id": None, "fixed_ip_address": None, "router_id": None}
    port = store.get(c, t.ports, call.scope, body["port_id"])
    own = [a for a in store.addresses_of(c, [port.id]).get(port.id, []) if ":" not in a.ip_address]
    wanted = body.get("fixed_ip_address")
    if wanted:
        own = [a for a in own if a.ip_address == wanted]
    if not own:
        raise Invalid(
            f"Bad floatingip request: Port {port.id} does not have fixed ip {wanted or 'of IPv4'}.",
            kind="BadRequest",
        )
    if len(own) > 1:
        raise Invalid(
            f"Bad floatingip request: Port {port.id} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address when assigning a floating IP.",
            kind="BadRequest",
        )
    address = own[0]
    f = t.floating_ips.c
    query = select(f.floating_ip_address).where(
        f.port_id == port.id, f.fixed_ip_address == address.ip_address, f.id != row.id
    )
    if other := c.execute(query).scalar():
        raise Conflict(
            f"Cannot associate floating IP {row.floating_ip_address} with port {port.id} using fixed IP {address.ip_address}, as that fixed IP already has a floating IP on external network {row.floating_network_id}: {other}.",
            kind="FloatingIPPortAlreadyAssociated",
        )
    return {
        "port_id": port.id,
        "fixed_ip_address": address.ip_address,
        "router_id": forwarding.router_to(c, row, address.subnet_id),
    }


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    quotas.check(c, call.house, project_id, "floatingip")
    network = store.get(c, t.networks, call.scope, body["floating_network_id"])
    if not network.external:
        raise Invalid(
            f"Bad floatingip request: Network {network.id} is not a valid external network.",
            kind="BadRequest",
        )
    wanted: dict[str, str] = {}
    if body.get("floating_ip_address"):
        kit.only_admins(call, body, "floating_ip_address")
        wanted["ip_address"] = body["floating_ip_address"]
    if body.get("subnet_id"):
        wanted["subnet_id"] = body["subnet_id"]
    port = portmaking.create(
        c, call.house, network, {"project_id": "", "device_owner": FLOATING_IP, "device_id": "PENDING"},
        fixed_ips=[wanted] if wanted else None,
    )  # fmt: skip
    own = [a for a in store.addresses_of(c, [port.id]).get(port.id, []) if ":" not in a.ip_address]
    if not own:
        raise Invalid(f"Bad floatingip request: Network {network.id} has no IPv4 subnet.", kind="BadRequest")
    columns: dict[str, Any] = {
        "project_id": project_id,
        "description": body.get("description", ""),
        "floating_network_id": network.id,
        "floating_ip_address": own[0].ip_address,
        "floating_port_id": port.id,
        "qos_policy_id": qos_policies.usable(c, call, body.get("qos_policy_id"), "a floating IP"),
        "dns_name": body.get("dns_name", ""),
        "dns_domain": body.get("dns_domain", ""),
    }
    row = store.create(c, t.floating_ips, columns)
    store.change(c, t.ports, port.id, {"device_id": row.id})
    if body.get("port_id") or body.get("fixed_ip_address"):
        row = store.change(c, t.floating_ips, row.id, _target(c, call, row, body))
    return row


@routes.post(
    "/v2.0/floatingips", rule="create_floatingip", status=201, request=FLOATING.creation(), response=_SHOWN
)
def create_floating_ip(call: Call) -> Reply:
    """Create a floating IP, free or on a port."""
    return kit.create_all(FLOATING, call, lambda c, body: _create(call, c, body))


@routes.get("/v2.0/floatingips", rule="get_floatingip", response=_SHOWN)
def list_floating_ips(call: Call) -> Reply:
    """List floating IPs."""
    return kit.listed(FLOATING, call)


@routes.get("/v2.0/floatingips/{id}", rule="get_floatingip", response=_SHOWN)
def show_floating_ip(call: Call) -> Reply:
    """Show a floating IP."""
    return kit.show(FLOATING, call)


@routes.put("/v2.0/floatingips/{id}", rule="update_floatingip", request=FLOATING.changing(), response=_SHOWN)
def update_floating_ip(call: Call) -> Reply:
    """Put a floating IP on a port, or take it off."""
    body = call.body["floatingip"]
    with call.house.db.write() as c:
        row = kit.writable(c, FLOATING, call, "update", call.params["id"])
        columns: dict[str, Any] = {"description": body["description"]} if "description" in body else {}
        if "qos_policy_id" in body:
            columns["qos_policy_id"] = qos_policies.usable(c, call, body["qos_policy_id"], "a floating IP")
        if "port_id" in body or "fixed_ip_address" in body:
            if body.get("port_id"):
                forwarding.check_unused(c, row)
            target = body if "port_id" in body else body | {"port_id": row.port_id}
            columns |= _target(c, call, row, target)
        row = store.change(c, t.floating_ips, row.id, columns)
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"floatingip": shown})


@routes.delete("/v2.0/floatingips/{id}", rule="delete_floatingip")
def delete_floating_ip(call: Call) -> Reply:
    """Delete a floating IP from any state."""
    with call.house.db.write() as c:
        row = kit.writable(c, FLOATING, call, "delete", call.params["id"])
        c.execute(t.port_forwardings.delete().where(t.port_forwardings.c.floating_ip_id == row.id))
        store.remove(c, t.floating_ips, row.id)
        store.remove_port(c, row.floating_port_id)
        store.sync(c, call.request_id)
    return Reply()
