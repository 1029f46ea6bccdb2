"""Which number tells a network apart on the wire: from the ranges that its project has, else from the shared ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, insert, select

from clearsky.db.engine import lock
from clearsky.errors import Conflict
from clearsky.house import House
from clearsky.network import store
from clearsky.network import tables as t

LIMITS = {"vlan": (1, 4094), "vxlan": (1, 2**24 - 1), "geneve": (1, 2**24 - 1)}
"""Network type -> the numbers that it has."""
_FIRST = {"vlan": (1, 4094), "vxlan": (1, 4095), "geneve": (1, 16384)}
"""What a cloud begins with: as many as its networks can be."""
_MADE = "segment_ranges"


def ensure_first(c: Connection, house: House) -> None:
    """Write the ranges that a cloud begins with, once."""
    o = t.observed
    made = select(o.c.value).where(o.c.name == _MADE)
    if c.execute(made).first():
        return
    lock(c, _MADE)
    if c.execute(made).first():
        return
    c.execute(insert(o).values(name=_MADE, value="", seen_at=0.0))
    settings = house.config.network
    for kind, physical in ((settings.encapsulation, None), ("vlan", settings.provider_name)):
        low, high = _FIRST[kind]
        values = {"project_id": "", "shared": True, "is_first": True, "network_type": kind}
        values |= {"physical_network": physical, "minimum": low, "maximum": high}
        store.create(c, t.segment_ranges, values)


def are_made(c: Connection) -> bool:
    return c.execute(select(t.observed.c.name).where(t.observed.c.name == _MADE)).first() is not None


def used(c: Connection, kind: str, physical_network: str | None) -> dict[int, str]:
    """Return the numbers that networks have, with their projects."""
    n = t.networks.c
    same = n.physical_network == physical_network if physical_network else n.physical_network.is_(None)
    query = select(n.segmentation_id, n.project_id).where(n.network_type == kind, same)
    return {number: project_id for number, project_id in c.execute(query) if number is not None}


def allocate(
    c: Connection, house: House, project_id: str, kind: str, physical_network: str | None = None
) -> int:
    """Return a free number for a project's network; raises Conflict where no range has one."""
    ensure_first(c, house)
    lock(c, f"segments:{kind}:{physical_network or ''}")
    r = t.segment_ranges.c
    same = r.physical_network == physical_network if physical_network else r.physical_network.is_(None)
    ranges = list(c.execute(select(t.segment_ranges).where(r.network_type == kind, same).order_by(r.minimum)))
    mine = [one for one in ranges if not one.shared and one.project_id == project_id]
    others = [one for one in ranges if not one.shared and one.project_id != project_id]
    taken = used(c, kind, physical_network)
    for number in _numbers([*mine, *(one for one in ranges if one.shared)]):
        if number not in taken and not any(one.minimum <= number <= one.maximum for one in others):
            return number
    what = f"VLAN of {physical_network}" if physical_network else f"{kind} segment"
    raise Conflict(
        f"Unable to create the network. No {what} is left in the ranges that project {project_id} may use.",
        kind="NoNetworkAvailable",
    )


def _numbers(ranges: Iterable[Any]) -> Iterator[int]:
    for one in ranges:
        yield from range(one.minimum, one.maximum + 1)
