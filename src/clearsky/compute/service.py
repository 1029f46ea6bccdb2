"""What agents, the console and other services may ask of Compute."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from clearsky.agent.protocol import Desired, DesiredDisk, DesiredNic, DesiredServer, Observed, ObservedServer
from clearsky.compute import metadata, scheduling, store
from clearsky.compute import tables as t
from clearsky.errors import Unauthorized
from clearsky.house import House
from clearsky.image import service as image
from clearsky.image.service import ImageInfo
from clearsky.network import service as network
from clearsky.network.service import PortInfo
from clearsky.placement import service as placement
from clearsky.placement.service import Inventory
from clearsky.work import journal, queue

s = t.servers.c


def desired(house: House, host: str) -> Desired:
    """Return all that is wanted of a host, by a fixed number of queries."""
    with house.db.read() as c:
        revision = queue.host_revision(c, host)
        where = (s.host == host, s.ready, s.deleted.is_(False), s.to_delete.is_(False))
        rows = list(c.execute(select(t.servers).where(*where).order_by(s.id)))
        ports = network.ports_of_servers(c, [row.id for row in rows])
        networks = network.host_networks(c, [port.id for found in ports.values() for port in found])
        external = network.external_cidrs(c)
    images = image.for_host(house, {row.image_id for row in rows if row.image_id})
    return Desired(
        revision=str(revision),
        servers=tuple(_desired_server(row, ports.get(row.id, []), images.get(row.image_id)) for row in rows),
        networks=tuple(networks),
        external_cidrs=tuple(external),
    )


def _desired_server(row: Any, ports: list[PortInfo], picture: ImageInfo | None) -> DesiredServer:
    flavor = row.flavor
    facts = metadata.Facts(
        server_id=row.id,
        name=row.name,
        hostname=row.hostname,
        project_id=row.project_id,
        availability_zone=row.availability_zone or scheduling.ZONE,
        launch_index=row.launch_index,
        reservation_id=row.reservation_id,
        key_name=row.key_name,
        public_key=row.public_key,
        metadata=row.metadata,
        user_data=row.user_data,
        flavor_name=flavor["name"],
        ports=tuple(ports),
    )
    disk = DesiredDisk(
        image_id=row.image_id,
        image_path=picture.path if picture else "",
        image_format="qcow2" if picture and picture.disk_format == "qcow2" else "raw",
        size_gib=flavor["disk_gib"],
        image_size_bytes=picture.virtual_size if picture else 0,
    )
    return DesiredServer(
        id=row.id,
        name=row.name,
        power=row.desired,
        vcpus=flavor["vcpus"],
        memory_mib=flavor["ram_mib"],
        root_disk=disk,
        ephemeral_gib=flavor["ephemeral_gib"],
        swap_mib=flavor["swap_mib"],
        nics=tuple(DesiredNic(port.id, port.mac, port.mtu) for port in ports),
        config_drive=row.config_drive,
        metadata=metadata.tree(facts),
        addresses=tuple((port.network_id, address.ip) for port in ports for address in port.addresses),
        action=tuple(row.action) if row.action else None,
        hostname=row.hostname,
    )


# -- what agents report -----------------------------------------------------------------------------------------


def observe(house: House, report: Observed) -> None:
    """Take a host's report over: what changed is written, and its servers are looked at."""
    with house.db.write() as c:
        _host(c, house, report)
        seen = {server.id: server for server in report.servers}
        rows = list(c.execute(select(t.servers).where(s.host == report.host, s.deleted.is_(False))))
        for row in rows:
            _server(c, row, seen.get(row.id), int(report.revision or 0))
        requests = {row.id: row.request_id for row in rows}
        journal.record(
            c,
            *(
                journal.StepRecord(
                    requests.get(step.resource_id, ""), "server", step.resource_id, step.step, report.host,
                    step.started_at, step.duration_s, step.outcome, step.detail[:2000],
                )
                for step in report.steps
            ),
        )  # fmt: skip


def _host(c: Connection, house: House, report: Observed) -> None:
    row, now = store.host(c, report.host), time.time()
    values = {"seen_at": now, "revision": int(report.revision or 0), "version": report.version}
    if row is None:
        values |= {"name": report.host, "id": str(uuid.uuid4()), "capacity": report.capacity}
        c.execute(insert(t.hosts).values(**values))
        row = store.host(c, report.host)
    else:
        if report.capacity:
            values["capacity"] = report.capacity
        c.execute(update(t.hosts).where(t.hosts.c.name == report.host).values(**values))
    if report.capacity:
        _inventory(c, house, row, report.capacity)


