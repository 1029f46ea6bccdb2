"""The lease queue in the database: enqueue, lease, release.

A lease pushes `due_at` and `leased_until` back *before* the work, further at each attempt, so that a crash loop slows
down. It carries a token (a stale worker cannot release) and a generation (a change during the run makes the row due
again). A change during the run makes the row due, but not free: one run of a resource at a time. The leases of a
worker that died end when its successor starts (`end_leases`), those of one that hangs when `leased_until` comes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, Row, case, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from clearsky.db.engine import wake
from clearsky.work.tables import host_revisions, work

WORKER_TOPIC = "work"
BACKOFF_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Lease:
    kind: str
    resource_id: str
    request_id: str
    token: int
    generation: int
    attempt: int


def enqueue(
    connection: Connection, kind: str, resource_id: str, *, request_id: str = "", after_s: float = 0.0
) -> None:
    """Make the resource due, in the same transaction as the change of its desired state."""
    due_at = time.time() + after_s
    values = {"kind": kind, "resource_id": resource_id, "request_id": request_id, "due_at": due_at}
    insertion = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(work)
    statement = insertion.values(generation=1, **values)
    changes: dict[str, object] = {
        "due_at": case((work.c.due_at < due_at, work.c.due_at), else_=due_at) if after_s else due_at,
        "generation": work.c.generation + 1,
        "attempt": 0,
    }
    if request_id:
        changes["request_id"] = request_id
    connection.execute(statement.on_conflict_do_update(index_elements=["kind", "resource_id"], set_=changes))
    if not after_s:
        wake(connection, WORKER_TOPIC)


def lease(connection: Connection, kinds: list[str], lease_s: float, holder: str = "") -> Lease | None:
    """Take the row that has been due longest and is nobody's; None where there is none."""
    now = time.time()
    due = (
        select(work.c.kind, work.c.resource_id, work.c.attempt)
        .where(work.c.due_at <= now, work.c.leased_until <= now, work.c.kind.in_(kinds))
        .order_by(work.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(due).first()
    if row is None:
        return None
    until = now + lease_s + backoff_s(row.attempt)
    taken = connection.execute(
        update(work)
        .where(work.c.kind == row.kind, work.c.resource_id == row.resource_id)
        .values(
            due_at=until,
            leased_until=until,
            holder=holder,
            token=work.c.token + 1,
            attempt=work.c.attempt + 1,
        )
        .returning(work)
    ).one()
    return Lease(
        taken.kind, taken.resource_id, taken.request_id, taken.token, taken.generation, taken.attempt
    )


def backoff_s(attempt: int) -> float:
    """Return how long to wait after `attempt` failed runs."""
    return float(min(0.5 * 2.0 ** min(attempt, 10), BACKOFF_LIMIT_S))


def release(connection: Connection, lease: Lease, *, again_s: float | None, error: str = "") -> None:
    """Give the lease back: forget the row, or look again after `again_s` seconds.

    A stale token changes nothing. A newer generation keeps the row due now, whatever this run says.
    """
    mine = (
        (work.c.kind == lease.kind)
        & (work.c.resource_id == lease.resource_id)
        & (work.c.token == lease.token)
    )
    if again_s is None:
        gone = connection.execute(delete(work).where(mine, work.c.generation == lease.generation)).rowcount
        if gone:
            return
        again_s = 0.0
    now = time.time()
    connection.execute(
        update(work)
        .where(mine)
        .values(
            due_at=case((work.c.generation != lease.generation, now), else_=now + again_s),
            leased_until=0.0,
            holder="",
            error=error,
            attempt=lease.attempt if error else 0,
        )
    )


def renew(connection: Connection, lease: Lease, lease_s: float) -> bool:
    """Push a lease back whose run goes on; False where it is another's by now."""
    mine = (work.c.kind == lease.kind, work.c.resource_id == lease.resource_id, work.c.token == lease.token)
    until = time.time() + lease_s
    kept = case((work.c.generation == lease.generation, until), else_=work.c.due_at)
    values = {"due_at": kept, "leased_until": until}
    return connection.execute(update(work).where(*mine).values(**values)).rowcount == 1


def end_leases(connection: Connection, holder: str) -> int:
    """Make due what a dead worker held; returns how many rows. Its successor calls this before its first lease."""
    values = {"due_at": time.time(), "leased_until": 0.0, "holder": ""}
    return connection.execute(update(work).where(work.c.holder == holder).values(**values)).rowcount


def next_due_at(connection: Connection, kinds: list[str]) -> float | None:
    """Return when the next row falls due and is free."""
    free_at = case((work.c.leased_until > work.c.due_at, work.c.leased_until), else_=work.c.due_at)
    due: float | None = connection.execute(select(func.min(free_at)).where(work.c.kind.in_(kinds))).scalar()
    return due


def row_of(connection: Connection, kind: str, resource_id: str) -> Row[tuple[object, ...]] | None:
    """Return the work row of a resource, for `clearsky trace` and tests."""
    return connection.execute(
        select(work).where(work.c.kind == kind, work.c.resource_id == resource_id)
    ).first()


def host_topic(host: str) -> str:
    return f"host:{host}"


def bump_host(connection: Connection, host: str) -> None:
    """Say that the desired state of `host` has changed; its agent's long poll answers after the commit."""
    changed = connection.execute(
        update(host_revisions)
        .where(host_revisions.c.host == host)
        .values(revision=host_revisions.c.revision + 1)
    ).rowcount
    if not changed:
        connection.execute(insert(host_revisions).values(host=host, revision=1))
    wake(connection, host_topic(host))


def host_revision(connection: Connection, host: str) -> int:
    """Return the revision of the host's desired state; 0 where nothing was ever wanted of it."""
    query = select(host_revisions.c.revision).where(host_revisions.c.host == host)
    return int(connection.execute(query).scalar() or 0)
