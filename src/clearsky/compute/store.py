"""SQL of the Compute service. `scope` is the project that asks; None sees everything."""

from __future__ import annotations

import secrets
import time
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from clearsky.compute import tables as t
from clearsky.errors import Conflict, NotFound
from clearsky.placement import service as placement
from clearsky.work.queue import bump_host, enqueue

s = t.servers.c


def server(c: Connection, scope: str | None, id: str, *, deleted: bool = False) -> Any:
    """Return a server the project may see; raises NotFound."""
    where = [s.id == id]
    if scope is not None:
        where.append(s.project_id == scope)
    if not deleted:
        where.append(s.deleted.is_(False))
    row = c.execute(select(t.servers).where(*where)).first()
    if row is None:
        raise NotFound(f"Instance {id} could not be found.")
    return row


def change(c: Connection, id: str, values: dict[str, Any]) -> Any:
    changes = {"updated_at": time.time()} | values
    return c.execute(update(t.servers).where(s.id == id).values(**changes).returning(t.servers)).one()


def new_wish() -> str:
    """Return a text that no desired state has had: hosts say it back when they have reached it."""
    return secrets.token_hex(8)


def want(c: Connection, row: Any, values: dict[str, Any], *, request_id: str = "") -> Any:
    """Write a new desired state and wake whoever has to bring it about."""
    if request_id:
        values = values | {"request_id": request_id}
    row = change(c, row.id, {"wish": new_wish(), "observed_error": ""} | values)
    enqueue(c, "server", row.id, request_id=request_id)
    if row.host:
        bump_host(c, row.host)
    return row


def begin_action(c: Connection, row: Any, name: str, request_id: str, user_id: str, project_id: str) -> None:
    """Remember that somebody asked for something: what os-instance-actions lists."""
    now = time.time()
    values = {"request_id": request_id, "server_id": row.id, "action": name, "user_id": user_id}
    c.execute(insert(t.actions).values(project_id=project_id, started_at=now, updated_at=now, **values))


def end_action(c: Connection, row: Any, message: str | None = None) -> None:
    a = t.actions.c
    where = and_(a.server_id == row.id, a.request_id == row.request_id)
    c.execute(update(t.actions).where(where).values(updated_at=time.time(), message=message))


def flavor(c: Connection, scope: str | None, id: str) -> Any:
    """Return a flavor the project may use; raises NotFound."""
    f = t.flavors.c
    row = c.execute(select(t.flavors).where(f.id == id, allowed_flavors(scope))).first()
    if row is None:
        raise NotFound(f"Flavor {id} could not be found.")
    return row


def allowed_flavors(scope: str | None) -> ColumnElement[bool]:
    f, a = t.flavors.c, t.flavor_access.c
    if scope is None:
        return f.id.is_not(None)
    return or_(f.is_public, f.id.in_(select(a.flavor_id).where(a.project_id == scope)))


def keypair(c: Connection, user_id: str, name: str) -> Any:
    k = t.keypairs.c
    row = c.execute(select(t.keypairs).where(k.user_id == user_id, k.name == name)).first()
    if row is None:
        raise NotFound(f"Keypair {name} not found for user {user_id}")
    return row


def host(c: Connection, name: str) -> Any:
    return c.execute(select(t.hosts).where(t.hosts.c.name == name)).first()


def hosts(c: Connection) -> list[Any]:
    return list(c.execute(select(t.hosts).order_by(t.hosts.c.name)))


def forget_host(c: Connection, row: Any) -> bool:
    """Forget a host; False where servers are on it, which keep it. One that reports comes back by itself."""
    s = t.servers.c
    if c.execute(select(s.id).where(s.host == row.name, s.deleted.is_(False)).limit(1)).first():
        return False
    for table, column in ((t.aggregate_hosts, "host"), (t.host_statistics, "host"), (t.hosts, "name")):
        c.execute(delete(table).where(table.c[column] == row.name))
    placement.forget_provider(c, row.id)
    return True


def servers_by_host(c: Connection) -> dict[str, tuple[int, int, int]]:
    """Return host -> (servers, vcpus, memory in MiB) of what was placed there."""
    query = select(s.host, func.count(), func.sum(s.vcpus), func.sum(s.ram_mib)).where(
        s.deleted.is_(False), s.host.is_not(None)
    )
    return {
        row[0]: (int(row[1]), int(row[2] or 0), int(row[3] or 0)) for row in c.execute(query.group_by(s.host))
    }


def usage(c: Connection, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """Count a project's servers, or one user's: the truth that quotas are checked against."""
    query = select(func.count(), func.sum(s.vcpus), func.sum(s.ram_mib))
    query = query.where(s.project_id == project_id, s.deleted.is_(False))
    row = c.execute(query.where(s.user_id == user_id) if user_id else query).one()
    return {"instances": int(row[0]), "cores": int(row[1] or 0), "ram": int(row[2] or 0)}


def keypair_count(c: Connection, user_id: str) -> int:
    query = select(func.count()).select_from(t.keypairs).where(t.keypairs.c.user_id == user_id)
    return int(c.execute(query).scalar_one())


def group_count(c: Connection, project_id: str) -> int:
    query = select(func.count()).select_from(t.server_groups)
    return int(c.execute(query.where(t.server_groups.c.project_id == project_id)).scalar_one())


def limits(c: Connection, owners: list[str]) -> dict[str, int]:
    """Return the limits of the owners, those of later ones before those of earlier ones."""
    q = t.quotas.c
    rows = list(c.execute(select(q.project_id, q.resource, q.limit_).where(q.project_id.in_(owners))))
    rows.sort(key=lambda row: owners.index(row.project_id))
    return {row.resource: int(row.limit_) for row in rows}


def no_conflict(row: Any, action: str, states: tuple[str, ...]) -> None:
    """Raise Conflict where the server is not in one of the states, or something else is being done to it."""
    if row.vm_state not in states:
        raise Conflict(f"Cannot '{action}' instance {row.id} while it is in vm_state {row.vm_state}")
    if row.task_state is not None:
        raise Conflict(f"Cannot '{action}' instance {row.id} while it is in task_state {row.task_state}")
