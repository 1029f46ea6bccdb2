"""Trunks, as ports show them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, or_, select

from clearsky.errors import Conflict
from clearsky.network import tables as t


def details(c: Connection, ports: list[Any]) -> dict[str, dict[str, Any]]:
    """Return `trunk_details` of the ports that are trunks' parents, and nothing for the others."""
    found: dict[str, dict[str, Any]] = {port.id: {} for port in ports}
    k, s, p = t.trunks, t.sub_ports, t.ports
    query = (
        select(k.c.id, k.c.port_id.label("parent"), s, p.c.mac_address)
        .select_from(k.outerjoin(s, s.c.trunk_id == k.c.id).outerjoin(p, p.c.id == s.c.port_id))
        .where(k.c.port_id.in_(list(found)))
        .order_by(s.c.segmentation_id)
    )
    for row in c.execute(query):
        shown = found[row.parent].setdefault("trunk_details", {"trunk_id": row.id, "sub_ports": []})
        if row.segmentation_id is not None:
            shown["sub_ports"].append(sub_port(row) | {"mac_address": row.mac_address})
    return found


def sub_port(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("port_id", "segmentation_type", "segmentation_id")}


def check_free(c: Connection, port: Any) -> None:
    """Raise Conflict where the port is part of a trunk: it cannot be deleted from under it."""
    k, s = t.trunks.c, t.sub_ports.c
    query = select(k.id, k.port_id).where(
        or_(k.port_id == port.id, k.id.in_(select(s.trunk_id).where(s.port_id == port.id)))
    )
    if found := c.execute(query).first():
        if found.port_id == port.id:
            raise Conflict(
                f"Port {port.id} is currently a parent port for trunk {found.id}.",
                kind="PortInUseAsTrunkParent",
            )
        raise Conflict(
            f"Port {port.id} is currently a subport for trunk {found.id}.", kind="PortInUseAsSubPort"
        )
