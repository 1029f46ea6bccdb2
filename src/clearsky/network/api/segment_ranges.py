"""Ranges of the numbers that tell networks apart: the cloud's, and what administrators keep for projects."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid
from clearsky.network import segments, store
from clearsky.network import tables as t
from clearsky.network.api import crud, kit

routes = Routes()
_NUMBER = {"type": ["integer", "string"], "minimum": 1, "maximum": 2**32 - 1, "pattern": "^[0-9]{1,8}$"}
_UPDATE = {"minimum": _NUMBER, "maximum": _NUMBER}
_CREATE = _UPDATE | {
    "shared": kit.FLAG,
    "network_type": {"enum": list(segments.LIMITS)},
    "physical_network": {"type": ["string", "null"], "maxLength": 64},
}


def view(c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    kinds = {(row.network_type, row.physical_network) for row in rows}
    taken = {kind: segments.used(c, *kind) for kind in kinds}
    return [_one(row, taken[row.network_type, row.physical_network]) for row in rows]


def _one(row: Any, taken: dict[int, str]) -> dict[str, Any]:
    mine = range(row.minimum, row.maximum + 1)
    owner = row.project_id or None
    return kit.standard(row) | {
        "project_id": owner,
        "tenant_id": owner,
        "default": row.is_first,
        "shared": row.shared,
        "network_type": row.network_type,
        "physical_network": row.physical_network,
        "minimum": row.minimum,
        "maximum": row.maximum,
        "used": {str(number): project for number, project in sorted(taken.items()) if number in mine},
        "available": [number for number in mine if number not in taken],
    }


RANGE = kit.Resource(
    "network_segment_range", "network_segment_ranges", t.segment_ranges, view, _CREATE, _UPDATE,
    required=("network_type", "minimum", "maximum"), aliases={"default": "is_first"},
)  # fmt: skip
MOST = 100_000
"""So many numbers a range may have: each is told when it is shown."""


def _check(c: Connection, wanted: dict[str, Any], id: str = "") -> None:
    """Raise Invalid for a range that cannot be, Conflict for one that meets another."""
    kind, low, high = wanted["network_type"], wanted["minimum"], wanted["maximum"]
    first, last = segments.LIMITS[kind]
    if not first <= low <= high <= last or high - low >= MOST:
        raise Invalid(
            f"minimum = {low}, maximum = {high}: a range of {kind} is within {first} and {last}, goes up, and has at most "
            f"{MOST} numbers.",
            kind="InvalidInput",
        )
    r = t.segment_ranges.c
    physical = wanted["physical_network"]
    same = r.physical_network == physical if physical else r.physical_network.is_(None)
    query = select(r.id).where(
        r.network_type == kind,
        same,
        r.is_first.is_(False),
        r.minimum <= high,
        r.maximum >= low,
        r.id != id,
    )
    if other := c.execute(query).scalar():
        raise Conflict(
            f"Network segment range overlaps with range(s) with id {other}.",
            kind="NetworkSegmentRangeOverlaps",
        )


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    segments.ensure_first(c, call.house)
    kind, settings = body["network_type"], call.house.config.network
    physical = body.get("physical_network") or None
    if kind not in ("vlan", settings.encapsulation):
        raise Invalid(
            f"network_type = {kind!r}: this cloud has vlan and {settings.encapsulation}", kind="InvalidInput"
        )
    if (kind == "vlan") != (physical is not None) or physical not in (None, settings.provider_name):
        raise Invalid(
            f"physical_network = {physical!r}: {settings.provider_name!r} for vlan, none for others",
            kind="InvalidInput",
        )
    shared = kit.truth(body.get("shared", True))
    owner = body.get("project_id") or body.get("tenant_id")
    if not shared and not owner:
        raise Invalid("A range that is not shared needs a project_id.", kind="InvalidInput")
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    columns |= {"network_type": kind, "physical_network": physical, "shared": shared}
    columns |= {"minimum": int(body["minimum"]), "maximum": int(body["maximum"])}
    columns["project_id"] = "" if shared else owner
    _check(c, columns)
    return store.create(c, t.segment_ranges, columns)


def _update(_call: Call, c: Connection, row: Any, body: dict[str, Any]) -> dict[str, Any]:
    _not_first(row)
    wanted = {name: int(body.get(name, getattr(row, name))) for name in ("minimum", "maximum")}
    _check(c, wanted | {"network_type": row.network_type, "physical_network": row.physical_network}, row.id)
    _not_used(c, row, range(wanted["minimum"], wanted["maximum"] + 1))
    return wanted


def _delete(_call: Call, c: Connection, row: Any) -> None:
    _not_first(row)
    _not_used(c, row, range(0))


def _not_first(row: Any) -> None:
    if row.is_first:
        raise Conflict(
            f"Network Segment Range {row.id} is a default segment range which could not be updated or deleted.",
            kind="NetworkSegmentRangeDefaultReadOnly",
        )


def _not_used(c: Connection, row: Any, kept: range) -> None:
    """Raise Conflict where a network has a number of the range that would not be in it any more."""
    before = range(row.minimum, row.maximum + 1)
    for number, project_id in segments.used(c, row.network_type, row.physical_network).items():
        if number in before and number not in kept:
            raise Conflict(
                f"Network Segment Range {row.id} is referenced by one or more tenant networks: {number} is project {project_id}'s.",
                kind="NetworkSegmentRangeReferencedByProject",
            )


def _ensure(call: Call) -> None:
    with call.house.db.read() as c:
        made = segments.are_made(c)
    if not made:
        with call.house.db.write() as c:
            segments.ensure_first(c, call.house)


# Both spellings are upstream's: clients use the one, the published contract has the other.
for _path in ("network-segment-ranges", "network_segment_ranges"):
    crud.register(
        routes,
        RANGE,
        f"/v2.0/{_path}",
        "network segment range",
        create=_create,
        update=_update,
        delete=_delete,
        before=_ensure,
    )
