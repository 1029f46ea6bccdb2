"""What operators see: services, hypervisors, availability zones."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import scheduling, store
from clearsky.compute import tables as t
from clearsky.compute.api.render import iso
from clearsky.compute.schema.servers import holding
from clearsky.errors import Invalid, NotFound

routes = Routes()
_UPDATE = Schema(
    {
        "type": "object",
        "properties": {
            "status": {"enum": ["enabled", "disabled"]},
            "disabled_reason": {"type": "string", "minLength": 1, "maxLength": 255},
            "forced_down": {"type": "boolean"},
        },
        "additionalProperties": False,
    }
)


def _service(call: Call, host: Any, now: float) -> dict[str, Any]:
    shown = {
        "id": host.id if call.version >= (2, 53) else 1,
        "binary": "nova-compute",
        "host": host.name,
        "zone": scheduling.ZONE,
        "status": "enabled" if host.enabled else "disabled",
        "state": "up" if scheduling.is_up(host, now) else "down",
        "updated_at": iso(host.seen_at, fraction=True),
        "disabled_reason": host.disabled_reason,
    }
    return shown | ({"forced_down": host.forced_down} if call.version >= (2, 11) else {})


@routes.get("/v2.1/os-services", rule="os_compute_api:os-services:list", response=holding("services"))
def list_services(call: Call) -> Reply:
    """List the compute services: one for each host."""
    now = time.time()
    with call.house.db.read() as c:
        found = [_service(call, host, now) for host in store.hosts(c)]
    for name in ("host", "binary"):
        if name in call.query:
            found = [one for one in found if one[name] == call.query[name]]
    return Reply({"services": found})


@routes.put(
    "/v2.1/os-services/{id}",
    rule="os_compute_api:os-services:update",
    request=_UPDATE,
    response=holding("service"),
    since=(2, 53),
)
def update_service(call: Call) -> Reply:
    """Enable, disable, or force down a host's compute service."""
    body, h = call.body, t.hosts.c
    if "disabled_reason" in body and body.get("status") != "disabled":
        raise Invalid("disabled_reason goes with status = disabled")
    values: dict[str, Any] = {}
    if "status" in body:
        values |= {"enabled": body["status"] == "enabled", "disabled_reason": body.get("disabled_reason")}
    if "forced_down" in body:
        values["forced_down"] = body["forced_down"]
    if not values:
        raise Invalid("The body changes nothing: give status or forced_down")
    with call.house.db.write() as c:
        row = c.execute(
            update(t.hosts).where(h.id == call.params["id"]).values(**values).returning(t.hosts)
        ).first()
    if row is None:
        raise NotFound(f"Service {call.params['id']} could not be found.")
    return Reply({"service": _service(call, row, time.time())})


def _hypervisor(call: Call, host: Any, placed: dict[str, tuple[int, int, int]]) -> dict[str, Any]:
    capacity, (running, vcpus, memory) = host.capacity, placed.get(host.name, (0, 0, 0))
    shown: dict[str, Any] = {
        "id": host.id if call.version >= (2, 53) else 1,
        "hypervisor_hostname": host.name,
        "state": "up" if scheduling.is_up(host, time.time()) else "down",
        "status": "enabled" if host.enabled else "disabled",
        "hypervisor_type": capacity.get("hypervisor_type", ""),
        "hypervisor_version": capacity.get("hypervisor_version", 0),
        "host_ip": capacity.get("host_ip", ""),
        "service": {
            "id": host.id if call.version >= (2, 53) else 1,
            "host": host.name,
            "disabled_reason": host.disabled_reason,
        },
    }
    if call.version < (2, 88):
        total, free = capacity.get("memory_mib", 0), capacity.get("disk_free_gib", 0)
        shown |= {
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
            "cpu_info": capacity.get("cpu_info", {}),
        }
    else:
        shown["uptime"] = None
    return shown


