"""Moves one server toward its desired state, from the top, every time.

Build: choose host and claim (one transaction), ports, hand over to the host's agent, wait until the agent sees it
run and the network engine sees its ports up. Delete: take it from the host's desired state, wait until the host has
let go (or is gone), then ports, claim, row. Every choice is written down before it is acted on.
"""

from __future__ import annotations

import time
from typing import Any

from clearsky.compute import attaching, scheduling, service, store
from clearsky.compute.reconcile import resize, shelve, snapshot
from clearsky.compute.reconcile.place import (
    ACTION_S,
    BUILD_S,
    HOST_LOST_S,
    LOOK_AGAIN_S,
    fail,
    gone_from_host,
    settled_state,
)
from clearsky.compute.scheduling import NoValidHost
from clearsky.errors import ClearskyError, Unavailable
from clearsky.network import service as network
from clearsky.placement import service as placement
from clearsky.work.queue import bump_host
from clearsky.work.reconcile import Again, Done, Outcome, Run

__all__ = ["ACTION_S", "BUILD_S", "HOST_LOST_S", "reconcile_server", "service"]


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
    if row.deadline_at is not None and time.time() > row.deadline_at:
        return _late(run, row)
    try:
        if row.desired == "shelved":
            return shelve.follow(run, row)
        if row.resize and row.resize["step"] == "claim":
            return resize.claim(run, row)
        if not row.ready:
            row = _prepare(run, row)
        else:
            row, _ = attaching.attach(run.house, row)
            row = _release_detached(run, row)
        return _follow(run, row)
    except NoValidHost as error:
        return (shelve.stay if row.shelf else fail)(run, row, str(error))
    except Unavailable:
        raise
    except ClearskyError as error:
        return fail(run, row, error.message)


def _late(run: Run, row: Any) -> Outcome:
    reason = f"It was not done in time. {_waiting_for(run, row)}"
    return snapshot.give_up(run, row, reason) if row.snapshot else fail(run, row, reason)


def _prepare(run: Run, row: Any) -> Any:
    if row.host is None:
        with run.step("ensure_host"), run.house.db.write() as c:
            host = scheduling.choose(run.house, c, row)
            placement.claim(c, row.id, row.project_id, row.user_id, scheduling.claims(c, row, host.id))
            zone = scheduling.zones(c).get(host.name, scheduling.ZONE)
            values = {"host": host.name, "zone": zone, "task_state": "networking"}
            row = store.change(c, row.id, values)
    with run.step("ensure_ports"):
        attaching.ensure_ports(run.house, row)
    with run.step("ensure_desired", f"on {row.host}"), run.house.db.write() as c:
        plan = row.plan | {"made": len(row.plan["requests"])}
        ready = {"ready": True, "task_state": "spawning", "wish": store.new_wish(), "plan": plan}
        row = store.change(c, row.id, ready)
        bump_host(c, row.host)
    return row


def _release_detached(run: Run, row: Any) -> Any:
    """Let go of ports that are to be detached, once the host has taken them out of the server."""
    if not row.detaching or row.reached != row.wish:
        return row
    with run.step("remove_ports", ", ".join(row.detaching)):
        for port_id in row.detaching:
            network.release_server_port(run.house, row.id, port_id)
    with run.house.db.write() as c:
        now = store.server(c, None, row.id)
        left = [id for id in now.detaching if id not in row.detaching]
        if network.promises(c, row.detaching):
            wanted = scheduling.claims(c, now, store.host(c, now.host).id)
            placement.claim(c, row.id, row.project_id, row.user_id, wanted)
        row = store.change(c, row.id, {"detaching": left})
        store.end_action(c, row)
    return row


def _follow(run: Run, row: Any) -> Outcome:
    """Compare what is wanted with what the agent has seen."""
    if row.observed_error and (row.vm_state == "building" or row.task_state is not None):
        reason = f"Host {row.host} could not do it: {row.observed_error}"
        return snapshot.give_up(run, row, reason) if row.snapshot else fail(run, row, reason)
    arrived = row.power == row.desired and row.reached == row.wish
    if arrived and row.task_state == "spawning":
        ports = network.ports_of_server(run.house, row.id)
        arrived = all(port.up for port in ports) or row.desired != "running"
    if not arrived:
        return (
            Again(LOOK_AGAIN_S) if row.task_state is not None or row.vm_state == "building" else Again(60.0)
        )
    if row.snapshot:
        return snapshot.take(run, row)
    with run.house.db.write() as c:
        now = store.server(c, None, row.id)
        if (now.wish, now.to_delete) != (row.wish, False):
            return Again(0.0)
        wanted: dict[str, Any] = {
            "vm_state": settled_state(row),
            "task_state": None,
            "deadline_at": None,
            "fault": None,
            "launched_at": row.launched_at or time.time(),
        } | resize.arrived(c, row)
        changed = {name: value for name, value in wanted.items() if getattr(now, name) != value}
        if changed:
            store.change(c, row.id, changed)
            store.end_action(c, now)
            if row.resize and changed.get("resize", row.resize) is None:
                bump_host(c, row.host)
    if changed:
        run.journal.add("observe_server", time.time(), 0.0, "ok", f"{row.power} on {row.host}")
    shelve.forget_shelf(run, row)
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


def _remove(run: Run, row: Any) -> Outcome:
    if row.host and row.ready and not gone_from_host(run, row):
        return Again(LOOK_AGAIN_S)
    with run.step("remove_ports"):
        network.release_server_ports(run.house, row.id)
    snapshot.discard_of(run, row)
    with run.step("remove_claim"), run.house.db.write() as c:
        placement.release(c, row.id)
        resize.end(c, row, "confirmed")
        now = time.time()
        gone = {
            "deleted": True,
            "terminated_at": now,
            "vm_state": "deleted",
            "task_state": None,
            "deadline_at": None,
            "snapshot": None,
            "shelf": None,
            "resize": None,
        }
        store.change(c, row.id, gone | {"user_data": None, "public_key": None, "password": ""})
        store.end_action(c, row)
    return Done()
