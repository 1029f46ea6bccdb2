"""Bindings of a server's port: the one in force, and those to hosts that it may move to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import store
from clearsky.network import tables as t
from clearsky.network.api import kit

routes = Routes()
_PATH = "/v2.0/ports/{id}/bindings"
_HOST = {"type": "string", "minLength": 1, "maxLength": 255}
_FIELDS = {"vnic_type": {"enum": ["normal"]}, "profile": {"type": ["object", "null"]}}
_NAMES = ("host", "status", "vif_type", "vnic_type")


def _body(properties: dict[str, Any], required: list[str]) -> Schema:
    one = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return Schema(
        {
            "type": "object",
            "properties": {"binding": one},
            "required": ["binding"],
            "additionalProperties": False,
        }
    )


_SHOWN = Schema({"type": "object", "properties": {"binding": {"type": "object"}}, "required": ["binding"]})
_LISTED = Schema({"type": "object", "properties": {"bindings": {"type": "array"}}, "required": ["bindings"]})


def _view(port: Any, host: str, vnic_type: str, profile: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        "host": host,
        "vif_type": "ovs" if host else "unbound",
        "vif_details": {"port_filter": True} if host else {},
        "vnic_type": vnic_type,
        "profile": profile,
        "status": status,
        "project_id": port.project_id,
    }


def _in_force(port: Any) -> dict[str, Any]:
    return _view(port, port.host, port.vnic_type, port.binding_profile, "ACTIVE")


def _spare(port: Any, row: Any) -> dict[str, Any]:
    return _view(port, row.host, row.vnic_type, row.profile, "INACTIVE")


def _port(c: Connection, call: Call) -> Any:
    port = store.get(c, t.ports, call.scope, call.params["id"])
    if not port.device_owner.startswith("compute:"):
        raise Invalid(
            f"Invalid port {port.id}. Operation only valid on compute ports, and it is {port.device_owner or 'nobody'!r}'s.",
            kind="BadRequest",
        )
    return port


def _is(port: Any, host: str) -> Any:
    b = t.spare_bindings.c
    return and_(b.port_id == port.id, b.host == host)


def _find(c: Connection, port: Any, host: str) -> Any:
    row = c.execute(select(t.spare_bindings).where(_is(port, host))).first()
    if row is None:
        raise NotFound(f"Binding for port {port.id} for host {host} could not be found.", kind="PortBindingNotFound")  # fmt: skip
    return row


def _check_host(c: Connection, port: Any, host: str) -> None:
    o = t.observed.c
    hosts = set(c.execute(select(o.value).where(o.name.startswith("chassis:"))).scalars())
    if host not in hosts:
        raise Conflict(
            f"Binding for port {port.id} on host {host} could not be created: networks are carried by {', '.join(sorted(hosts)) or 'no host'}.",
            kind="PortBindingError",
        )


@routes.get(_PATH, rule="get_port_binding", response=_LISTED)
def list_bindings(call: Call) -> Reply:
    """List the binding of a port that is in force and the others."""
    b = t.spare_bindings
    with call.house.db.read() as c:
        port = _port(c, call)
        query = select(b).where(b.c.port_id == port.id).order_by(b.c.host)
        found = [_in_force(port), *(_spare(port, row) for row in c.execute(query))]
    for name in _NAMES:
        if name in call.query:
            found = [one for one in found if one[name] in call.query.getlist(name)]
    if wanted := call.query.getlist("fields"):
        found = [{name: one[name] for name in wanted if name in one} for one in found]
    return Reply({"bindings": found})


@routes.get(_PATH + "/{host}", rule="get_port_binding", response=_SHOWN)
def show_binding(call: Call) -> Reply:
    """Show the binding of a port to a host."""
    with call.house.db.read() as c:
        port, host = _port(c, call), call.params["host"]
        return Reply({"binding": _in_force(port) if host == port.host else _spare(port, _find(c, port, host))})  # fmt: skip


@routes.post(
    _PATH,
    rule="create_port_binding",
    status=201,
    request=_body({"host": _HOST, "project_id": kit.PROJECT} | _FIELDS, ["host"]),
    response=_SHOWN,
)
def create_binding(call: Call) -> Reply:
    """Bind a port to one host more; what is in force stays so until another is activated."""
    body = call.body["binding"]
    with call.house.db.write() as c:
        port, host = _port(c, call), body["host"]
        there = c.execute(select(t.spare_bindings.c.host).where(_is(port, host))).first()
        if there or host == port.host:
            raise Conflict(
                f"Binding for port {port.id} on host {host} already exists.", kind="PortBindingAlreadyExists"
            )
        _check_host(c, port, host)
        values = {"port_id": port.id, "host": host, "profile": body.get("profile") or {}}
        statement = insert(t.spare_bindings).values(**values).returning(t.spare_bindings)
        return Reply({"binding": _spare(port, c.execute(statement).one())})


@routes.put(_PATH + "/{host}", rule="update_port_binding", request=_body(_FIELDS, []), response=_SHOWN)
def update_binding(call: Call) -> Reply:
    """Change what a binding says beside its host."""
    body = call.body["binding"]
    with call.house.db.write() as c:
        port, host = _port(c, call), call.params["host"]
        if host == port.host:
            if "profile" in body:
                port = store.change(c, t.ports, port.id, {"binding_profile": body["profile"] or {}})
            return Reply({"binding": _in_force(port)})
        row = _find(c, port, host)
        if "profile" in body:
            statement = update(t.spare_bindings).where(_is(port, host)).values(profile=body["profile"] or {})
            row = c.execute(statement.returning(t.spare_bindings)).one()
        return Reply({"binding": _spare(port, row)})


@routes.delete(_PATH + "/{host}", rule="delete_port_binding")
def delete_binding(call: Call) -> Reply:
    """Delete a binding; without the one that is in force the port is bound to no host."""
    with call.house.db.write() as c:
        port, host = _port(c, call), call.params["host"]
        if host != port.host:
            _find(c, port, host)
            c.execute(delete(t.spare_bindings).where(_is(port, host)))
            return Reply()
        store.change(c, t.ports, port.id, {"host": "", "binding_profile": {}, "up": False})
        store.move_sub_ports(c, port.id, "")
        store.sync(c, call.request_id)
    return Reply()


@routes.put(_PATH + "/{host}/activate", rule="activate", response=_SHOWN)
def activate_binding(call: Call) -> Reply:
    """Let a port move to a host that it has a binding to; the one that was in force stays as a spare."""
    with call.house.db.write() as c:
        port, host = _port(c, call), call.params["host"]
        if host == port.host:
            raise Conflict(
                f"Binding for port {port.id} on host {host} is already active.",
                kind="PortBindingAlreadyActive",
            )
        row = _find(c, port, host)
        c.execute(delete(t.spare_bindings).where(_is(port, host)))
        if port.host:
            values = {"port_id": port.id, "host": port.host, "profile": port.binding_profile}
            c.execute(insert(t.spare_bindings).values(**values))
        port = store.change(c, t.ports, port.id, {"host": host, "binding_profile": row.profile})
        store.move_sub_ports(c, port.id, host)
        store.sync(c, call.request_id)
        return Reply({"binding": _in_force(port)})
