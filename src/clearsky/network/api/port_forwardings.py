"""Port forwardings: ports of a floating IP that lead to ports inside."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import forwarding, store
from clearsky.network import tables as t
from clearsky.network.api import kit
from clearsky.network.api.floating_ips import FLOATING

routes = Routes()
MOST = 1000
"""Ports of one range: each is an entry of a load balancer."""
_PORT = {"type": ["integer", "string", "null"]}
_FIELDS = {
    "internal_port_id": kit.UUID,
    "internal_ip_address": {"type": ["string", "null"], "maxLength": 64},
    "internal_port": _PORT,
    "internal_port_range": _PORT,
    "external_port": _PORT,
    "external_port_range": _PORT,
    "protocol": {"type": "string"},
    "description": kit.TEXT,
} | kit.OWNER
_BASE = "/v2.0/floatingips/{floatingip_id}/port_forwardings"


def _body(required: list[str]) -> Schema:
    inner = {"type": "object", "properties": _FIELDS, "required": required, "additionalProperties": False}
    return Schema(
        {
            "type": "object",
            "properties": {"port_forwarding": inner},
            "required": ["port_forwarding"],
            "additionalProperties": False,
        }
    )


_SHOWN = Schema(
    {
        "type": "object",
        "properties": {"port_forwarding": {"type": "object", "required": ["id"]}},
        "required": ["port_forwarding"],
    }
)
_LISTED = Schema(
    {
        "type": "object",
        "properties": {"port_forwardings": {"type": "array"}},
        "required": ["port_forwardings"],
    }
)


def _view(row: Any) -> dict[str, Any]:
    names = ("id", "description", "protocol", "internal_port_id", "internal_ip_address")
    return {name: getattr(row, name) for name in names} | forwarding.ports_of(row)


def _range(body: dict[str, Any], side: str, have: tuple[int, int] | None) -> tuple[int, int]:
    one, several = body.get(f"{side}_port"), body.get(f"{side}_port_range")
    if one is not None and several is not None and str(several) not in (str(one), f"{one}:{one}"):
        raise Invalid(f"{side}_port and {side}_port_range contradict each other.", kind="InvalidInput")
    text = str(several if several is not None else one)
    if one is None and several is None:
        if have is None:
            raise Invalid(f"{side}_port or {side}_port_range is missing.", kind="HTTPBadRequest")
        return have
    first, _, last = text.partition(":")
    last = last or first
    if not (first.isdigit() and last.isdigit()) or not 1 <= int(first[:6]) <= int(last[:6]) <= 65535:
        raise Invalid(
            f"{side}_port_range = {text!r:.40}: a port, or FIRST:LAST, between 1 and 65535",
            kind="InvalidInput",
        )
    if int(last) - int(first) >= MOST:
        raise Invalid(f"{side}_port_range = {text}: at most {MOST} ports at once", kind="InvalidInput")
    return int(first), int(last)


def _columns(c: Connection, call: Call, floating: Any, body: dict[str, Any], have: Any) -> dict[str, Any]:
    outside = _range(body, "external", (have.external_first, have.external_last) if have else None)
    inside = _range(body, "internal", (have.internal_first, have.internal_last) if have else None)
    if inside[0] != inside[1] and inside[1] - inside[0] != outside[1] - outside[0]:
        raise Invalid(
            f"{outside[0]}:{outside[1]} and {inside[0]}:{inside[1]}: as many ports inside as outside, or one",
            kind="InvalidInput",
        )
    protocol = body.get("protocol", have.protocol if have else "").lower()
    if protocol not in ("tcp", "udp"):
        raise Invalid(f"protocol = {protocol!r:.20}: tcp or udp", kind="InvalidInput")
    _no_overlap(c, floating, protocol, outside, have.id if have else "")
    columns = {
        "protocol": protocol,
        "external_first": outside[0],
        "external_last": outside[1],
        "internal_first": inside[0],
        "internal_last": inside[1],
        "description": body.get("description", have.description if have else ""),
    }
    if have is not None and "internal_port_id" not in body and "internal_ip_address" not in body:
        return columns
    port = store.get(c, t.ports, call.scope, body.get("internal_port_id") or have.internal_port_id)
    wanted = body.get("internal_ip_address")
    own = [a for a in store.addresses_of(c, [port.id]).get(port.id, []) if ":" not in a.ip_address]
    address = next((a for a in own if wanted in (None, a.ip_address)), None)
    if address is None:
        raise Invalid(
            f"Port {port.id} does not have the IPv4 address {wanted or 'that a forwarding needs'}.",
            kind="BadRequest",
        )
    router_id = forwarding.router_to(c, floating, address.subnet_id)
    if floating.router_id not in (None, router_id):
        raise Invalid(
            f"Floating IP {floating.id} leads through router {floating.router_id}, the port is behind {router_id}.",
            kind="BadRequest",
        )
    c.execute(update(t.floating_ips).where(t.floating_ips.c.id == floating.id).values(router_id=router_id))
    return columns | {"internal_port_id": port.id, "internal_ip_address": address.ip_address}


def _no_overlap(c: Connection, floating: Any, protocol: str, outside: tuple[int, int], id: str) -> None:
    p = t.port_forwardings.c
    query = select(t.port_forwardings).where(
        p.floating_ip_id == floating.id,
        p.protocol == protocol,
        p.id != id,
        p.external_first <= outside[1],
        p.external_last >= outside[0],
    )
    if twin := c.execute(query).first():
        raise Conflict(
            f"A duplicate port forwarding entry with same attributes already exists, conflicting values are {protocol} {twin.external_first}:{twin.external_last} of {twin.id}.",
            kind="PortForwardingPortConflict",
        )


def _floating(c: Connection, call: Call) -> Any:
    return kit.writable(c, FLOATING, call, "update", call.params["floatingip_id"])


def _get(c: Connection, call: Call, floating: Any) -> Any:
    p = t.port_forwardings.c
    query = select(t.port_forwardings).where(p.id == call.params["id"], p.floating_ip_id == floating.id)
    row = c.execute(query).first()
    if row is None:
        raise NotFound(
            f"Port Forwarding {call.params['id']} could not be found.", kind="PortForwardingNotFound"
        )
    return row


@routes.post(
    _BASE,
    rule="create_floatingip_port_forwarding",
    status=201,
    request=_body(["internal_port_id", "protocol"]),
    response=_SHOWN,
)
def create_forwarding(call: Call) -> Reply:
    """Let ports of a floating IP lead inside."""
    with call.house.db.write() as c:
        floating = _floating(c, call)
        if floating.port_id:
            raise Conflict(
                f"Floating IP {floating.id} is associated with port {floating.port_id} as a whole.",
                kind="FipAssociatedWithPort",
            )
        columns = _columns(c, call, floating, call.body["port_forwarding"], None)
        columns |= {"id": str(uuid.uuid4()), "floating_ip_id": floating.id, "created_at": time.time()}
        row = c.execute(insert(t.port_forwardings).values(**columns).returning(t.port_forwardings)).one()
        store.change(c, t.floating_ips, floating.id, {})
        store.sync(c, call.request_id)
    return Reply({"port_forwarding": _view(row)})


@routes.get(_BASE, rule="get_floatingip_port_forwarding", response=_LISTED)
def list_forwardings(call: Call) -> Reply:
    """List the forwardings of a floating IP."""
    p = t.port_forwardings.c
    with call.house.db.read() as c:
        floating = store.get(c, t.floating_ips, call.scope, call.params["floatingip_id"])
        query = select(t.port_forwardings).where(p.floating_ip_id == floating.id).order_by(p.created_at, p.id)
        found = [_view(row) for row in c.execute(query)]
    for name in ("internal_port_id", "external_port", "protocol", "internal_ip_address", "internal_port"):
        if name in call.query:
            found = [item for item in found if str(item[name]) in call.query.getlist(name)]
    return Reply({"port_forwardings": found})


@routes.get(_BASE + "/{id}", rule="get_floatingip_port_forwarding", response=_SHOWN)
def show_forwarding(call: Call) -> Reply:
    """Show a forwarding."""
    with call.house.db.read() as c:
        floating = store.get(c, t.floating_ips, call.scope, call.params["floatingip_id"])
        return Reply({"port_forwarding": _view(_get(c, call, floating))})


@routes.put(_BASE + "/{id}", rule="update_floatingip_port_forwarding", request=_body([]), response=_SHOWN)
def update_forwarding(call: Call) -> Reply:
    """Let ports lead elsewhere."""
    with call.house.db.write() as c:
        floating = _floating(c, call)
        row = _get(c, call, floating)
        columns = _columns(c, call, floating, call.body["port_forwarding"], row)
        statement = update(t.port_forwardings).where(t.port_forwardings.c.id == row.id).values(**columns)
        row = c.execute(statement.returning(t.port_forwardings)).one()
        store.change(c, t.floating_ips, floating.id, {})
        store.sync(c, call.request_id)
    return Reply({"port_forwarding": _view(row)})


@routes.delete(_BASE + "/{id}", rule="delete_floatingip_port_forwarding")
def delete_forwarding(call: Call) -> Reply:
    """Let ports lead nowhere."""
    with call.house.db.write() as c:
        floating = _floating(c, call)
        row = _get(c, call, floating)
        c.execute(delete(t.port_forwardings).where(t.port_forwardings.c.id == row.id))
        left = forwarding.of(c, [floating.id])
        store.change(c, t.floating_ips, floating.id, {} if left else {"router_id": None})
        store.sync(c, call.request_id)
    return Reply()