def _chosen(call: Call, hosts: list[Any]) -> list[Any]:
    pattern = call.query.get("hypervisor_hostname_pattern") if call.version >= (2, 53) else None
    found = [host for host in hosts if not pattern or pattern in host.name]
    if pattern and not found:
        raise NotFound(f"No hypervisor matching '{pattern:.80}' could be found.")
    return found


@routes.get("/v2.1/os-hypervisors", rule="os_compute_api:os-hypervisors", response=holding("hypervisors"))
def list_hypervisors(call: Call) -> Reply:
    """List hypervisors by name."""
    with call.house.db.read() as c:
        found = [_hypervisor(call, host, {}) for host in _chosen(call, store.hosts(c))]
    return Reply(
        {
            "hypervisors": [
                {name: one[name] for name in ("id", "hypervisor_hostname", "state", "status")}
                for one in found
            ]
        }
    )


@routes.get(
    "/v2.1/os-hypervisors/detail", rule="os_compute_api:os-hypervisors", response=holding("hypervisors")
)
def list_hypervisors_detail(call: Call) -> Reply:
    """List hypervisors with what they have and what is used."""
    with call.house.db.read() as c:
        placed = store.servers_by_host(c)
        return Reply(
            {"hypervisors": [_hypervisor(call, host, placed) for host in _chosen(call, store.hosts(c))]}
        )


@routes.get(
    "/v2.1/os-hypervisors/statistics",
    rule="os_compute_api:os-hypervisors",
    response=holding("hypervisor_statistics"),
    until=(2, 87),
)
def show_statistics(call: Call) -> Reply:
    """Add up all hypervisors."""
    names = (
        "vcpus",
        "vcpus_used",
        "memory_mb",
        "memory_mb_used",
        "free_ram_mb",
        "local_gb",
        "local_gb_used",
        "free_disk_gb",
        "disk_available_least",
        "running_vms",
        "current_workload",
    )
    with call.house.db.read() as c:
        placed = store.servers_by_host(c)
        found = [_hypervisor(call, host, placed) for host in store.hosts(c)]
    return Reply(
        {
            "hypervisor_statistics": {"count": len(found)}
            | {name: sum(one[name] for one in found) for name in names}
        }
    )


@routes.get("/v2.1/os-hypervisors/{id}", rule="os_compute_api:os-hypervisors", response=holding("hypervisor"))
def show_hypervisor(call: Call) -> Reply:
    """Show one hypervisor."""
    with call.house.db.read() as c:
        placed = store.servers_by_host(c)
        for host in store.hosts(c):
            if call.params["id"] == (host.id if call.version >= (2, 53) else "1"):
                return Reply({"hypervisor": _hypervisor(call, host, placed)})
    raise NotFound(f"Hypervisor with ID '{call.params['id']:.80}' could not be found.")


@routes.get(
    "/v2.1/os-availability-zone", rule="os_compute_api:any_token", response=holding("availabilityZoneInfo")
)
def list_zones(call: Call) -> Reply:
    """List availability zones."""
    with call.house.db.read() as c:
        up = any(scheduling.is_up(host, time.time()) and host.enabled for host in store.hosts(c))
    return Reply(
        {
            "availabilityZoneInfo": [
                {"zoneName": scheduling.ZONE, "zoneState": {"available": up}, "hosts": None}
            ]
        }
    )


@routes.get(
    "/v2.1/os-availability-zone/detail",
    rule="os_compute_api:os-availability-zone:detail",
    response=holding("availabilityZoneInfo"),
)
def list_zones_detail(call: Call) -> Reply:
    """List availability zones with their hosts."""
    now = time.time()
    with call.house.db.read() as c:
        hosts = store.hosts(c)
    members = {
        host.name: {
            "nova-compute": {
                "active": host.enabled,
                "available": scheduling.is_up(host, now),
                "updated_at": iso(host.seen_at, fraction=True),
            }
        }
        for host in hosts
    }
    up = any(host.enabled and scheduling.is_up(host, now) for host in hosts)
    return Reply(
        {
            "availabilityZoneInfo": [
                {"zoneName": scheduling.ZONE, "zoneState": {"available": up}, "hosts": members}
            ]
        }
    )
