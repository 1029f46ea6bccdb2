"""Hypervisors, and hosts as they were shown before 2.43."""

from __future__ import annotations

import time
from typing import Any

import orjson
from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import scheduling, store
from clearsky.compute import tables as t
from clearsky.compute.api.render import next_link
from clearsky.compute.api.services import change_host, number
from clearsky.compute.schema.servers import holding
from clearsky.db.paging import limit_of
from clearsky.errors import Invalid, NotFound, NotImplementedHere

routes = Routes()
_HYPERVISORS = "/v2.1/os-hypervisors"
_RULE = "os_compute_api:os-hypervisors:"
_ADDED = (
    "vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb", "local_gb_used", "free_disk_gb",
    "disk_available_least", "running_vms", "current_workload",
)  # fmt: skip


def _id(call: Call, host: Any) -> Any:
    return host.id if call.version >= (2, 53) else number(host)


def _brief(call: Call, host: Any) -> dict[str, Any]:
    return {
        "id": _id(call, host),
        "hypervisor_hostname": host.name,
        "state": "up" if scheduling.is_up(host, time.time()) else "down",
        "status": "enabled" if host.enabled else "disabled",
    }


def _full(call: Call, host: Any, placed: dict[str, tuple[int, int, int]]) -> dict[str, Any]:
    capacity, (running, vcpus, memory) = host.capacity, placed.get(host.name, (0, 0, 0))
    shown: dict[str, Any] = _brief(call, host) | {
        "hypervisor_type": capacity.get("hypervisor_type", ""),
        "hypervisor_version": capacity.get("hypervisor_version", 0),
        "host_ip": capacity.get("host_ip", ""),
        "service": {"id": _id(call, host), "host": host.name, "disabled_reason": host.disabled_reason},
    }
    if call.version >= (2, 88):
        return shown | {"uptime": _uptime(host)}
    total, free = capacity.get("memory_mib", 0), capacity.get("disk_free_gib", 0)
    about_cpu = capacity.get("cpu_info", {})
    return shown | {
        "vcpus": capacity.get("vcpus", 0),
        "vcpus_used": vcpus,
        "memory_mb": total,
        "memory_mb_used": memory,
        "free_ram_mb": total - memory,
        "local_gb": capacity.get("disk_gib", 0),
        "local_gb_used": capacity.get("disk_gib", 0) - free,
        "free_disk_gb": free,
        "disk_available_least": free,
        "running_vms": running,
        "current_workload": 0,
        "cpu_info": about_cpu if call.version >= (2, 28) else orjson.dumps(about_cpu).decode(),
    }


def _uptime(host: Any) -> str | None:
    """Return the host's words about how long it has been up; None where it does not say, or is silent."""
    text: str | None = host.capacity.get("uptime")
    return text if scheduling.is_up(host, time.time()) else None


