"""Compute services: one for each host; enabled, disabled, forced down, forgotten."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import observed, scheduling, store
from clearsky.compute import tables as t
from clearsky.compute.api.render import iso
from clearsky.compute.schema.servers import holding
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.placement import service as placement

routes = Routes()
BINARY = "nova-compute"
_REASON = {"type": "string", "minLength": 1, "maxLength": 255}
_UPDATE = Schema(
    {
        "type": "object",
        "properties": {
            "status": {"enum": ["enabled", "disabled"]},
            "disabled_reason": _REASON,
            "forced_down": {"type": "boolean"},
        },
        "additionalProperties": False,
    }
)
_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
_NAMED = {"host": _NAME, "binary": _NAME}


def _named(**more: Any) -> Schema:
    properties = _NAMED | more
    return Schema(
        {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    )


def number(host: Any) -> int:
    """Return the number that stood for a host's id before 2.53: the first digits of what it is today."""
    return int(host.id[:7], 16)


def _service(call: Call, host: Any, zones: dict[str, str]) -> dict[str, Any]:
    shown = {
        "id": host.id if call.version >= (2, 53) else number(host),
        "binary": BINARY,
        "host": host.name,
        "zone": zones.get(host.name, scheduling.ZONE),
        "status": "enabled" if host.enabled else "disabled",
        "state": "up" if scheduling.is_up(host, time.time()) else "down",
        "updated_at": iso(host.seen_at, fraction=True),
        "disabled_reason": host.disabled_reason,
    }
    return shown | ({"forced_down": host.forced_down} if call.version >= (2, 11) else {})


@routes.get("/v2.1/os-services", rule="os_compute_api:os-services:list", response=holding("services"))
def list_services(call: Call) -> Reply:
    """List the compute services: one for each host."""
    with call.house.db.read() as c:
        zones = scheduling.zones(c)
        found = [_service(call, host, zones) for host in store.hosts(c)]
    for name in ("host", "binary"):
        if name in call.query:
            found = [one for one in found if one[name] == call.query[name]]
    return Reply({"services": found})


def change_host(c: Any, row: Any, values: dict[str, Any]) -> Any:
    """Change a host's service; Placement marks a disabled one, so that every scheduler sees it."""
    h = t.hosts
    row = c.execute(update(h).where(h.c.name == row.name).values(**values).returning(h)).one()
    placement.mark(c, row.id, observed.DISABLED, on=not row.enabled)
    return row


@routes.put(
    "/v2.1/os-services/{id}",
    rule="os_compute_api:os-services:update",
    request=_UPDATE,
    response=holding("service"),
    since=(2, 53),
)
def update_service(call: Call) -> Reply:
    """Enable, disable, or force down a host's compute service."""
    body = call.body
    if "disabled_reason" in body and body.get("status") != "disabled":
        raise Invalid("disabled_reason goes with status = disabled")
    values: dict[str, Any] = {}
    if "status" in body:
        values |= {"enabled": body["status"] == "enabled", "disabled_reason": body.get("disabled_reason")}
    if "forced_down" in body:
        values["forced_down"] = body["forced_down"]
    if not values:
        raise Invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    with call.house.db.write() as c:
        row = change_host(c, _by_id(c, call.params["id"]), values)
        return Reply({"service": _service(call, row, scheduling.zones(c))})


def _by_id(c: Any, id: str) -> Any:
    row = c.execute(select(t.hosts).where(t.hosts.c.id == id)).first()
    if row is None:
        raise NotFound(f"Service {id:.80} could not be found.")
    return row


def _by_name(call: Call, values: dict[str, Any], *shown: str) -> Reply:
    """Change the service that a body names, as before services had ids."""
    body = call.body
    with call.house.db.write() as c:
        row = store.host(c, body["host"]) if body["binary"] == BINARY else None
        if row is None:
            raise NotFound(f"Could not find binary {body['binary']:.60} on host {body['host']:.60}.")
        row = change_host(c, row, values)
        whole = _service(call, row, scheduling.zones(c)) | {"forced_down": row.forced_down}
    return Reply({"service": {name: whole[name] for name in ("host", "binary", *shown)}})


@routes.put(
    "/v2.1/os-services/enable",
    rule="os_compute_api:os-services:update",
    request=_named(),
    response=holding("service"),
    until=(2, 52),
)
def enable_service(call: Call) -> Reply:
    """Let a host take new servers."""
    return _by_name(call, {"enabled": True, "disabled_reason": None}, "status")


@routes.put(
    "/v2.1/os-services/disable",
    rule="os_compute_api:os-services:update",
    request=_named(),
    response=holding("service"),
    until=(2, 52),
)
def disable_service(call: Call) -> Reply:
    """Let a host take no new servers."""
    return _by_name(call, {"enabled": False, "disabled_reason": None}, "status")


@routes.put(
    "/v2.1/os-services/disable-log-reason",
    rule="os_compute_api:os-services:update",
    request=_named(disabled_reason=_REASON),
    response=holding("service"),
    until=(2, 52),
)
def disable_service_for_a_reason(call: Call) -> Reply:
    """Let a host take no new servers, and say why."""
    values = {"enabled": False, "disabled_reason": call.body["disabled_reason"]}
    return _by_name(call, values, "status", "disabled_reason")


@routes.put(
    "/v2.1/os-services/force-down",
    rule="os_compute_api:os-services:update",
    request=_named(forced_down={"type": ["boolean", "string"]}),
    response=holding("service"),
    since=(2, 11),
    until=(2, 52),
)
def force_service_down(call: Call) -> Reply:
    """Say that a host is down, whatever it reports."""
    wanted = str(call.body["forced_down"]).lower() in ("true", "1", "yes", "on", "t", "y")
    return _by_name(call, {"forced_down": wanted}, "forced_down")


@routes.delete("/v2.1/os-services/{id}", rule="os_compute_api:os-services:delete")
def delete_service(call: Call) -> Reply:
    """Forget a host on which no server is; one that still reports comes back by itself."""
    id = call.params["id"]
    with call.house.db.write() as c:
        rows = store.hosts(c)
        found = [row for row in rows if id == (row.id if call.version >= (2, 53) else str(number(row)))]
        if not found:
            raise NotFound(f"Service {id:.80} could not be found.")
        (row,) = found[:1]
        if not store.forget_host(c, row):
            raise Conflict(f"Unable to delete compute service that is hosting instances: host {row.name}.")
    return Reply()
