"""Brings the network engine in line with the rows: all of them, at every change and every minute.

The whole picture is compared each time: one code path serves a new port, a lost transaction and a hand-edited
database alike. Changes that come while it runs are collapsed into one more run.
"""

from __future__ import annotations

import time

import structlog

from clearsky.network import service, topology
from clearsky.network import tables as t
from clearsky.work.reconcile import Again, Outcome, Reconciler, Run

log = structlog.get_logger("network")
COMPARE_S = 60.0


def reconcile_network(run: Run) -> Outcome:
    """Compare everything and apply the difference."""
    with run.house.db.read() as c:
        wanted = topology.load(c, (run.house.config.host,))
    clock = time.perf_counter()
    changed = service.driver(run.house).apply(wanted)
    if changed:
        run.journal.add(
            "ensure_network", time.time(), time.perf_counter() - clock, "ok", f"{changed} rows differed"
        )
    _remember(run)
    return Again(COMPARE_S)


def _remember(run: Run) -> None:
    with run.house.db.write() as c:
        c.execute(t.observed.delete().where(t.observed.c.name == "engine"))
        c.execute(t.observed.insert().values(name="engine", value="", seen_at=time.time()))


RECONCILERS: dict[str, Reconciler] = {"network": reconcile_network}
PERIODIC = ("network",)
