"""SQL of the Network service that several resources share."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, insert, or_, select, update

from clearsky.errors import NotFound
from clearsky.network import tables as t
from clearsky.work.queue import enqueue

KINDS = {
    t.networks: ("Network", "NetworkNotFound"),
    t.subnets: ("Subnet", "SubnetNotFound"),
    t.ports: ("Port", "PortNotFound"),
    t.routers: ("Router", "RouterNotFound"),
    t.floating_ips: ("Floating IP", "FloatingIPNotFound"),
    t.security_groups: ("Security group", "SecurityGroupNotFound"),
    t.rules: ("Security group rule", "SecurityGroupRuleNotFound"),
}


def visible(table: Table, scope: str | None) -> ColumnElement[bool]:
    """The rows that a project may see; None sees everything."""
    if scope is None:
        return table.c.id.is_not(None)
    mine: ColumnElement[bool] = table.c.project_id == scope
    n = t.networks.c
    if table is t.networks:
        return or_(mine, n.shared, n.external)
    if table is t.subnets:
        return or_(mine, table.c.network_id.in_(select(n.id).where(or_(n.shared, n.project_id == scope))))
    if table is t.ports:
        return or_(mine, table.c.network_id.in_(select(n.id).where(n.project_id == scope)))
    return mine


def get(c: Connection, table: Table, scope: str | None, id: str) -> Any:
    """Return a row the project may see; raises NotFound."""
    row = c.execute(select(table).where(table.c.id == id, visible(table, scope))).first()
    if row is None:
        what, kind = KINDS[table]
        raise NotFound(f"{what} {id} could not be found.", kind=kind)
    return row


def many(c: Connection, table: Table, ids: Iterable[str | None]) -> dict[str, Any]:
    wanted = [id for id in set(ids) if id]
    if not wanted:
        return {}
    return {row.id: row for row in c.execute(select(table).where(table.c.id.in_(wanted)))}


def create(c: Connection, table: Table, values: dict[str, Any]) -> Any:
    now = time.time()
    fixed = {"id": str(uuid.uuid4()), "created_at": now, "updated_at": now}
    return c.execute(insert(table).values(**(fixed | values)).returning(table)).one()


def change(c: Connection, table: Table, id: str, values: dict[str, Any]) -> Any:
    grown = {"updated_at": time.time(), "revision_number": table.c.revision_number + 1}
    return c.execute(update(table).where(table.c.id == id).values(**(values | grown)).returning(table)).one()


def remove(c: Connection, table: Table, id: str) -> None:
    c.execute(delete(table).where(table.c.id == id))


def count(c: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return int(c.execute(select(func.count()).select_from(table).where(where)).scalar_one())


def sync(c: Connection, request_id: str = "") -> None:
    """Say that the engine has to be brought in line with the rows."""
    enqueue(c, "network", "all", request_id=request_id)


# -- addresses and groups of ports ------------------------------------------------------------------------------


def addresses_of(c: Connection, port_ids: Iterable[str]) -> dict[str, list[Any]]:
    query = (
        select(t.addresses).where(t.addresses.c.port_id.in_(list(port_ids))).order_by(t.addresses.c.position)
    )
    found: dict[str, list[Any]] = defaultdict(list)
    for row in c.execute(query):
        found[row.port_id].append(row)
    return found


def groups_of(c: Connection, port_ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in c.execute(select(t.port_groups).where(t.port_groups.c.port_id.in_(list(port_ids)))):
        found[row.port_id].append(row.security_group_id)
    return found


def set_groups(c: Connection, port_id: str, group_ids: Iterable[str]) -> None:
    c.execute(delete(t.port_groups).where(t.port_groups.c.port_id == port_id))
    if rows := [{"port_id": port_id, "security_group_id": id} for id in dict.fromkeys(group_ids)]:
        c.execute(insert(t.port_groups), rows)


def remove_port(c: Connection, id: str) -> None:
    """Remove a port with its addresses and groups; floating IPs on it are left without a port."""
    c.execute(delete(t.addresses).where(t.addresses.c.port_id == id))
    c.execute(delete(t.port_groups).where(t.port_groups.c.port_id == id))
    free = {"port_id": None, "fixed_ip_address": None, "router_id": None}
    c.execute(update(t.floating_ips).where(t.floating_ips.c.port_id == id).values(**free))
    c.execute(delete(t.ports).where(t.ports.c.id == id))


def ports_on(c: Connection, network_id: str) -> list[Any]:
    return list(c.execute(select(t.ports).where(t.ports.c.network_id == network_id)))


def subnets_on(c: Connection, network_ids: Iterable[str]) -> list[Any]:
    query = select(t.subnets).where(t.subnets.c.network_id.in_(list(network_ids)))
    return list(c.execute(query.order_by(t.subnets.c.created_at, t.subnets.c.id)))


def interfaces(c: Connection, router_id: str) -> list[Any]:
    p = t.ports.c
    return list(
        c.execute(
            select(t.ports).where(and_(p.device_id == router_id, p.device_owner.like("network:router%")))
        )
    )
