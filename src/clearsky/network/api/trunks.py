"""Trunks: a port that carries others, each in a VLAN of its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import bandwidth, quotas, store, trunking
from clearsky.network import tables as t
from clearsky.network.api import crud, kit
from clearsky.network.model import SUB_PORT

routes = Routes()
_SUB_PORTS = {
    "type": "array",
    "maxItems": 1000,
    "items": {
        "type": "object",
        "properties": {
            "port_id": kit.UUID,
            "segmentation_type": {"enum": ["vlan", None]},
            "segmentation_id": {"type": ["integer", "string"], "minimum": 1, "maximum": 4094, "pattern": "^[0-9]{1,4}$"},
        },
        "required": ["port_id"],
        "additionalProperties": False,
    },
}  # fmt: skip


def view(c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    s = t.sub_ports
    children: dict[str, list[dict[str, Any]]] = {row.id: [] for row in rows}
    query = select(s).where(s.c.trunk_id.in_(list(children))).order_by(s.c.segmentation_id)
    for child in c.execute(query):
        children[child.trunk_id].append(trunking.sub_port(child))
    parents = store.many(c, t.ports, (row.port_id for row in rows))
    return [
        kit.standard(row)
        | {
            "port_id": row.port_id,
            "admin_state_up": row.admin_state_up,
            "status": "ACTIVE" if row.admin_state_up and parents[row.port_id].up else "DOWN",
            "sub_ports": children[row.id],
        }
        for row in rows
    ]


TRUNK = kit.Resource(
    "trunk", "trunks", t.trunks, view,
    {"port_id": kit.UUID, "admin_state_up": kit.FLAG, "sub_ports": _SUB_PORTS}, {"admin_state_up": kit.FLAG},
    required=("port_id",), derived=("status",),
)  # fmt: skip


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    quotas.check(c, call.house, project_id, "trunk")
    parent = store.get(c, t.ports, call.scope, body["port_id"])
    if parent.device_owner.startswith("network:"):
        raise Conflict(
            f"Port {parent.id} is in use by another resource: {parent.device_owner}.",
            kind="ParentPortInUse",
        )
    trunking.check_free(c, parent)
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    columns |= {
        "project_id": project_id,
        "port_id": parent.id,
        "admin_state_up": kit.truth(body.get("admin_state_up", True)),
    }
    row = store.create(c, t.trunks, columns)
    _add(c, call, row, parent, body.get("sub_ports") or [])
    return row


def _add(c: Connection, call: Call, row: Any, parent: Any, children: list[dict[str, Any]]) -> None:
    s = t.sub_ports
    taken = set(c.execute(select(s.c.segmentation_id).where(s.c.trunk_id == row.id)).scalars())
    for child in children:
        if "segmentation_id" not in child:
            raise Invalid(
                f"Invalid input for sub_ports. Reason: segmentation_id of port {child['port_id']} is missing.",
                kind="HTTPBadRequest",
            )
        number = int(child["segmentation_id"])
        if number in taken:
            raise Conflict(
                f"segmentation_type vlan and segmentation_id {number} already in use on trunk {row.id}.",
                kind="DuplicateSubPort",
            )
        taken.add(number)
        port = store.get(c, t.ports, call.scope, child["port_id"])
        if port.id == parent.id:
            raise Conflict(f"Port {port.id} is the trunk's own parent.", kind="ParentPortInUse")
        trunking.check_free(c, port)
        if port.device_id or port.host:
            raise Conflict(
                f"Port {port.id} is in use: by {port.device_owner} {port.device_id}.", kind="PortInUse"
            )
        if bandwidth.promises(c, [port]):
            raise Conflict(
                f"Port {port.id} is promised bandwidth by its QoS policy, which no server can claim for a sub-port.",
                kind="QosRuleNotSupported",
            )
        values = {
            "port_id": port.id,
            "trunk_id": row.id,
            "segmentation_type": "vlan",
            "segmentation_id": number,
        }
        c.execute(insert(s).values(**values))
        binding = {"device_id": row.id, "device_owner": SUB_PORT, "host": parent.host}
        store.change(c, t.ports, port.id, binding)


def _release(c: Connection, port_ids: list[str]) -> None:
    c.execute(delete(t.sub_ports).where(t.sub_ports.c.port_id.in_(port_ids)))
    for id in port_ids:
        store.change(c, t.ports, id, {"device_id": "", "device_owner": "", "host": "", "up": False})


def _update(_call: Call, _c: Connection, _row: Any, body: dict[str, Any]) -> dict[str, Any]:
    return {"admin_state_up": kit.truth(body["admin_state_up"])} if "admin_state_up" in body else {}


def _delete(_call: Call, c: Connection, row: Any) -> None:
    s = t.sub_ports.c
    _release(c, list(c.execute(select(s.port_id).where(s.trunk_id == row.id)).scalars()))


crud.register(
    routes, TRUNK, "/v2.0/trunks", "trunk", create=_create, update=_update, delete=_delete
)  # fmt: skip
_SHOWN = Schema({"type": "object", "required": ["id", "sub_ports"]})


def _body(items: dict[str, Any]) -> Schema:
    return Schema(
        {
            "type": "object",
            "properties": {"sub_ports": items},
            "required": ["sub_ports"],
            "additionalProperties": False,
        }
    )


def _changed(call: Call, change: Any) -> Reply:
    with call.house.db.write() as c:
        row = kit.writable(c, TRUNK, call, "update", call.params["id"])
        if not row.admin_state_up:
            raise Conflict(
                f"Trunk {row.id} is disabled: its sub-ports change when it is enabled.", kind="TrunkDisabled"
            )
        change(c, row, call.body["sub_ports"])
        row = store.change(c, t.trunks, row.id, {})
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply(shown)


@routes.put("/v2.0/trunks/{id}/add_subports", rule="add_subports", request=_body(_SUB_PORTS), response=_SHOWN)
def add_sub_ports(call: Call) -> Reply:
    """Let the trunk carry more ports."""

    def change(c: Connection, row: Any, children: list[dict[str, Any]]) -> None:
        _add(c, call, row, store.get(c, t.ports, None, row.port_id), children)

    return _changed(call, change)


@routes.put(
    "/v2.0/trunks/{id}/remove_subports", rule="remove_subports", request=_body(_SUB_PORTS), response=_SHOWN
)
def remove_sub_ports(call: Call) -> Reply:
    """Let the trunk carry these ports no more."""

    def change(c: Connection, row: Any, children: list[dict[str, Any]]) -> None:
        s = t.sub_ports.c
        have = set(c.execute(select(s.port_id).where(s.trunk_id == row.id)).scalars())
        wanted = [child["port_id"] for child in children]
        for id in wanted:
            if id not in have:
                raise NotFound(f"SubPort on trunk {row.id} with parent port {id} could not be found.", kind="SubPortNotFound")  # fmt: skip
        _release(c, wanted)

    return _changed(call, change)


@routes.get(
    "/v2.0/trunks/{id}/get_subports",
    rule="get_subports",
    response=Schema(
        {"type": "object", "properties": {"sub_ports": {"type": "array"}}, "required": ["sub_ports"]}
    ),
)
def list_sub_ports(call: Call) -> Reply:
    """List what a trunk carries."""
    with call.house.db.read() as c:
        row = store.get(c, t.trunks, call.scope, call.params["id"])
        return Reply({"sub_ports": view(c, [row], call)[0]["sub_ports"]})
