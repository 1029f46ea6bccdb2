"""Host aggregates, and the availability zones that they make."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import scheduling, store
from clearsky.compute import tables as t
from clearsky.compute.api.render import iso
from clearsky.compute.schema.servers import NAME, action, holding
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.placement import service as placement

routes = Routes()
_AGGREGATES = "/v2.1/os-aggregates"
_ONE = _AGGREGATES + "/{id}"
_RULE = "os_compute_api:os-aggregates:"
_ZONE = NAME | {"type": ["string", "null"], "pattern": "^[^:]*$"}
ZONE_KEY = "availability_zone"


def _body(required: list[str]) -> Schema:
    aggregate = {
        "type": "object",
        "properties": {"name": NAME, ZONE_KEY: _ZONE},
        "additionalProperties": False,
    }
    aggregate |= {"required": required} if required else {"minProperties": 1}
    return Schema(
        {
            "type": "object",
            "properties": {"aggregate": aggregate},
            "required": ["aggregate"],
            "additionalProperties": False,
        }
    )


_HOST = {
    "type": "object",
    "properties": {"host": {"type": "string", "minLength": 1, "maxLength": 255}},
    "required": ["host"],
    "additionalProperties": False,
}
_METADATA = {
    "type": "object",
    "properties": {
        "metadata": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-zA-Z0-9-_:. ]{1,255}$"},
            "additionalProperties": {"type": ["string", "null"], "maxLength": 255},
        }
    },
    "required": ["metadata"],
    "additionalProperties": False,
}


def _view(call: Call, row: Any, hosts: list[str] | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        ZONE_KEY: row.metadata.get(ZONE_KEY),
        "created_at": iso(row.created_at, fraction=True),
        "updated_at": iso(row.updated_at, fraction=True),
        "deleted": False,
        "deleted_at": None,
    }
    if hosts is not None:
        shown |= {"hosts": hosts, "metadata": row.metadata}
    return shown | ({"uuid": row.uuid} if call.version >= (2, 41) else {})


def _members(c: Any) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in c.execute(select(t.aggregate_hosts).order_by(t.aggregate_hosts.c.host)):
        found.setdefault(row.aggregate_id, []).append(row.host)
    return found


def _aggregate(c: Any, call: Call) -> Any:
    id = call.params["id"]
    row = None
    if id.isascii() and id.isdigit() and len(id) < 10:
        row = c.execute(select(t.aggregates).where(t.aggregates.c.id == int(id))).first()
    if row is None:
        raise NotFound(f"Aggregate {id:.80} could not be found.")
    return row


def _shown(c: Any, call: Call, id: int) -> Reply:
    row = c.execute(select(t.aggregates).where(t.aggregates.c.id == id)).one()
    return Reply({"aggregate": _view(call, row, _members(c).get(id, []))})


def _change(c: Any, id: int, **values: Any) -> None:
    a = t.aggregates
    c.execute(update(a).where(a.c.id == id).values(updated_at=time.time(), **values))


@routes.get(_AGGREGATES, rule=_RULE + "index", response=holding("aggregates"))
def list_aggregates(call: Call) -> Reply:
    """List host aggregates."""
    with call.house.db.read() as c:
        members = _members(c)
        rows = list(c.execute(select(t.aggregates).order_by(t.aggregates.c.id)))
    return Reply({"aggregates": [_view(call, row, members.get(row.id, [])) for row in rows]})


@routes.post(_AGGREGATES, rule=_RULE + "create", request=_body(["name"]), response=holding("aggregate"))
def create_aggregate(call: Call) -> Reply:
    """Create a host aggregate."""
    body = call.body["aggregate"]
    metadata = {ZONE_KEY: body[ZONE_KEY]} if body.get(ZONE_KEY) else {}
    values = {"uuid": str(uuid.uuid4()), "name": body["name"].strip(), "metadata": metadata}
    try:
        with call.house.db.write() as c:
            made = insert(t.aggregates).values(created_at=time.time(), **values).returning(t.aggregates)
            row = c.execute(made).one()
    except IntegrityError as error:
        raise Conflict(f"Aggregate {values['name']} already exists.") from error
    return Reply({"aggregate": _view(call, row, None)})


@routes.get(_ONE, rule=_RULE + "show", response=holding("aggregate"))
def show_aggregate(call: Call) -> Reply:
    """Show a host aggregate."""
    with call.house.db.read() as c:
        return _shown(c, call, _aggregate(c, call).id)


@routes.put(_ONE, rule=_RULE + "update", request=_body([]), response=holding("aggregate"))
def update_aggregate(call: Call) -> Reply:
    """Change an aggregate's name or availability zone."""
    body = call.body["aggregate"]
    try:
        with call.house.db.write() as c:
            row = _aggregate(c, call)
            values: dict[str, Any] = {"name": body["name"].strip()} if "name" in body else {}
            if ZONE_KEY in body:
                values["metadata"] = _with(c, row, {ZONE_KEY: body[ZONE_KEY]})
            _change(c, row.id, **values)
            return _shown(c, call, row.id)
    except IntegrityError as error:
        raise Conflict(f"Aggregate {body['name']} already exists.") from error


def _with(c: Any, row: Any, changes: dict[str, str | None]) -> dict[str, str]:
    """Return the metadata with some values set and others (null) removed."""
    metadata = {key: value for key, value in (row.metadata | changes).items() if value is not None}
    hosts = _members(c).get(row.id, [])
    if metadata.get(ZONE_KEY) != row.metadata.get(ZONE_KEY):
        _no_servers(c, hosts)
        _one_zone(c, row, hosts, metadata.get(ZONE_KEY))
    return metadata


