"""What agents report: written down where it is new, and the servers that it concerns are looked at."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from clearsky.agent.protocol import Observed, ObservedServer
from clearsky.compute import scheduling, store
from clearsky.compute import tables as t
from clearsky.house import House
from clearsky.image import service as image
from clearsky.network import service as network
from clearsky.placement import service as placement
from clearsky.placement.service import Inventory
from clearsky.work import journal, queue

s = t.servers.c
_SEEN = (
    s.id, s.host, s.request_id, s.desired, s.wish, s.vm_state, s.task_state, s.to_delete, s.power, s.action_done,
    s.console_path, s.plugged, s.observed_error, s.reached, s.snapshot_done, s.password,
)  # fmt: skip


def observe(house: House, report: Observed) -> None:
    """Take a host's report over: what changed is written, and its servers are looked at."""
    with house.db.write() as c:
        _host(c, house, report)
        seen = {server.id: server for server in report.servers}
        rows = list(c.execute(select(*_SEEN).where(s.host == report.host, s.deleted.is_(False))))
        current = int(report.revision or 0) >= queue.host_revision(c, report.host)
        if current:
            cached = {id: asdict(one) for id, one in report.cached.items()}
            image.report_cache(c, report.host, cached, fresh=bool(report.capacity))
        for row in rows:
            _server(c, row, seen.get(row.id), current=current)
        _passwords(c, report, {row.id: row for row in rows})
        requests = {row.id: row.request_id for row in rows}
        journal.record(
            c,
            *(
                journal.StepRecord(
                    requests.get(step.resource_id, ""), "server", step.resource_id, step.step, report.host,
                    step.started_at, step.duration_s, step.outcome, step.detail[:2000],
                )
                for step in report.steps
            ),
        )  # fmt: skip


def _host(c: Connection, house: House, report: Observed) -> None:
    row, now = store.host(c, report.host), time.time()
    values = {"seen_at": now, "revision": int(report.revision or 0), "version": report.version}
    if row is None:
        values |= {"name": report.host, "id": str(uuid.uuid4()), "capacity": report.capacity}
        c.execute(insert(t.hosts).values(**values))
        row = store.host(c, report.host)
    else:
        if report.capacity:
            values["capacity"] = report.capacity
        c.execute(update(t.hosts).where(t.hosts.c.name == report.host).values(**values))
    if report.capacity:
        _inventory(c, house, row, report.capacity)
        h = t.host_statistics
        c.execute(delete(h).where(h.c.host == report.host))
        c.execute(insert(h).values(host=report.host, seen_at=now, servers=report.statistics))


def _inventory(c: Connection, house: House, row: Any, capacity: dict[str, Any]) -> None:
    settings = house.config.compute
    reserved = min(settings.reserved_memory_mib, capacity["memory_mib"])
    inventories = {
        "VCPU": Inventory(
            capacity["vcpus"], allocation_ratio=settings.cpu_allocation_ratio, max_unit=capacity["vcpus"]
        ),
        "MEMORY_MB": Inventory(
            capacity["memory_mib"],
            reserved,
            max_unit=capacity["memory_mib"],
            allocation_ratio=settings.memory_allocation_ratio,
        ),
        "DISK_GB": Inventory(capacity["disk_gib"], max_unit=max(1, capacity["disk_gib"])),
    }
    traits = set(capacity.get("traits", ())) | ({DISABLED} if not row.enabled else set())
    placement.ensure_provider(c, row.id, row.name, inventories, traits)
    for name, (has, rates) in network.bandwidth_of_host(house).items():
        link = {kind: Inventory(rate, max_unit=rate) for kind, rate in rates.items()}
        placement.ensure_provider(
            c, scheduling.link_id(row.id, name), f"{row.name}:{name}", link, has, row.id
        )


DISABLED = "COMPUTE_STATUS_DISABLED"
"""Trait of a host that takes no new servers, as upstream marks it in Placement."""


def _server(c: Connection, row: Any, seen: ObservedServer | None, *, current: bool) -> None:
    """Write down what is new about a server. Not mentioned means gone: an agent reports all it has.

    `current`: the report was made against the newest desired state, so that its errors are about that.
    """
    seen = seen or ObservedServer(row.id, "absent")
    values: dict[str, Any] = {
        "power": seen.power,
        "action_done": seen.action_done,
        "console_path": seen.console_path,
        "plugged": list(seen.plugged),
        "observed_error": seen.error if current else row.observed_error,
        "reached": seen.reached,
        "snapshot_done": f"{seen.snapshot} {seen.snapshot_path}".strip(),
    }
    settled = row.task_state is None and seen.reached == row.wish
    if seen.guest_stopped and (
        (settled and row.desired == "running" and row.vm_state in ("active", "rescued", "resized"))
        or (settled and row.desired == "suspended")
    ):
        values["desired"] = "shutdown"
        values["wish"] = store.new_wish()
        queue.bump_host(c, row.host)
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    if changed:
        c.execute(update(t.servers).where(s.id == row.id).values(**changed))
    if changed or row.task_state is not None or row.vm_state == "building" or row.to_delete:
        queue.enqueue(c, "server", row.id)


def _passwords(c: Connection, report: Observed, rows: dict[str, Any]) -> None:
    """Keep what guests have set; the first one stays until the API clears it."""
    for server_id, password in report.passwords:
        row = rows.get(server_id)
        if row is not None and not row.password:
            c.execute(update(t.servers).where(s.id == server_id).values(password=password[:1024]))
            queue.bump_host(c, report.host)


def host_has_let_go(c: Connection, host_name: str) -> bool:
    """Say whether the host has reported against the newest desired state, so that what is not in it is gone."""
    row = store.host(c, host_name)
    return row is None or int(row.revision) >= queue.host_revision(c, host_name)
