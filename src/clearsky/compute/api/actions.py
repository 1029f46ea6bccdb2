"""Actions on servers, each a new desired state or a request with a token; and the remote console."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute import service, store
from clearsky.compute.api.servers import delete_row
from clearsky.compute.reconcile.server import ACTION_S
from clearsky.compute.schema.servers import action, holding
from clearsky.errors import Conflict, Invalid, Unavailable
from clearsky.network import service as network

routes = Routes()
_ACTION = "/v2.1/servers/{server_id}/action"
_NOTHING = {"type": ["null", "object"]}
_GROUP = {"type": "object", "properties": {"name": {"type": "string", "minLength": 1}}, "required": ["name"]}


def _change(call: Call, name: str, states: tuple[str, ...], values: dict[str, Any], task: str) -> Reply:
    with call.house.db.write() as c:
        row = _unlocked(call, store.server(c, call.scope, call.params["server_id"]))
        store.no_conflict(row, name, states)
        store.begin_action(c, row, name, call.request_id, call.caller.user_id, row.project_id)
        wanted = {"task_state": task, "deadline_at": time.time() + ACTION_S} | values
        store.want(c, row, wanted, request_id=call.request_id)
    return Reply()


def _unlocked(call: Call, row: Any) -> Any:
    if row.locked and not call.caller.is_admin:
        raise Conflict(f"Instance {row.id} is locked: unlock it first")
    return row


@routes.post(
    _ACTION,
    rule="os_compute_api:servers:start",
    action="os-start",
    status=202,
    request=action("os-start", _NOTHING),
)
def start_server(call: Call) -> Reply:
    """Start a stopped server."""
    return _change(call, "start", ("stopped",), {"desired": "running"}, "powering-on")


@routes.post(
    _ACTION,
    rule="os_compute_api:servers:stop",
    action="os-stop",
    status=202,
    request=action("os-stop", _NOTHING),
)
def stop_server(call: Call) -> Reply:
    """Shut a server down: by its power button, by force where the guest does not obey."""
    return _change(call, "stop", ("active", "error"), {"desired": "shutdown"}, "powering-off")


@routes.post(
    _ACTION, rule="os_compute_api:servers:reboot", action="reboot", status=202,
    request=action("reboot", {"type": "object", "properties": {"type": {"enum": ["SOFT", "HARD", "Soft", "Hard", "soft", "hard"]}}, "required": ["type"], "additionalProperties": False}),
)  # fmt: skip
def reboot_server(call: Call) -> Reply:
    """Reboot a server: SOFT asks the guest, HARD cuts the power."""
    hard = call.body["reboot"]["type"].upper() == "HARD"
    states = ("active", "stopped", "paused", "error") if hard else ("active",)
    values = {"desired": "running", "action": ["reboot_hard" if hard else "reboot_soft", call.request_id]}
    return _change(call, "reboot", states, values, "rebooting_hard" if hard else "rebooting")


@routes.post(
    _ACTION,
    rule="os_compute_api:os-pause-server:pause",
    action="pause",
    status=202,
    request=action("pause", _NOTHING),
)
def pause_server(call: Call) -> Reply:
    """Stop a server's CPUs, keeping its memory."""
    return _change(call, "pause", ("active",), {"desired": "paused"}, "pausing")


@routes.post(
    _ACTION,
    rule="os_compute_api:os-pause-server:unpause",
    action="unpause",
    status=202,
    request=action("unpause", _NOTHING),
)
def unpause_server(call: Call) -> Reply:
    """Let a paused server go on."""
    return _change(call, "unpause", ("paused",), {"desired": "running"}, "unpausing")


@routes.post(
    _ACTION,
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
    _ACTION,
    rule="os_compute_api:os-lock-server:unlock",
    action="unlock",
    status=202,
    request=action("unlock", _NOTHING),
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
    _ACTION,
    rule="os_compute_api:servers:delete",
    action="forceDelete",
    status=202,
    request=action("forceDelete", _NOTHING),
)
def force_delete_server(call: Call) -> Reply:
    """Delete a server at once."""
    with call.house.db.write() as c:
        delete_row(c, call, _unlocked(call, store.server(c, call.scope, call.params["server_id"])))
    return Reply()


