"""Simple actions on servers, each a new desired state or a request with a token."""

from __future__ import annotations

import time
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute import store
from clearsky.compute.api.servers import delete_row
from clearsky.compute.reconcile.server import ACTION_S
from clearsky.compute.schema.servers import action
from clearsky.errors import Conflict, Invalid
from clearsky.network import service as network

routes = Routes()
ACTION = "/v2.1/servers/{server_id}/action"
NOTHING = {"type": ["null", "object"]}
_GROUP = {"type": "object", "properties": {"name": {"type": "string", "minLength": 1}}, "required": ["name"]}


def change(
    call: Call,
    name: str,
    states: tuple[str, ...],
    values: dict[str, Any],
    task: str | None,
    within_s: float = ACTION_S,
) -> Reply:
    """Want something else of a server that is in one of the states and has nothing else under way."""
    with call.house.db.write() as c:
        row = unlocked(call, store.server(c, call.scope, call.params["server_id"]))
        store.no_conflict(row, name, states)
        store.begin_action(c, row, name, call.request_id, call.caller.user_id, row.project_id)
        wanted = {"task_state": task, "deadline_at": time.time() + within_s} | values
        store.want(c, row, wanted, request_id=call.request_id)
    return Reply()


def unlocked(call: Call, row: Any) -> Any:
    """Return the server; raises Conflict where it is locked against its own project."""
    if row.locked and not call.caller.is_admin:
        raise Conflict(f"Instance {row.id} is locked: unlock it first")
    return row


@routes.post(
    ACTION,
    rule="os_compute_api:servers:start",
    action="os-start",
    status=202,
    request=action("os-start", NOTHING),
)
def start_server(call: Call) -> Reply:
    """Start a stopped server."""
    return change(call, "start", ("stopped",), {"desired": "running"}, "powering-on")


@routes.post(
    ACTION,
    rule="os_compute_api:servers:stop",
    action="os-stop",
    status=202,
    request=action("os-stop", NOTHING),
)
def stop_server(call: Call) -> Reply:
    """Shut a server down: by its power button, by force where the guest does not obey."""
    return change(call, "stop", ("active", "error"), {"desired": "shutdown"}, "powering-off")


@routes.post(
    ACTION, rule="os_compute_api:servers:reboot", action="reboot", status=202,
    request=action("reboot", {"type": "object", "properties": {"type": {"enum": ["SOFT", "HARD", "Soft", "Hard", "soft", "hard"]}}, "required": ["type"], "additionalProperties": False}),
)  # fmt: skip
def reboot_server(call: Call) -> Reply:
    """Reboot a server: SOFT asks the guest, HARD cuts the power."""
    hard = call.body["reboot"]["type"].upper() == "HARD"
    states = ("active", "stopped", "paused", "suspended", "error") if hard else ("active",)
    values = {"desired": "running", "action": ["reboot_hard" if hard else "reboot_soft", call.request_id]}
    return change(call, "reboot", states, values, "rebooting_hard" if hard else "rebooting")


@routes.post(
    ACTION,
    rule="os_compute_api:os-pause-server:pause",
    action="pause",
    status=202,
    request=action("pause", NOTHING),
)
def pause_server(call: Call) -> Reply:
    """Stop a server's CPUs, keeping its memory."""
    return change(call, "pause", ("active",), {"desired": "paused"}, "pausing")


@routes.post(
    ACTION,
    rule="os_compute_api:os-pause-server:unpause",
    action="unpause",
    status=202,
    request=action("unpause", NOTHING),
)
def unpause_server(call: Call) -> Reply:
    """Let a paused server go on."""
    return change(call, "unpause", ("paused",), {"desired": "running"}, "unpausing")


@routes.post(
    ACTION,
    rule="os_compute_api:os-lock-server:lock",
    action="lock",
    status=202,
    request=action(
        "lock",
        {
            "type": ["null", "object"],
            "properties": {"locked_reason": {"type": "string", "minLength": 1, "maxLength": 255}},
        },
    ),
)
def lock_server(call: Call) -> Reply:
    """Protect a server from changes by its project."""
    reason = (call.body["lock"] or {}).get("locked_reason")
    if reason and call.version < (2, 73):
        raise Invalid("lock.locked_reason is there since 2.73")
    return _lock(call, "lock", {"locked": True, "locked_reason": reason})


