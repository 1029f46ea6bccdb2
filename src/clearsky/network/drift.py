"""What is remembered of changes that somebody else made to the engine, and that were mended."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from clearsky.house import House
from clearsky.network import tables as t
from clearsky.work import queue

NAME = "drift"
TOLD = 20
"""So many of the last mended rows are kept in words."""
LATE_S = 200.0
"""A comparison is made every minute at least; after so long without one, something is wrong."""
_PORT = re.compile(r"\bport-([0-9a-f-]{36})\b")


@dataclass(frozen=True, slots=True)
class State:
    """Of the engine: how it compares with what is wanted."""

    compared_at: float | None
    error: str
    """Why the last comparison failed; empty where it did not."""
    mended: int
    """Rows that somebody else had changed, since the cloud was made."""
    mended_at: float | None
    last: tuple[str, ...]
    """What was mended then, in words."""

    @property
    def late(self) -> bool:
        return self.compared_at is None or time.time() - self.compared_at > LATE_S


def remember(c: Connection, changes: list[str]) -> None:
    """Count rows that were mended."""
    o = t.observed.c
    known = c.execute(select(o.value).where(o.name == NAME)).scalar()
    mended = json.loads(known)["mended"] if known else 0
    value = json.dumps({"mended": mended + len(changes), "last": changes[:TOLD]})
    c.execute(delete(t.observed).where(o.name == NAME))
    c.execute(insert(t.observed).values(name=NAME, value=value, seen_at=time.time()))


def ports_in(changes: Iterable[str]) -> list[str]:
    """Return the ids of the ports whose rows were mended."""
    return sorted({found[1] for change in changes if (found := _PORT.search(change))})


def state(house: House) -> State:
    """Return how the engine was last seen."""
    o = t.observed.c
    with house.db.read() as c:
        rows = {row.name: row for row in c.execute(select(t.observed).where(o.name.in_(("engine", NAME))))}
        work = queue.row_of(c, "network", "all")
    kept: dict[str, Any] = json.loads(rows[NAME].value) if NAME in rows else {"mended": 0, "last": []}
    return State(
        compared_at=rows["engine"].seen_at if "engine" in rows else None,
        error=str(work.error) if work is not None else "",
        mended=kept["mended"],
        mended_at=rows[NAME].seen_at if NAME in rows else None,
        last=tuple(kept["last"]),
    )


def gauges(house: House) -> list[tuple[str, str, float]]:
    """Return what Prometheus reads of the engine: (name, what it is, value)."""
    seen = state(house)
    return [
        ("clearsky_network_rows_mended", "Rows that somebody else had changed in the engine", seen.mended),
        ("clearsky_network_compared_seconds", "When the engine was last compared, in seconds since the epoch", seen.compared_at or 0.0),
    ]  # fmt: skip
