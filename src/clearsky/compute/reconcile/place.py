"""What the steps of a server's life share: how long they may take, how they fail, when a host has let go."""

from __future__ import annotations

import time
from typing import Any

from clearsky.compute import service, store
from clearsky.work.reconcile import Done, Outcome, Run

BUILD_S = 300.0
ACTION_S = 120.0
COPY_S = 1800.0
"""So long an action may take that copies a disk."""
LOOK_AGAIN_S = 5.0
HOST_LOST_S = 300.0
"""A server on a host that has been silent so long can be deleted without its word."""
_STATES = {"running": "active", "shutdown": "stopped", "paused": "paused", "suspended": "suspended"}


def settled_state(row: Any) -> str:
    """Return the vm_state of a server that is as it should be."""
    if row.rescue:
        return "rescued"
    if row.resize and row.resize["step"] in ("resize", "verify"):
        return "resized"
    return _STATES[row.desired]


def fail(run: Run, row: Any, reason: str) -> Outcome:
    """Put a server into ERROR, with the reason as its fault."""
    run.journal.add("fail", time.time(), 0.0, "failed", reason)
    fault = {"code": 500, "created": time.time(), "message": reason[:255], "details": reason}
    with run.house.db.write() as c:
        store.change(
            c, row.id, {"vm_state": "error", "task_state": None, "deadline_at": None, "fault": fault}
        )
        store.end_action(c, row, "Error")
    return Done()


def gone_from_host(run: Run, row: Any) -> bool:
    """Say whether the server's host has let go of it, or is lost."""
    with run.house.db.read() as c:
        host = store.host(c, row.host)
        if host is None or time.time() - host.seen_at > HOST_LOST_S:
            return True
        return row.power == "absent" and service.host_has_let_go(c, row.host)
