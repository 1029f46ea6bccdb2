"""Brings the network engine in line with the rows: all of them, at every change and every minute.

The whole picture is compared each time: one code path serves a new port, a lost transaction and a hand-edited
database alike. Changes that come while it runs are collapsed into one more run.
"""

from __future__ import annotations

import time

import structlog
from sqlalchemy import Connection, or_, select

from clearsky.network import drift, service, topology
from clearsky.network import tables as t
from clearsky.work import journal
from clearsky.work.journal import StepRecord
from clearsky.work.reconcile import Again, Outcome, Reconciler, Run

log = structlog.get_logger("network")
COMPARE_S = 60.0
SOON_S = 0.5
SEVERAL_S = 20.0
"""Where there are several hosts, it is looked so often at which of them live."""
ENOUGH = 3
"""So many chassis find out by themselves which of them live; of two, the one that is left takes itself for the lost one."""
LOST_S = 75.0
TOLD = 20
"""So many changed rows are named in the journal."""


def reconcile_network(run: Run) -> Outcome:
    """Compare everything and apply the difference."""
    with run.house.db.read() as c:
        gateways = _gateways(c) or (run.house.config.host,)
        wanted = topology.load(c, gateways, run.house.config.network.dns_servers)
    started, clock = time.time(), time.perf_counter()
    engine = service.driver(run.house)
    try:
        changes = engine.apply(wanted)
    except Exception as error:
        run.journal.add("ensure_network", started, time.perf_counter() - clock, "failed", str(error))
        raise
    seconds, foreign = time.perf_counter() - clock, engine.drifted()
    own = [change for change in changes if change not in foreign]
    if own:
        run.journal.add("ensure_network", started, seconds, "ok", _told(own))
    if foreign:
        _report(run, foreign, started, seconds)
    return Again(_remember(run, gateways))


def _told(changes: list[str]) -> str:
    more = [f"{len(changes) - TOLD} more"] if len(changes) > TOLD else []
    return f"{len(changes)} changes: {'; '.join([*changes[:TOLD], *more])}"


def _report(run: Run, foreign: list[str], started: float, seconds: float) -> None:
    """Tell of what somebody else had changed: in the log, in the journal (of each port as well), and in numbers."""
    log.warning("the engine had been changed from outside; mended", rows=len(foreign), changes=_told(foreign))
    run.journal.add("repair_network", started, seconds, "ok", _told(foreign))
    with run.house.db.write() as c:
        drift.remember(c, foreign)
        for id in drift.ports_in(foreign[:TOLD]):
            told = "; ".join(change for change in foreign if id in change)
            found = StepRecord(
                run.request_id, "port", id, "repair_network", "", started, seconds, "ok", told[:2000]
            )
            journal.record(c, found)


def _gateways(c: Connection) -> tuple[str, ...]:
    """Return the hosts that may be gateways, as last seen."""
    o = t.observed.c
    rows = list(c.execute(select(o.name, o.value, o.seen_at).where(_OF_HOSTS)))
    hosts = {row.value: row.seen_at for row in rows if row.name.startswith("gateway:")}
    count = sum(row.name.startswith("chassis:") for row in rows)
    living = {host for host, seen_at in hosts.items() if time.time() - seen_at < LOST_S}
    return tuple(sorted(living if living and count < ENOUGH else hosts))


_OF_HOSTS = or_(t.observed.c.name.startswith("chassis:"), t.observed.c.name.startswith("gateway:"))


def _remember(run: Run, gateways: tuple[str, ...]) -> float:
    """Write down that the comparison was made, and what the engine says of its hosts; returns when to look again."""
    chassis = service.driver(run.house).chassis()
    rows = [{"name": f"chassis:{one.id}", "value": one.host, "seen_at": one.seen_at} for one in chassis]
    rows += [
        {"name": f"gateway:{one.id}", "value": one.host, "seen_at": one.seen_at}
        for one in chassis
        if one.gateway
    ]
    rows.append({"name": "engine", "value": "", "seen_at": time.time()})
    with run.house.db.write() as c:
        c.execute(t.observed.delete().where(or_(t.observed.c.name == "engine", _OF_HOSTS)))
        c.execute(t.observed.insert(), rows)
        changed = (_gateways(c) or (run.house.config.host,)) != gateways
    return SOON_S if changed else SEVERAL_S if len(chassis) > 1 else COMPARE_S


RECONCILERS: dict[str, Reconciler] = {"network": reconcile_network}
PERIODIC = ("network",)
