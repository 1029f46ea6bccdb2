"""Servers and flavors as the API shows them, by microversion."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from clearsky.api.call import Call
from clearsky.compute import scheduling, store
from clearsky.network import service as network
from clearsky.network.service import PortInfo

POWER = {"running": 1, "paused": 3, "shutdown": 4, "suspended": 4, "absent": 0}
_STATUS = {
    "building": "BUILD", "active": "ACTIVE", "stopped": "SHUTOFF", "paused": "PAUSED", "suspended": "SUSPENDED",
    "rescued": "RESCUE", "resized": "VERIFY_RESIZE", "shelved": "SHELVED", "shelved_offloaded": "SHELVED_OFFLOADED",
}  # fmt: skip
_STATUS_BY_TASK = {
    "rebooting": "REBOOT", "rebooting_hard": "HARD_REBOOT", "rebuilding": "REBUILD", "resize_prep": "RESIZE",
    "resize_migrating": "RESIZE", "resize_reverting": "REVERT_RESIZE",
}  # fmt: skip
_WITH_PROGRESS = ("ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE", "MIGRATING")


def iso(seconds: float | None, *, fraction: bool = False) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") if fraction else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def links(call: Call, kind: str, id: str) -> list[dict[str, str]]:
    root = call.base_url
    return [
        {"rel": "self", "href": f"{root}/v2.1/{kind}/{id}"},
        {"rel": "bookmark", "href": f"{root}/{kind}/{id}"},
    ]


def next_link(
    call: Call, plural: str, shown: list[dict[str, Any]], limit: int, key: str = "id"
) -> dict[str, Any]:
    """Return `{plural_links: [...]}` where there may be another page."""
    if not shown or len(shown) < limit or limit == 0:
        return {}
    rest = [(name, value) for name, value in call.query.multi_items() if name != "marker"]
    here = f"{call.base_url}{call.path.partition('/compute')[2]}"
    href = f"{here}?{urlencode([*rest, ('marker', shown[-1][key])])}"
    return {f"{plural}_links": [{"rel": "next", "href": href}]}


def status(row: Any) -> str:
    if row.deleted:
        return "DELETED"
    if row.vm_state == "error" and row.task_state != "rebuilding":
        return "ERROR"
    return _STATUS_BY_TASK.get(row.task_state) or _STATUS[row.vm_state]


def addresses(ports: list[PortInfo], *, extended: bool = True) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for port in ports:
        mine = found.setdefault(port.network_name, [])
        for address in port.addresses:
            pairs = [(address.ip, "fixed", address.version)]
            if floating := port.floating_ips.get(address.ip):
                pairs.append((floating, "floating", 4))
            for ip, kind, version in pairs:
                item: dict[str, Any] = {"version": version, "addr": ip}
                if extended:
                    item |= {"OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": port.mac}
                mine.append(item)
    return found


def host_id(row: Any) -> str:
    """A name for the host that tells a project which servers share one, and nothing else."""
    if not row.host or row.deleted:
        return ""
    return hashlib.sha224(f"{row.project_id}{row.host}".encode()).hexdigest()


_BRIEF = (
    "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
    "addresses", "accessIPv4", "accessIPv6", "links", "OS-DCF:diskConfig", "progress", "fault", "locked", "description",
    "tags", "trusted_image_certificates", "server_groups", "locked_reason",
)  # fmt: skip
"""What an update and a rebuild showed before 2.75, from which on they show everything."""


def details(c: Connection, rows: list[Any], call: Call, *, brief: bool = False) -> list[dict[str, Any]]:
    """Render servers, with a fixed number of queries for any number of them."""
    ports = network.ports_of_servers(c, [row.id for row in rows])
    admin = call.may("os_compute_api:servers:admin_attributes")
    hosts = {host.name: host for host in store.hosts(c)} if admin else {}
    shown = [_detail(call, row, ports.get(row.id, []), hosts, admin=admin) for row in rows]
    if not brief:
        return shown
    for one, row in zip(shown, rows, strict=True):
        one["addresses"] = addresses(ports.get(row.id, []), extended=False)
    return [{name: one[name] for name in _BRIEF if name in one} for one in shown]


def _detail(
    call: Call, row: Any, ports: list[PortInfo], hosts: dict[str, Any], *, admin: bool
) -> dict[str, Any]:
    version, state = call.version, status(row)
    groups = sorted({name for port in ports for name in port.security_groups.values()})
    shown: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "status": state,
        "tenant_id": row.project_id,
        "user_id": row.user_id,
        "metadata": row.metadata,
        "hostId": host_id(row),
        "image": _image(call, row),
        "flavor": _flavor(call, row),
        "created": iso(row.created_at),
        "updated": iso(row.updated_at),
        "addresses": addresses(ports),
        "accessIPv4": row.access_ip_v4,
        "accessIPv6": row.access_ip_v6,
        "links": links(call, "servers", row.id),
        "OS-DCF:diskConfig": row.disk_config,
        "OS-EXT-AZ:availability_zone": (row.zone or scheduling.ZONE)
        if row.host
        else (row.availability_zone or ""),
        "config_drive": "True" if row.config_drive else "",
        "key_name": row.key_name,
        "OS-SRV-USG:launched_at": iso(row.launched_at, fraction=True),
        "OS-SRV-USG:terminated_at": iso(row.terminated_at, fraction=True),
        "OS-EXT-STS:task_state": "deleting" if row.to_delete and not row.deleted else row.task_state,
        "OS-EXT-STS:vm_state": row.vm_state,
        "OS-EXT-STS:power_state": POWER[row.power],
        "os-extended-volumes:volumes_attached": [],
    }
    if groups:
        shown["security_groups"] = [{"name": name} for name in groups]
    if state in _WITH_PROGRESS:
        shown["progress"] = 100 if state == "ACTIVE" else 0
    if row.fault and row.vm_state == "error":
        shown["fault"] = {
            "code": row.fault["code"],
            "created": iso(row.fault["created"]),
            "message": row.fault["message"],
        }
        if admin:
            shown["fault"]["details"] = row.fault["details"]
    if admin:
        shown |= _for_admins(call, row, hosts)
    if version >= (2, 9):
        shown["locked"] = row.locked
    if version >= (2, 19):
        shown["description"] = row.description
    if version >= (2, 26):
        shown["tags"] = row.tags
    if version >= (2, 63):
        shown["trusted_image_certificates"] = None
    if version >= (2, 71):
        shown["server_groups"] = [row.group_id] if row.group_id else []
    if version >= (2, 73):
        shown["locked_reason"] = row.locked_reason
    if version >= (2, 90):
        shown["OS-EXT-SRV-ATTR:hostname"] = row.hostname
    if version >= (2, 96):
        shown["pinned_availability_zone"] = row.availability_zone
    if version >= (2, 100):
        shown["scheduler_hints"] = row.scheduler_hints
    return shown


def _image(call: Call, row: Any) -> Any:
    if not row.image_id:
        return ""
    shown = {"id": row.image_id, "links": links(call, "images", row.image_id)[1:]}
    return shown | ({"properties": row.image_properties} if call.version >= (2, 98) else {})


def _for_admins(call: Call, row: Any, hosts: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "OS-EXT-SRV-ATTR:host": row.host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": row.host,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{row.id[:8]}",
    }
    if call.version >= (2, 3):
        shown |= {
            "OS-EXT-SRV-ATTR:reservation_id": row.reservation_id,
            "OS-EXT-SRV-ATTR:launch_index": row.launch_index,
            "OS-EXT-SRV-ATTR:hostname": row.hostname,
            "OS-EXT-SRV-ATTR:kernel_id": "",
            "OS-EXT-SRV-ATTR:ramdisk_id": "",
            "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
            "OS-EXT-SRV-ATTR:user_data": row.user_data,
        }
    if call.version >= (2, 16):
        host = hosts.get(row.host or "")
        if host is None:
            shown["host_status"] = ""
        else:
            up = scheduling.is_up(host, time.time())
            shown["host_status"] = "MAINTENANCE" if not host.enabled else "UP" if up else "DOWN"
    return shown


def _flavor(call: Call, row: Any) -> dict[str, Any]:
    flavor = row.flavor
    if call.version < (2, 47):
        return {"id": flavor["id"], "links": links(call, "flavors", flavor["id"])[1:]}
    return {
        "original_name": flavor["name"],
        "vcpus": flavor["vcpus"],
        "ram": flavor["ram_mib"],
        "disk": flavor["disk_gib"],
        "ephemeral": flavor["ephemeral_gib"],
        "swap": flavor["swap_mib"],
        "extra_specs": flavor["extra_specs"],
    }