@routes.post(
    ACTION,
    rule="os_compute_api:os-lock-server:unlock",
    action="unlock",
    status=202,
    request=action("unlock", NOTHING),
)
def unlock_server(call: Call) -> Reply:
    """Let a server's project change it again."""
    return _lock(call, "unlock", {"locked": False, "locked_reason": None})


def _lock(call: Call, name: str, values: dict[str, Any]) -> Reply:
    with call.house.db.write() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        store.begin_action(c, row, name, call.request_id, call.caller.user_id, row.project_id)
        store.change(c, row.id, values)
    return Reply()


@routes.post(
    ACTION,
    rule="os_compute_api:servers:delete",
    action="forceDelete",
    status=202,
    request=action("forceDelete", NOTHING),
)
def force_delete_server(call: Call) -> Reply:
    """Delete a server at once."""
    with call.house.db.write() as c:
        delete_row(c, call, unlocked(call, store.server(c, call.scope, call.params["server_id"])))
    return Reply()


@routes.post(
    ACTION, rule="os_compute_api:os-admin-actions:reset_state", action="os-resetState", status=202,
    request=action("os-resetState", {"type": "object", "properties": {"state": {"enum": ["active", "error"]}}, "required": ["state"], "additionalProperties": False}),
)  # fmt: skip
def reset_state(call: Call) -> Reply:
    """Say that a server is active or in error; the next look at it tells the truth again."""
    with call.house.db.write() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        state = call.body["os-resetState"]["state"]
        store.change(c, row.id, {"vm_state": state, "task_state": None, "deadline_at": None})
    return Reply()


@routes.post(
    ACTION,
    rule="os_compute_api:os-suspend-server:suspend",
    action="suspend",
    status=202,
    request=action("suspend", NOTHING),
)
def suspend_server(call: Call) -> Reply:
    """Write a server's memory to disk and switch it off."""
    return change(call, "suspend", ("active",), {"desired": "suspended"}, "suspending")


@routes.post(
    ACTION,
    rule="os_compute_api:os-suspend-server:resume",
    action="resume",
    status=202,
    request=action("resume", NOTHING),
)
def resume_server(call: Call) -> Reply:
    """Let a suspended server go on where it was."""
    return change(call, "resume", ("suspended",), {"desired": "running"}, "resuming")


@routes.post(
    ACTION,
    rule="os_compute_api:servers:trigger_crash_dump",
    action="trigger_crash_dump",
    status=202,
    since=(2, 17),
    request=action("trigger_crash_dump", {"type": "null"}),
)
def trigger_crash_dump(call: Call) -> Reply:
    """Interrupt a server, so that its system writes a crash dump."""
    states = ("active", "rescued", "resized", "error")
    return change(call, "trigger_crash_dump", states, {"action": ["crash_dump", call.request_id]}, None)


def _group(call: Call, name: str, *, add: bool) -> Reply:
    with call.house.db.read() as c:
        row = unlocked(call, store.server(c, call.scope, call.params["server_id"]))
    network.change_server_groups(call.house, call.caller, row.id, call.body[name]["name"], add=add)
    return Reply()


@routes.post(
    ACTION,
    rule="os_compute_api:os-security-groups:change",
    action="addSecurityGroup",
    status=202,
    request=action("addSecurityGroup", _GROUP),
)
def add_security_group(call: Call) -> Reply:
    """Put a server's ports into a security group."""
    return _group(call, "addSecurityGroup", add=True)


@routes.post(
    ACTION,
    rule="os_compute_api:os-security-groups:change",
    action="removeSecurityGroup",
    status=202,
    request=action("removeSecurityGroup", _GROUP),
)
def remove_security_group(call: Call) -> Reply:
    """Take a server's ports out of a security group."""
    return _group(call, "removeSecurityGroup", add=False)
