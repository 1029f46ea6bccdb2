"""Moves one server toward its desired state, from the top, every time.

Build: choose host and claim (one transaction), ports, hand over to the host's agent, wait until the agent sees it
run and the network engine sees its ports up. Delete: take it from the host's desired state, wait until the host has
let go (or is gone), then ports, claim, row. Every choice is written down before it is acted on.
"""

from __future__ import annotations

import time
from typing import Any

from clearsky.compute import scheduling, service, store
from clearsky.compute.scheduling import NoValidHost
from clearsky.errors import ClearskyError, Unavailable
from clearsky.network import service as network
from clearsky.network.service import PortRequest
from clearsky.placement import service as placement
from clearsky.work.queue import bump_host
from clearsky.work.reconcile import Again, Done, Outcome, Run

BUILD_S = 300.0
ACTION_S = 120.0
LOOK_AGAIN_S = 5.0
HOST_LOST_S = 300.0
"""A server on a host that has been silent so long can be deleted without its word."""
_STATES = {"running": "active", "shutdown": "stopped", "paused": "paused"}


def reconcile_server(run: Run) -> Outcome:
    """Look at one server and do what comes next."""
    with run.house.db.read() as c:
        try:
            row = store.server(c, None, run.resource_id)
        except ClearskyError:
            return Done()
    if row.to_delete:
        return _remove(run, row)
    if row.vm_state == "error" and not row.ready:
        return Done()
    if _late(row):
        return _fail(run, row, f"It was not done in time. {_waiting_for(run, row)}")
    try:
        if not row.ready:
            row = _prepare(run, row)
        return _follow(run, row)
    except NoValidHost as error:
        return _fail(run, row, str(error))
    except Unavailable:
        raise
    except ClearskyError as error:
        return _fail(run, row, error.message)


def _late(row: Any) -> bool:
    return row.deadline_at is not None and time.time() > row.deadline_at


def _prepare(run: Run, row: Any) -> Any:
    if row.host is None:
        with run.step("ensure_host"), run.house.db.write() as c:
            host = scheduling.choose(c, row)
            placement.claim(c, row.id, row.project_id, row.user_id, host.id, scheduling.resources(row))
            row = store.change(c, row.id, {"host": host.name, "task_state": "networking"})
    with run.step("ensure_ports"):
        for index, request in enumerate(row.plan["requests"]):
            network.ensure_server_port(
                run.house,
                server_id=row.id,
                index=index,
                request=PortRequest(**request),
                project_id=row.project_id,
                security_group_ids=tuple(row.plan["security_group_ids"]),
                host=row.host,
                availability_zone=row.availability_zone or scheduling.ZONE,
            )
    with run.step("ensure_desired", f"on {row.host}"), run.house.db.write() as c:
        row = store.change(c, row.id, {"ready": True, "task_state": "spawning"})
        bump_host(c, row.host)
    return row


def _follow(run: Run, row: Any) -> Outcome:
    """Compare what is wanted with what the agent has seen."""
    if row.observed_error and row.vm_state == "building":
        return _fail(run, row, f"Host {row.host} could not start it: {row.observed_error}")
    arrived = row.power == row.desired and (row.action is None or row.action[1] == row.action_done)
    if arrived and row.vm_state == "building":
        ports = network.ports_of_server(run.house, row.id)
        arrived = all(port.up for port in ports) or row.desired != "running"
    if not arrived:
        return (
            Again(LOOK_AGAIN_S) if row.task_state is not None or row.vm_state == "building" else Again(60.0)
        )
    with run.house.db.write() as c:
        now = store.server(c, None, row.id)
        if (now.desired, now.to_delete, now.action) != (row.desired, False, row.action):
            return Again(0.0)
        wanted: dict[str, Any] = {
            "vm_state": _STATES[row.desired],
            "task_state": None,
            "deadline_at": None,
            "fault": None,
            "launched_at": row.launched_at or time.time(),
        }
        changed = {name: value for name, value in wanted.items() if getattr(now, name) != value}
        if changed:
            store.change(c, row.id, changed)
            store.end_action(c, now)
    if changed:
        run.journal.add("observe_server", time.time(), 0.0, "ok", f"{row.power} on {row.host}")
    return Done()


def _waiting_for(run: Run, row: Any) -> str:
    """Say what a server that is late is waiting for."""
    if row.host is None:
        return "No host was chosen."
    down = [port.id for port in network.ports_of_server(run.house, row.id) if not port.up]
    told = [f"Host {row.host} reports it as {row.power}, wanted is {row.desired}."]
    if row.observed_error:
        told.append(f"The host says: {row.observed_error}.")
    if down:
        told.append(f"Ports that are not up: {', '.join(down)}.")
    return " ".join(told)


def _fail(run: Run, row: Any, reason: str) -> Outcome:
    run.journal.add("fail", time.time(), 0.0, "failed", reason)
    fault = {"code": 500, "created": time.time(), "message": reason[:255], "details": reason}
    with run.house.db.write() as c:
        store.change(
            c, row.id, {"vm_state": "error", "task_state": None, "deadline_at": None, "fault": fault}
        )
        store.end_action(c, row, "Error")
    return Done()


def _remove(run: Run, row: Any) -> Outcome:
    if row.host and row.ready and not _gone(run, row):
        return Again(LOOK_AGAIN_S)
    with run.step("remove_ports"):
        network.release_server_ports(run.house, row.id)
    with run.step("remove_claim"), run.house.db.write() as c:
        placement.release(c, row.id)
        now = time.time()
        gone = {
            "deleted": True,
            "terminated_at": now,
            "vm_state": "deleted",
            "task_state": None,
            "deadline_at": None,
        }
        store.change(c, row.id, gone | {"user_data": None, "public_key": None})
        store.end_action(c, row)
    return Done()


def _gone(run: Run, row: Any) -> bool:
    with run.house.db.read() as c:
        host = store.host(c, row.host)
        if host is None or time.time() - host.seen_at > HOST_LOST_S:
            return True
        return row.power == "absent" and service.host_has_let_go(c, row.host)
