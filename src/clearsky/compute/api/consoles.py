"""What a server shows: its serial console's log, and its screen."""

from __future__ import annotations

from pathlib import Path

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute import service, store
from clearsky.compute.api.actions import ACTION
from clearsky.compute.schema.servers import action, holding
from clearsky.errors import Conflict, Invalid, Unavailable

routes = Routes()
_CONSOLE_LOG_BYTES = 100 * 1024


@routes.post(
    ACTION, rule="os_compute_api:os-console-output", action="os-getConsoleOutput", response=holding("output"),
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
    except FileNotFoundError as error:
        if row.host != call.house.config.host and not call.house.config.cloud.simulate:
            raise Conflict(
                f"The console log of {row.id} is on host {row.host}, and is not carried to the control plane"
            ) from error
        text = ""
    except OSError as error:
        raise Unavailable(f"The console log of {row.id} cannot be read: {error.strerror}") from error
    if length is not None and int(length) >= 0:
        text = "\n".join(text.split("\n")[-int(length) :]) if int(length) else ""
    return Reply({"output": text})


def console_log(call: Call, server_id: str) -> Path:
    """Where the agent of this machine keeps a server's console log."""
    return call.house.config.state / "servers" / server_id / "console.log"


def _console(call: Call, kind: str) -> str:
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
    if row.host not in (None, call.house.config.host) and row.power == "running" and not row.console_path:
        raise Conflict(
            f"The screen of instance {row.id} is on host {row.host}, and is not carried to the control plane"
        )
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
    ACTION, rule="os_compute_api:os-remote-consoles", action="os-getVNCConsole", until=(2, 5), response=holding("console"),
    request=action("os-getVNCConsole", {"type": "object", "properties": {"type": {"enum": ["novnc"]}}, "required": ["type"]}),
)  # fmt: skip
def get_vnc_console(call: Call) -> Reply:
    """Return a short-lived URL of a server's screen, as before 2.6."""
    return Reply({"console": {"type": "novnc", "url": _console(call, call.body["os-getVNCConsole"]["type"])}})
