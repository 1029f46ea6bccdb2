"""Brings the network engine in line with the rows: all of them, at every change and every minute.

The whole picture is compared each time: one code path serves a new port, a lost transaction and a hand-edited
database alike. Changes that come while it runs are collapsed into one more run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog
from sqlalchemy import or_

from clearsky.network import service, topology
from clearsky.network import tables as t
from clearsky.network.model import Topology
from clearsky.work.reconcile import Again, Outcome, Reconciler, Run

log = structlog.get_logger("network")
COMPARE_S = 60.0
TOLD = 20
"""So many changed rows are named in the journal."""


@dataclass(slots=True)
class Memory:
    """What this process applied last: a difference without a change of ours in between is somebody else's."""

    applied: Topology | None = None


def reconcile_network(run: Run) -> Outcome:
    """Compare everything and apply the difference."""
    with run.house.db.read() as c:
        wanted = topology.load(c, (run.house.config.host,), run.house.config.network.dns_servers)
    memory: Memory = run.house.cache("network:applied", Memory)
    before, memory.applied = memory.applied, None
    started, clock = time.time(), time.perf_counter()
    try:
        changes = service.driver(run.house).apply(wanted)
    except Exception as error:
        run.journal.add("ensure_network", started, time.perf_counter() - clock, "failed", str(error))
        raise
    memory.applied = wanted
    if changes:
        drifted = before == wanted
        told = "; ".join([*changes[:TOLD], *([f"{len(changes) - TOLD} more"] if len(changes) > TOLD else [])])
        if drifted:
            log.warning("the engine had been changed from outside; mended", rows=len(changes), changes=told)
        step = "repair_network" if drifted else "ensure_network"
        run.journal.add(step, started, time.perf_counter() - clock, "ok", f"{len(changes)} changes: {told}")
    _remember(run)
    return Again(COMPARE_S)


def _remember(run: Run) -> None:
    """Write down that the comparison was made, and what the engine says of its hosts."""
    chassis = service.driver(run.house).chassis()
    rows = [{"name": f"chassis:{one.id}", "value": one.host, "seen_at": one.seen_at} for one in chassis]
    rows.append({"name": "engine", "value": "", "seen_at": time.time()})
    with run.house.db.write() as c:
        o = t.observed.c
        c.execute(t.observed.delete().where(or_(o.name == "engine", o.name.startswith("chassis:"))))
        c.execute(t.observed.insert(), rows)


RECONCILERS: dict[str, Reconciler] = {"network": reconcile_network}
PERIODIC = ("network",)
