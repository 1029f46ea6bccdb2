"""What carries the networks on each host, by the engine's own word."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import NotFound
from clearsky.network import tables as t
from clearsky.network.api import kit, zones

routes = Routes()
FRESH_S = 150.0
"""A chassis that was not seen alive for so long is not alive: two comparisons and some."""
_LIST = Schema({"type": "object", "properties": {"agents": {"type": "array"}}, "required": ["agents"]})
_ONE = Schema({"type": "object", "properties": {"agent": {"type": "object"}}, "required": ["agent"]})


def _agents(call: Call) -> list[dict[str, Any]]:
    o = t.observed.c
    with call.house.db.read() as c:
        rows = list(c.execute(select(t.observed).where(o.name.startswith("chassis:")).order_by(o.name)))
    now = time.time()
    return [_agent(row.name.removeprefix("chassis:"), row.value, row.seen_at, now) for row in rows]


def _agent(id: str, host: str, seen_at: float, now: float) -> dict[str, Any]:
    return {
        "id": id,
        "agent_type": "OVN Controller Gateway agent",
        "binary": "ovn-controller",
        "host": host,
        "alive": now - seen_at < FRESH_S,
        "admin_state_up": True,
        "availability_zone": zones.ZONE,
        "topic": "n/a",
        "configurations": {},
        "description": "",
        "created_at": kit.iso(seen_at),
        "started_at": kit.iso(seen_at),
        "heartbeat_timestamp": kit.iso(seen_at).replace("T", " ").removesuffix("Z"),
        "resources_synced": None,
    }


@routes.get("/v2.0/agents", rule="get_extension", response=_LIST)
def list_agents(call: Call) -> Reply:
    """List the chassis that carry networks, and whether each has answered lately; for administrators."""
    if not call.may("get_agent"):
        return Reply({"agents": []})
    found = _agents(call)
    for name in ("id", "host", "agent_type", "binary", "availability_zone", "alive"):
        if name in call.query:
            wanted = [value.lower() for value in call.query.getlist(name)]
            found = [agent for agent in found if str(agent[name]).lower() in wanted]
    return Reply({"agents": found})


@routes.get("/v2.0/agents/{id}", rule="get_agent", response=_ONE)
def show_agent(call: Call) -> Reply:
    """Show one chassis."""
    id = call.params["id"]
    for agent in _agents(call):
        if agent["id"] == id:
            return Reply({"agent": agent})
    raise NotFound(f"Agent {id} could not be found", kind="AgentNotFound")
