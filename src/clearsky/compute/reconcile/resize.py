"""Resizing a server on its host: claim both sizes, change, wait for the word, keep one."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, update

from clearsky.compute import scheduling, store
from clearsky.compute import tables as t
from clearsky.compute.reconcile.place import settled_state
from clearsky.errors import Conflict
from clearsky.placement import service as placement
from clearsky.work.reconcile import Again, Done, Outcome, Run


def claim(run: Run, row: Any) -> Outcome:
    """Claim the new size beside the old one, so that a revert always has room; then have the host change it."""
    wanted = row.resize
    try:
        with run.step("ensure_claim"), run.house.db.write() as c:
            host = store.host(c, row.host)
            new = scheduling.claims(c, row, host.id, wanted["flavor"])
            old = {host.id: scheduling.resources(row.flavor)}
            placement.claim(c, row.id, row.project_id, row.user_id, new)
            placement.claim(c, wanted["token"], row.project_id, row.user_id, old, kind="MIGRATION")
            values = {"flavor": wanted["flavor"], "task_state": "resize_migrating"}
            values |= {"vcpus": wanted["flavor"]["vcpus"], "ram_mib": wanted["flavor"]["ram_mib"]}
            store.want(c, row, values | {"resize": wanted | {"step": "resize", "old": row.flavor}})
            set_status(c, row, "migrating")
    except Conflict as error:
        return _refuse(run, row, f"No valid host was found. {error.message}")
    return Again(0.0)


def _refuse(run: Run, row: Any, reason: str) -> Outcome:
    """End a resize for which there is no room: the server stays what it was."""
    run.journal.add("fail", time.time(), 0.0, "failed", reason)
    with run.house.db.write() as c:
        set_status(c, row, "error")
        store.change(c, row.id, {"resize": None, "task_state": None, "deadline_at": None})
        store.end_action(c, row, "Error")
    return Done()


def arrived(c: Connection, row: Any) -> dict[str, Any]:
    """Return what changes about a server whose host has done the step of its resize that was wanted."""
    if not row.resize:
        return {}
    step = row.resize["step"]
    if step == "resize":
        set_status(c, row, "finished")
        return {"resize": row.resize | {"step": "verify"}}
    if step in ("confirm", "revert"):
        end(c, row, "confirmed" if step == "confirm" else "reverted")
        if step == "revert":
            wanted = scheduling.claims(c, row, store.host(c, row.host).id)
            placement.claim(c, row.id, row.project_id, row.user_id, wanted)
        return {"resize": None, "vm_state": settled_state(row)}
    return {}


def end(c: Connection, row: Any, status: str) -> None:
    """Give back what the other size had claimed."""
    if row.resize:
        placement.release(c, row.resize["token"])
        set_status(c, row, status)


def set_status(c: Connection, row: Any, status: str) -> None:
    m = t.migrations.c
    change = update(t.migrations).where(m.id == row.resize["migration_id"])
    c.execute(change.values(status=status, updated_at=time.time()))