def _no_servers(c: Any, hosts: list[str]) -> None:
    """Raise Conflict where hosts would change their zone under their servers."""
    s = t.servers.c
    busy = select(s.host).where(s.host.in_(hosts), s.deleted.is_(False)).limit(1)
    if host := c.execute(busy).scalar():
        raise Conflict(f"The availability zone of host {host} cannot be changed: servers are on it.")


def _one_zone(c: Any, row: Any, hosts: list[str], zone: str | None) -> None:
    """Raise Conflict where a host would be in two availability zones."""
    if zone is None:
        return
    members = _members(c)
    others = c.execute(select(t.aggregates).where(t.aggregates.c.id != row.id))
    for other in others:
        if other.metadata.get(ZONE_KEY, zone) != zone and (
            both := set(hosts) & set(members.get(other.id, []))
        ):
            raise Conflict(
                f"Host {min(both)} is in availability zone {other.metadata[ZONE_KEY]} already "
                f"(aggregate {other.name}): it cannot be in {zone} as well."
            )


@routes.delete(_ONE, rule=_RULE + "delete", status=200)
def delete_aggregate(call: Call) -> Reply:
    """Delete an aggregate that has no hosts."""
    with call.house.db.write() as c:
        row = _aggregate(c, call)
        if hosts := _members(c).get(row.id):
            raise Invalid(f"Cannot remove aggregate {row.id}: it has hosts ({', '.join(hosts[:10])})")
        c.execute(delete(t.aggregates).where(t.aggregates.c.id == row.id))
    return Reply()


@routes.post(
    _ONE + "/action",
    rule=_RULE + "add_host",
    action="add_host",
    request=action("add_host", _HOST),
    response=holding("aggregate"),
)
def add_host(call: Call) -> Reply:
    """Put a host into an aggregate."""
    name = call.body["add_host"]["host"]
    with call.house.db.write() as c:
        row, host = _aggregate(c, call), store.host(c, name)
        if host is None:
            raise NotFound(f"Compute host {name:.80} could not be found.")
        if name in _members(c).get(row.id, []):
            raise Conflict(f"Aggregate {row.id} already has host {name}.")
        zone = row.metadata.get(ZONE_KEY)
        _one_zone(c, row, [name], zone)
        if zone and zone != scheduling.zones(c).get(name, scheduling.ZONE):
            _no_servers(c, [name])
        c.execute(insert(t.aggregate_hosts).values(aggregate_id=row.id, host=name))
        placement.join_aggregate(c, host.id, row.uuid)
        _change(c, row.id)
        return _shown(c, call, row.id)


@routes.post(
    _ONE + "/action",
    rule=_RULE + "remove_host",
    action="remove_host",
    request=action("remove_host", _HOST),
    response=holding("aggregate"),
)
def remove_host(call: Call) -> Reply:
    """Take a host out of an aggregate."""
    name = call.body["remove_host"]["host"]
    with call.house.db.write() as c:
        row, m = _aggregate(c, call), t.aggregate_hosts
        if name not in _members(c).get(row.id, []):
            raise NotFound(f"Aggregate {row.id} has no host {name:.80}.")
        if row.metadata.get(ZONE_KEY):
            _no_servers(c, [name])
        c.execute(delete(m).where(m.c.aggregate_id == row.id, m.c.host == name))
        if (host := store.host(c, name)) is not None:
            placement.leave_aggregate(c, host.id, row.uuid)
        _change(c, row.id)
        return _shown(c, call, row.id)


@routes.post(
    _ONE + "/action",
    rule=_RULE + "set_metadata",
    action="set_metadata",
    request=action("set_metadata", _METADATA),
    response=holding("aggregate"),
)
def set_metadata(call: Call) -> Reply:
    """Set and remove (null) an aggregate's metadata."""
    with call.house.db.write() as c:
        row = _aggregate(c, call)
        _change(c, row.id, metadata=_with(c, row, call.body["set_metadata"]["metadata"]))
        return _shown(c, call, row.id)


# -- availability zones -----------------------------------------------------------------------------------------


def _zones(call: Call) -> dict[str, list[Any]]:
    with call.house.db.read() as c:
        named = scheduling.zones(c)
        found: dict[str, list[Any]] = {}
        for host in store.hosts(c):
            found.setdefault(named.get(host.name, scheduling.ZONE), []).append(host)
    return found or {scheduling.ZONE: []}


def _zone(name: str, hosts: list[Any], *, detail: bool) -> dict[str, Any]:
    now, members = time.time(), None
    if detail:
        members = {
            host.name: {
                "nova-compute": {
                    "active": host.enabled,
                    "available": scheduling.is_up(host, now),
                    "updated_at": iso(host.seen_at, fraction=True),
                }
            }
            for host in hosts
        }
    up = any(host.enabled and scheduling.is_up(host, now) for host in hosts)
    return {"zoneName": name, "zoneState": {"available": up}, "hosts": members}


@routes.get(
    "/v2.1/os-availability-zone", rule="os_compute_api:any_token", response=holding("availabilityZoneInfo")
)
def list_zones(call: Call) -> Reply:
    """List availability zones."""
    shown = [_zone(name, hosts, detail=False) for name, hosts in _zones(call).items()]
    return Reply({"availabilityZoneInfo": shown})


@routes.get(
    "/v2.1/os-availability-zone/detail",
    rule="os_compute_api:os-availability-zone:detail",
    response=holding("availabilityZoneInfo"),
)
def list_zones_detail(call: Call) -> Reply:
    """List availability zones with their hosts."""
    shown = [_zone(name, hosts, detail=True) for name, hosts in _zones(call).items()]
    return Reply({"availabilityZoneInfo": shown})