def _inventory(c: Connection, house: House, row: Any, capacity: dict[str, Any]) -> None:
    settings = house.config.compute
    reserved = min(settings.reserved_memory_mib, capacity["memory_mib"])
    inventories = {
        "VCPU": Inventory(
            capacity["vcpus"], allocation_ratio=settings.cpu_allocation_ratio, max_unit=capacity["vcpus"]
        ),
        "MEMORY_MB": Inventory(
            capacity["memory_mib"],
            reserved,
            max_unit=capacity["memory_mib"],
            allocation_ratio=settings.memory_allocation_ratio,
        ),
        "DISK_GB": Inventory(capacity["disk_gib"], max_unit=max(1, capacity["disk_gib"])),
    }
    placement.ensure_provider(c, row.id, row.name, inventories, set(capacity.get("traits", ())))


def _server(c: Connection, row: Any, seen: ObservedServer | None, revision: int) -> None:
    """Write down what is new about a server. Not mentioned means gone: an agent reports all it has."""
    seen = seen or ObservedServer(row.id, "absent")
    values: dict[str, Any] = {
        "power": seen.power,
        "action_done": seen.action_done,
        "console_path": seen.console_path,
        "plugged": list(seen.plugged),
        "observed_error": seen.error,
    }
    if (
        seen.guest_stopped
        and row.desired == "running"
        and row.vm_state == "active"
        and row.task_state is None
    ):
        values["desired"] = "shutdown"
        queue.bump_host(c, row.host)
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    if changed:
        c.execute(update(t.servers).where(s.id == row.id).values(**changed))
    if changed or row.task_state is not None or row.vm_state == "building" or row.to_delete:
        queue.enqueue(c, "server", row.id)


def host_has_let_go(c: Connection, host_name: str) -> bool:
    """Say whether the host has reported against the newest desired state, so that what is not in it is gone."""
    row = store.host(c, host_name)
    return row is None or int(row.revision) >= queue.host_revision(c, host_name)


# -- consoles ---------------------------------------------------------------------------------------------------


def console_token(house: House, server_id: str) -> str:
    """Return a new short-lived token for a server's console; only its hash is kept."""
    token, now = secrets.token_urlsafe(32), time.time()
    with house.db.write() as c:
        c.execute(delete(t.consoles).where(t.consoles.c.expires_at < now))
        expires_at = now + house.config.compute.console_lifetime_s
        hashed = hashlib.sha256(token.encode()).hexdigest()
        c.execute(insert(t.consoles).values(token_hash=hashed, server_id=server_id, expires_at=expires_at))
    return token


def console_target(house: House, token: str) -> str:
    """Return the UNIX socket of the console that a token opens; raises Unauthorized."""
    hashed = hashlib.sha256(token.encode()).hexdigest()
    k = t.consoles.c
    with house.db.read() as c:
        row = c.execute(select(t.consoles).where(k.token_hash == hashed, k.expires_at > time.time())).first()
        path = (
            row
            and c.execute(select(s.console_path).where(s.id == row.server_id, s.deleted.is_(False))).scalar()
        )
    if not path:
        raise Unauthorized("The console's token has expired, or its server is not running.")
    return str(path)


def trace_facts(house: House, id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what is wanted and what is seen of a server, for `clearsky trace`."""
    with house.db.read() as c:
        row = c.execute(select(t.servers).where(s.id == id)).first()
        if row is None:
            return []
        ports = network.ports_of_servers(c, [id]).get(id, [])
        claims = placement.allocations_of(c, id)
        pending = queue.row_of(c, "server", id)
    wanted = {
        "power": "gone" if row.to_delete else row.desired,
        "host": row.host,
        "flavor": row.flavor["name"],
        "image": row.image_id,
        "action": row.action,
    }
    seen = {
        "power": row.power,
        "state": f"{row.vm_state}, {row.task_state or 'nothing under way'}",
        "ports": ", ".join(f"{port.id} {'up' if port.up else 'down'}" for port in ports) or "none",
        "claim": claims or "none",
        "host says": row.observed_error or "nothing is wrong",
        "fault": row.fault["details"] if row.fault else "none",
        "next look": "none is due" if pending is None else f"due, attempt {pending.attempt} {pending.error}",
    }
    return [(f"server {id} {row.name!r}: wanted", wanted), (f"server {id}: seen", seen)]


# -- news from the network --------------------------------------------------------------------------------------


def _port_changed(c: Connection, _port_id: str, device_id: str, _status: str) -> None:
    if c.execute(select(s.id).where(s.id == device_id, s.deleted.is_(False))).first():
        queue.enqueue(c, "server", device_id)


network.on_port_status(_port_changed)
