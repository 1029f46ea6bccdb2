"""The step journal: who did what to which resource, when, for how long, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select

from clearsky.db import Database
from clearsky.work.tables import steps


@dataclass(frozen=True, slots=True)
class StepRecord:
    request_id: str
    kind: str
    resource_id: str
    step: str
    host: str
    started_at: float
    duration_s: float
    outcome: str
    detail: str


def record(connection: Connection, *records: StepRecord) -> None:
    """Write finished steps."""
    if records:
        connection.execute(insert(steps), [{name: getattr(r, name) for name in r.__slots__} for r in records])


class Journal:
    """Collects the steps of one run and writes them in one transaction at its end."""

    def __init__(self, kind: str, resource_id: str, request_id: str = "", host: str = "") -> None:
        self.kind, self.resource_id, self.request_id, self.host = kind, resource_id, request_id, host
        self.records: list[StepRecord] = []

    @contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """Time one step; an exception in it is recorded as its failure and goes on."""
        started, clock = time.time(), time.perf_counter()
        try:
            yield
        except BaseException as error:
            self.add(name, started, time.perf_counter() - clock, "failed", f"{detail} {error}".strip())
            raise
        self.add(name, started, time.perf_counter() - clock, "ok", detail)

    def add(self, name: str, started_at: float, duration_s: float, outcome: str, detail: str = "") -> None:
        self.records.append(
            StepRecord(
                self.request_id,
                self.kind,
                self.resource_id,
                name,
                self.host,
                started_at,
                duration_s,
                outcome,
                detail[:2000],
            )
        )

    def flush(self, connection: Connection) -> None:
        record(connection, *self.records)
        self.records.clear()


def of(db: Database, wanted: str, limit: int = 1000, kind: str = "") -> list[StepRecord]:
    """Return the steps of a resource id or a request id, oldest first; only those of one kind of work where it is given."""
    columns: list[Any] = [steps.c[name] for name in StepRecord.__slots__]
    query = select(*columns).where(or_(steps.c.resource_id == wanted, steps.c.request_id == wanted))
    if kind:
        query = query.where(steps.c.kind == kind)
    with db.read() as connection:
        rows = connection.execute(query.order_by(steps.c.started_at, steps.c.id).limit(limit)).all()
    return [StepRecord(*row) for row in rows]


def prune(db: Database, older_than_s: float) -> int:
    """Forget steps that are older than that; returns how many."""
    with db.write() as connection:
        return connection.execute(
            delete(steps).where(steps.c.started_at < time.time() - older_than_s)
        ).rowcount