@routes.post(
    _ACTION, rule="os_compute_api:os-admin-actions:reset_state", action="os-resetState", status=202,
    request=action("os-resetState", {"type": "object", "properties": {"state": {"enum": ["active", "error"]}}, "required": ["state"], "additionalProperties": False}),
)  # fmt: skip
def reset_state(call: Call) -> Reply:
    """Say that a server is active or in error; the next look at it tells the truth again."""
    with call.house.db.write() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        state = call.body["os-resetState"]["state"]
        store.change(c, row.id, {"vm_state": state, "task_state": None, "deadline_at": None})
    return Reply()


def _group(call: Call, name: str, *, add: bool) -> Reply:
    with call.house.db.read() as c:
        row = _unlocked(call, store.server(c, call.scope, call.params["server_id"]))
    network.change_server_groups(call.house, call.caller, row.id, call.body[name]["name"], add=add)
    return Reply()


@routes.post(
    _ACTION,
    rule="os_compute_api:os-security-groups:change",
    action="addSecurityGroup",
    status=202,
    request=action("addSecurityGroup", _GROUP),
)
def add_security_group(call: Call) -> Reply:
    """Put a server's ports into a security group."""
    return _group(call, "addSecurityGroup", add=True)


@routes.post(
    _ACTION,
    rule="os_compute_api:os-security-groups:change",
    action="removeSecurityGroup",
    status=202,
    request=action("removeSecurityGroup", _GROUP),
)
def remove_security_group(call: Call) -> Reply:
    """Take a server's ports out of a security group."""
    return _group(call, "removeSecurityGroup", add=False)


# -- consoles ---------------------------------------------------------------------------------------------------

_CONSOLE_LOG_BYTES = 100 * 1024


@routes.post(
    _ACTION, rule="os_compute_api:os-console-output", action="os-getConsoleOutput", response=holding("output"),
    request=action("os-getConsoleOutput", {"type": "object", "properties": {"length": {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]{1,9}$", "minimum": -1}}, "additionalProperties": False}),
)  # fmt: skip
def show_console_output(call: Call) -> Reply:
    """Show the end of what a server has written to its serial console."""
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
    if row.host is None or row.vm_state == "building":
        raise Conflict(f"Instance {row.id} is not ready: it is being built")
    length = call.body["os-getConsoleOutput"].get("length")
    path = console_log(call, row.id)
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _CONSOLE_LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise Unavailable(f"The console log of {row.id} cannot be read: {error.strerror}") from error
    lines = text.splitlines(keepends=True)
    if length is not None and int(length) >= 0:
        lines = lines[-int(length) :] if int(length) else []
    return Reply({"output": "".join(lines)})


def console_log(call: Call, server_id: str) -> Path:
    """Where the agent of this machine keeps a server's console log."""
    return call.house.config.state / "servers" / server_id / "console.log"


def _console(call: Call, kind: str) -> str:
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
    if row.vm_state not in ("active", "paused", "error") or not row.console_path:
        raise Conflict(f"Instance {row.id} has no console now: it is {row.vm_state}")
    if kind != "novnc":
        raise Invalid(f"console type = {kind!r:.40}: there is novnc")
    token = service.console_token(call.house, row.id)
    return f"{call.house.config.endpoint}/console/?token={token}"


@routes.post(
    "/v2.1/servers/{server_id}/remote-consoles", rule="os_compute_api:os-remote-consoles", since=(2, 6), response=holding("remote_console"),
    request=action("remote_console", {"type": "object", "properties": {"protocol": {"enum": ["vnc"]}, "type": {"enum": ["novnc"]}}, "required": ["protocol", "type"], "additionalProperties": False}),
)  # fmt: skip
def create_remote_console(call: Call) -> Reply:
    """Return a short-lived URL of a server's screen."""
    asked = call.body["remote_console"]
    return Reply(
        {
            "remote_console": {
                "protocol": asked["protocol"],
                "type": asked["type"],
                "url": _console(call, asked["type"]),
            }
        }
    )


@routes.post(
    _ACTION, rule="os_compute_api:os-remote-consoles", action="os-getVNCConsole", until=(2, 5), response=holding("console"),
    request=action("os-getVNCConsole", {"type": "object", "properties": {"type": {"enum": ["novnc"]}}, "required": ["type"]}),
)  # fmt: skip
def get_vnc_console(call: Call) -> Reply:
    """Return a short-lived URL of a server's screen, as before 2.6."""
    return Reply({"console": {"type": "novnc", "url": _console(call, call.body["os-getVNCConsole"]["type"])}})