def _chosen(call: Call, c: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the hosts that the query asks for, and the link to the next page."""
    hosts, query = store.hosts(c), call.query
    if call.version >= (2, 53) and (pattern := query.get("hypervisor_hostname_pattern")):
        if "limit" in query or "marker" in query:
            raise Invalid("Paging over hypervisors with hypervisor_hostname_pattern is not supported.")
        hosts = [host for host in hosts if pattern in host.name]
        if not hosts:
            raise NotFound(f"No hypervisor matching '{pattern:.80}' could be found.")
    if call.version < (2, 33):
        return hosts, {}
    limit = limit_of(query.get("limit"), call.house.config.api.page_limit)
    if marker := query.get("marker"):
        places = [n for n, host in enumerate(hosts) if str(_id(call, host)) == marker]
        if not places:
            raise Invalid(f"Marker {marker:.80} could not be found.")
        hosts = hosts[places[0] + 1 :]
    hosts = hosts[:limit]
    shown = [{"id": _id(call, host)} for host in hosts]
    return hosts, next_link(call, "hypervisors", shown, limit) if "limit" in query else {}


def _servers(c: Any, call: Call, hosts: list[Any], shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add each hypervisor's servers, where they are asked for."""
    if call.version < (2, 53) or call.query.get("with_servers", "").lower() not in (
        "true",
        "1",
        "yes",
        "on",
        "t",
        "y",
    ):
        return shown
    on = _servers_on(c, hosts)
    for one, host in zip(shown, hosts, strict=True):
        if host.name in on or call.version >= (2, 75):
            one["servers"] = on.get(host.name, [])
    return shown


def _servers_on(c: Any, hosts: list[Any]) -> dict[str, list[dict[str, str]]]:
    s = t.servers.c
    found: dict[str, list[dict[str, str]]] = {}
    query = select(s.id, s.host, s.name).where(
        s.host.in_([host.name for host in hosts]), s.deleted.is_(False)
    )
    for row in c.execute(query.order_by(s.created_at)):
        found.setdefault(row.host, []).append({"uuid": row.id, "name": f"instance-{row.id[:8]}"})
    return found


@routes.get(_HYPERVISORS, rule=_RULE + "list", response=holding("hypervisors"))
def list_hypervisors(call: Call) -> Reply:
    """List hypervisors by name."""
    with call.house.db.read() as c:
        hosts, more = _chosen(call, c)
        shown = _servers(c, call, hosts, [_brief(call, host) for host in hosts])
    return Reply({"hypervisors": shown} | more)


@routes.get(_HYPERVISORS + "/detail", rule=_RULE + "list-detail", response=holding("hypervisors"))
def list_hypervisors_detail(call: Call) -> Reply:
    """List hypervisors with what they have and what is used."""
    with call.house.db.read() as c:
        placed = store.servers_by_host(c)
        hosts, more = _chosen(call, c)
        shown = _servers(c, call, hosts, [_full(call, host, placed) for host in hosts])
    return Reply({"hypervisors": shown} | more)


@routes.get(
    _HYPERVISORS + "/statistics",
    rule=_RULE + "statistics",
    response=holding("hypervisor_statistics"),
    until=(2, 87),
)
def show_statistics(call: Call) -> Reply:
    """Add up all hypervisors."""
    with call.house.db.read() as c:
        placed = store.servers_by_host(c)
        found = [_full(call, host, placed) for host in store.hosts(c)]
    added = {name: sum(one[name] for one in found) for name in _ADDED}
    return Reply({"hypervisor_statistics": {"count": len(found)} | added})


def _one(c: Any, call: Call) -> Any:
    for host in store.hosts(c):
        if call.params["id"] == str(_id(call, host)):
            return host
    raise NotFound(f"Hypervisor with ID '{call.params['id']:.80}' could not be found.")


@routes.get(_HYPERVISORS + "/{id}", rule=_RULE + "show", response=holding("hypervisor"))
def show_hypervisor(call: Call) -> Reply:
    """Show one hypervisor."""
    with call.house.db.read() as c:
        host = _one(c, call)
        shown = _servers(c, call, [host], [_full(call, host, store.servers_by_host(c))])
    return Reply({"hypervisor": shown[0]})


@routes.get(
    _HYPERVISORS + "/{id}/uptime", rule=_RULE + "uptime", response=holding("hypervisor"), until=(2, 87)
)
def show_uptime(call: Call) -> Reply:
    """Show how long a hypervisor has been up."""
    with call.house.db.read() as c:
        host = _one(c, call)
    if (text := _uptime(host)) is None:
        raise Invalid(f"Compute service of {host.name} is unavailable at this time.")
    return Reply({"hypervisor": _brief(call, host) | {"uptime": text}})


def _matching(call: Call, c: Any) -> list[Any]:
    found = [host for host in store.hosts(c) if call.params["id"] in host.name]
    if not found:
        raise NotFound(f"No hypervisor matching '{call.params['id']:.80}' could be found.")
    return found


@routes.get(
    _HYPERVISORS + "/{id}/search", rule=_RULE + "search", response=holding("hypervisors"), until=(2, 52)
)
def search_hypervisors(call: Call) -> Reply:
    """List the hypervisors whose name has a text in it."""
    with call.house.db.read() as c:
        return Reply({"hypervisors": [_brief(call, host) for host in _matching(call, c)]})


@routes.get(
    _HYPERVISORS + "/{id}/servers", rule=_RULE + "servers", response=holding("hypervisors"), until=(2, 52)
)
def list_servers_of_hypervisors(call: Call) -> Reply:
    """List the hypervisors whose name has a text in it, with their servers."""
    with call.house.db.read() as c:
        hosts = _matching(call, c)
        on = _servers_on(c, hosts)
    shown = [_brief(call, host) | ({"servers": on[host.name]} if host.name in on else {}) for host in hosts]
    return Reply({"hypervisors": shown})


# -- hosts, until 2.42 ------------------------------------------------------------------------------------------


@routes.get("/v2.1/os-hosts", rule="os_compute_api:os-hosts:list", response=holding("hosts"), until=(2, 42))
def list_hosts(call: Call) -> Reply:
    """List hosts."""
    with call.house.db.read() as c:
        zones = scheduling.zones(c)
        found = [
            {"host_name": host.name, "service": "compute", "zone": zones.get(host.name, scheduling.ZONE)}
            for host in store.hosts(c)
        ]
    if call.query.get("zone"):
        found = [one for one in found if one["zone"] == call.query["zone"]]
    return Reply({"hosts": found})


_CHANGE = Schema(
    {
        "type": "object",
        "properties": {
            "status": {"enum": ["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]},
            "maintenance_mode": {
                "enum": ["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"],
            },
        },
        "minProperties": 1,
        "additionalProperties": False,
    }
)


@routes.put(
    "/v2.1/os-hosts/{name}",
    rule="os_compute_api:os-hosts:update",
    request=_CHANGE,
    response=holding("host"),
    until=(2, 42),
)
def update_host(call: Call) -> Reply:
    """Let a host take new servers, or none; a mode of maintenance is not to be had."""
    name = call.params["name"]
    with call.house.db.write() as c:
        row = store.host(c, name)
        if row is None:
            raise NotFound(f"Compute host {name:.80} could not be found.")
        if "maintenance_mode" in call.body:
            raise NotImplementedHere("Virt driver does not implement host maintenance mode.")
        enabled = call.body["status"].lower() == "enable"
        change_host(c, row, {"enabled": enabled, "disabled_reason": None})
    return Reply({"host": name, "status": "enabled" if enabled else "disabled"})


def _power(call: Call) -> Reply:
    """Refuse: hosts are switched on and off by their operators, not by this API."""
    with call.house.db.read() as c:
        if store.host(c, call.params["name"]) is None:
            raise NotFound(f"Compute host {call.params['name']:.80} could not be found.")
    raise NotImplementedHere("Virt driver does not implement host power actions.")


for _action in ("startup", "shutdown", "reboot"):
    routes.get(
        f"/v2.1/os-hosts/{{name}}/{_action}",
        rule=f"os_compute_api:os-hosts:{_action}",
        response=holding("host"),
        until=(2, 42),
    )(_power)


@routes.get(
    "/v2.1/os-hosts/{name}", rule="os_compute_api:os-hosts:show", response=holding("host"), until=(2, 42)
)
def show_host(call: Call) -> Reply:
    """Show what a host has, what is used of it, and by which projects."""
    name, s = call.params["name"], t.servers.c
    with call.house.db.read() as c:
        host = store.host(c, name)
        if host is None:
            raise NotFound(f"Compute host {name:.80} could not be found.")
        rows = list(
            c.execute(
                select(s.project_id, s.vcpus, s.ram_mib, s.flavor).where(s.host == name, s.deleted.is_(False))
            )
        )
    has = host.capacity

    def line(project: str, cpu: int, memory: int, disk: int) -> dict[str, Any]:
        return {
            "resource": {"host": name, "project": project, "cpu": cpu, "memory_mb": memory, "disk_gb": disk}
        }

    def total(project: str, mine: list[Any]) -> dict[str, Any]:
        disk = sum(row.flavor["disk_gib"] + row.flavor["ephemeral_gib"] for row in mine)
        return line(project, sum(row.vcpus for row in mine), sum(row.ram_mib for row in mine), disk)

    used_disk = has.get("disk_gib", 0) - has.get("disk_free_gib", 0)
    shown = [
        line("(total)", has.get("vcpus", 0), has.get("memory_mib", 0), has.get("disk_gib", 0)),
        line("(used_now)", sum(row.vcpus for row in rows), has.get("memory_used_mib", 0), used_disk),
        total("(used_max)", rows),
    ]
    projects = sorted({row.project_id for row in rows})
    shown += [total(id, [row for row in rows if row.project_id == id]) for id in projects]
    return Reply({"host": shown})
