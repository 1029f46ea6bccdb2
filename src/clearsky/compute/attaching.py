"""Ports of a server that comes and goes after it was made."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from clearsky.compute import scheduling, store
from clearsky.house import House
from clearsky.network import service as network
from clearsky.network.service import PortRequest


def ask(c: Connection, row: Any, request: PortRequest) -> Any:
    """Write down that a server is to have one more port; returns the row."""
    plan = row.plan | {"requests": [*row.plan["requests"], asdict(request)]}
    return store.change(c, row.id, {"plan": {"made": len(row.plan["requests"])} | plan})


def ensure_ports(house: House, row: Any) -> list[str]:
    """Make or bind the ports that were asked for and are not made, and have those there are on the server's host.

    Returns the ids of the first.
    """
    with house.db.read() as c:
        claimed = scheduling.links(c, row)
    network.move_server_ports(house, row.id, row.host, claimed)
    made = row.plan.get("made", 0)
    return [
        network.ensure_server_port(
            house,
            server_id=row.id,
            index=index,
            request=PortRequest(**request),
            project_id=row.project_id,
            security_group_ids=tuple(row.plan["security_group_ids"]),
            host=row.host,
            availability_zone=row.availability_zone or scheduling.ZONE,
            hostname=row.hostname,
            claimed=claimed.get(request["port_id"]),
        )
        for index, request in enumerate(row.plan["requests"])
        if index >= made and request is not None
    ]


def attach(house: House, row: Any) -> tuple[Any, list[str]]:
    """Make the ports that a running server was given since it was made, and have the host plug them in."""
    count = len(row.plan["requests"])
    if row.plan.get("made", count) == count:
        return row, []
    made = ensure_ports(house, row)
    with house.db.write() as c:
        plan = store.server(c, None, row.id).plan | {"made": count}
        return store.want(c, row, {"plan": plan}), made


def forget(c: Connection, row: Any, index: int, port_id: str) -> Any:
    """Write down that a server is to lose a port: first the host takes it out, then it is released."""
    requests = [None if position == index else item for position, item in enumerate(row.plan["requests"])]
    values = {"plan": row.plan | {"requests": requests}, "detaching": sorted({*row.detaching, port_id})}
    return store.want(c, row, values)


def unask(c: Connection, row: Any, index: int) -> None:
    """Take back what `ask` wrote, where the port cannot be made."""
    requests = [None if position == index else item for position, item in enumerate(row.plan["requests"])]
    store.change(c, row.id, {"plan": row.plan | {"requests": requests, "made": len(requests)}})
