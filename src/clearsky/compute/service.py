"""What agents, the console and other services may ask of Compute."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select

from clearsky.compute import tables as t
from clearsky.compute.desired import desired
from clearsky.compute.observed import host_has_let_go, observe
from clearsky.errors import Unauthorized
from clearsky.house import House
from clearsky.network import service as network
from clearsky.placement import service as placement
from clearsky.work import queue

__all__ = ["console_target", "console_token", "desired", "host_has_let_go", "observe", "trace_facts"]
s = t.servers.c


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


# -- what the network calls servers by --------------------------------------------------------------------------


def _find(c: Connection, scope: str | None, word: str) -> list[str]:
    query = select(s.id).where(or_(s.id == word, s.name == word), s.deleted.is_(False))
    return list(c.execute(query if scope is None else query.where(s.project_id == scope)).scalars())


def _names(c: Connection, ids: Iterable[str]) -> dict[str, str]:
    return {row.id: row.name for row in c.execute(select(s.id, s.name).where(s.id.in_(list(ids))))}


network.know_servers(network.ServerDirectory(_find, _names))
