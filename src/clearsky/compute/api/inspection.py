"""A look into one server: what it uses, how it is laid out, its password; and events about it from other services."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import store
from clearsky.compute import tables as t
from clearsky.compute.api.parts import server
from clearsky.compute.schema.servers import UUID, holding
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import service as network
from clearsky.work.queue import bump_host, enqueue

routes = Routes()
_ONE = "/v2.1/servers/{server_id}"

# -- diagnostics ------------------------------------------------------------------------------------------------

_OLD_NAMES = {"octets": "", "packets": "_packets", "errors": "_errors", "drop": "_drop"}


@routes.get(
    _ONE + "/diagnostics", rule="os_compute_api:os-server-diagnostics", response=Schema({"type": "object"})
)
def show_diagnostics(call: Call) -> Reply:
    """Show what a running server uses, as its hypervisor counted it a few seconds ago."""
    row = server(call)
    if row.vm_state not in ("active", "paused", "rescued", "resized"):
        raise Conflict(f"Cannot 'get_diagnostics' instance {row.id} while it is in vm_state {row.vm_state}")
    with call.house.db.read() as c:
        h = t.host_statistics
        seen = c.execute(select(h).where(h.c.host == row.host)).first()
        host = store.host(c, row.host)
    numbers = (seen.servers if seen else {}).get(row.id)
    if numbers is None:
        raise Conflict(f"Host {row.host} has not measured instance {row.id} yet: try again in some seconds")
    ports = {port.mac: port for port in network.ports_of_server(call.house, row.id)}
    prefix = call.house.config.network.device_prefix
    macs = {f"{prefix}{port.id[:11]}": mac for mac, port in ports.items()}
    if call.version < (2, 48):
        return Reply(_old(numbers))
    nics = [
        {"mac_address": macs.get(nic["device"])}
        | {
            f"{way}_{name}": nic.get(f"{way}_{name}")
            for way in ("rx", "tx")
            for name in ("octets", "errors", "drop", "packets", "rate")
        }
        for nic in numbers["nics"]
    ]
    names = ("read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count")
    return Reply(
        {
            "state": numbers["state"],
            "driver": "libvirt",
            "hypervisor": host.capacity.get("virtualization") if host else None,
            "hypervisor_os": "linux",
            "uptime": int(time.time() - row.launched_at) if row.launched_at else None,
            "config_drive": row.config_drive,
            "num_cpus": len(numbers["cpus"]),
            "num_nics": len(nics),
            "num_disks": len(numbers["disks"]),
            "cpu_details": [
                {"id": index, "time": used, "utilisation": None} for index, used in enumerate(numbers["cpus"])
            ],
            "nic_details": nics,
            "disk_details": [{name: disk.get(name) for name in names} for disk in numbers["disks"]],
            "memory_details": {
                "maximum": numbers["memory_mib"],
                "used": numbers.get("memory_used_mib"),
            },
        }
    )


def _old(numbers: dict[str, Any]) -> dict[str, int]:
    """Flatten, as before 2.48: cpu0_time, memory, vda_read, tap..._rx."""
    shown = {f"cpu{index}_time": used for index, used in enumerate(numbers["cpus"])}
    shown["memory"] = numbers["memory_mib"] * 1024
    for disk in numbers["disks"]:
        for ours, theirs in (
            ("read_bytes", "read"), ("read_requests", "read_req"),
            ("write_bytes", "write"), ("write_requests", "write_req"),
        ):  # fmt: skip
            shown[f"{disk['name']}_{theirs}"] = disk[ours]
    for nic in numbers["nics"]:
        for way in ("rx", "tx"):
            for ours, theirs in _OLD_NAMES.items():
                shown[f"{nic['device']}_{way}{theirs}"] = nic[f"{way}_{ours}"]
    return shown


@routes.get(
    _ONE + "/topology",
    rule="compute:server:topology:index",
    since=(2, 78),
    response=holding("nodes", "pagesize_kb"),
)
def show_topology(call: Call) -> Reply:
    """Show a server's NUMA nodes: servers here have no NUMA topology of their own."""
    server(call)
    return Reply({"nodes": [], "pagesize_kb": None})


# -- password ---------------------------------------------------------------------------------------------------


@routes.get(
    _ONE + "/os-server-password",
    rule="os_compute_api:os-server-password:show",
    response=holding("password"),
)
def show_password(call: Call) -> Reply:
    """Show the password that a server's guest has set, encrypted with its key; empty where it has set none."""
    return Reply({"password": server(call).password})


@routes.delete(_ONE + "/os-server-password", rule="os_compute_api:os-server-password:clear")
def clear_password(call: Call) -> Reply:
    """Forget the password, so that the guest may set another; it keeps its own."""
    with call.house.db.write() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        c.execute(update(t.servers).where(t.servers.c.id == row.id).values(password=""))
        if row.host:
            bump_host(c, row.host)
    return Reply()


# -- events -----------------------------------------------------------------------------------------------------

_EVENTS = ["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted"]


def _names(*more: str) -> dict[str, Any]:
    return {"enum": [*_EVENTS, *more]}


_EVENT = {
    "type": "object",
    "properties": {
        "server_uuid": UUID,
        "name": {
            "anyOf": [
                _names(),
                {"enum": ["volume-extended"], "since": (2, 51)},
                {"enum": ["power-update"], "since": (2, 76)},
                {"enum": ["accelerator-request-bound"], "since": (2, 82)},
                {"enum": ["volume-reimaged"], "since": (2, 93)},
            ]
        },
        "status": {"enum": ["failed", "completed", "in-progress"]},
        "tag": {"type": "string", "maxLength": 255},
    },
    "required": ["server_uuid", "name"],
    "additionalProperties": False,
}
_BODY = Schema(
    {
        "type": "object",
        "properties": {"events": {"type": "array", "items": _EVENT, "minItems": 1}},
        "required": ["events"],
        "additionalProperties": False,
    }
)


@routes.post(
    "/v2.1/os-server-external-events",
    rule="os_compute_api:os-server-external-events:create",
    request=_BODY,
    response=holding("events"),
)
def create_events(call: Call) -> Reply:
    """Take other services' word that something about a server has changed: it is looked at now."""
    shown, worst = [], 200
    with call.house.db.write() as c:
        for event in call.body["events"]:
            code, status = _note(c, call, event), event.get("status", "completed")
            worst = worst if code == 200 else 207
            shown.append(event | {"code": code, "status": "failed" if code != 200 else status})
    codes = {one["code"] for one in shown}
    if codes == {404}:
        raise NotFound("No instances found for any event")
    if codes == {400}:
        raise Invalid("events/name: none of these can be acted on here")
    return Reply({"events": shown}, worst)


def _note(c: Any, call: Call, event: dict[str, Any]) -> int:
    try:
        row = store.server(c, None, event["server_uuid"])
    except NotFound:
        return 404
    if event["name"] not in _EVENTS:
        return 400
    if row.host is None:
        return 422
    enqueue(c, "server", row.id, request_id=call.request_id)
    return 200
