"""Server groups: servers that are to share a host, or not to."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import delete, insert, select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import groups, store
from clearsky.compute import tables as t
from clearsky.compute.api import quotas
from clearsky.compute.schema.servers import NAME, holding
from clearsky.db.engine import lock
from clearsky.db.paging import limit_of
from clearsky.errors import Invalid, QuotaExceeded

routes = Routes()
_GROUPS = "/v2.1/os-server-groups"
_HARD, _ALL = list(groups.POLICIES[:2]), list(groups.POLICIES)


def _policies(*names: str) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": list(names)}, "minItems": 1, "maxItems": 1}


def _create(properties: dict[str, Any], required: list[str]) -> Schema:
    group: dict[str, Any] = {
        "type": "object",
        "properties": {"name": NAME} | properties,
        "required": ["name", *required],
    }
    group["additionalProperties"] = False
    return Schema(
        {
            "type": "object",
            "properties": {"server_group": group},
            "required": ["server_group"],
            "additionalProperties": False,
        }
    )


_BEFORE_2_15 = _create({"policies": _policies(*_HARD)}, ["policies"])
_BEFORE_2_64 = _create({"policies": _policies(*_ALL)}, ["policies"])
_COUNT = {"type": ["integer", "string"], "pattern": "^[0-9]{1,9}$", "minimum": 1}
_RULES = {"type": "object", "properties": {"max_server_per_host": _COUNT}, "additionalProperties": False}
_NOW = _create({"policy": {"enum": _ALL}, "rules": _RULES}, ["policy"])


def _view(call: Call, row: Any, members: list[Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": row.id, "name": row.name, "members": [one.id for one in members]}
    if call.version >= (2, 13):
        shown |= {"project_id": row.project_id, "user_id": row.user_id}
    if call.version >= (2, 64):
        return shown | {"policy": row.policy, "rules": row.rules}
    return shown | {"policies": [row.policy], "metadata": {}}


@routes.post(
    _GROUPS,
    rule="os_compute_api:os-server-groups:create",
    request=_NOW,
    response=holding("server_group"),
    since=(2, 64),
)
@routes.post(
    _GROUPS,
    rule="os_compute_api:os-server-groups:create",
    request=_BEFORE_2_64,
    response=holding("server_group"),
    since=(2, 15),
    until=(2, 63),
)
@routes.post(
    _GROUPS,
    rule="os_compute_api:os-server-groups:create",
    request=_BEFORE_2_15,
    response=holding("server_group"),
    until=(2, 14),
)
def create_group(call: Call) -> Reply:
    """Create a server group."""
    body, project_id = call.body["server_group"], call.caller.project_id or ""
    policy = body.get("policy") or body["policies"][0]
    rules = {name: int(value) for name, value in body.get("rules", {}).items()}
    if rules and policy != "anti-affinity":
        raise Invalid("rules/max_server_per_host is for policy = anti-affinity only")
    if rules and rules["max_server_per_host"] < 1:
        raise Invalid("rules/max_server_per_host must be 1 or more")
    values = {
        "id": str(uuid.uuid4()),
        "project_id": project_id,
        "user_id": call.caller.user_id,
        "name": body["name"].strip(),
        "policy": policy,
        "rules": rules,
        "created_at": time.time(),
    }
    with call.house.db.write() as c:
        lock(c, f"compute-quota:{project_id}")
        allowed = quotas.limits(c, call.house, project_id)["server_groups"]
        if 0 <= allowed <= store.group_count(c, project_id):
            raise QuotaExceeded("Quota exceeded, too many server groups.")
        row = c.execute(insert(t.server_groups).values(**values).returning(t.server_groups)).one()
    return Reply({"server_group": _view(call, row, [])})


@routes.get(_GROUPS, rule="os_compute_api:os-server-groups:index", response=holding("server_groups"))
def list_groups(call: Call) -> Reply:
    """List server groups; with all_projects, administrators see everyone's."""
    g = t.server_groups.c
    query = select(t.server_groups).order_by(g.created_at, g.id)
    if not (call.scope is None and "all_projects" in call.query):
        query = query.where(g.project_id == (call.caller.project_id or ""))
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    offset = limit_of(call.query.get("offset") or "0", 2**31)
    with call.house.db.read() as c:
        rows = list(c.execute(query.limit(limit).offset(offset)))
        members = groups.members(c, [row.id for row in rows])
    return Reply({"server_groups": [_view(call, row, members.get(row.id, [])) for row in rows]})


@routes.get(_GROUPS + "/{id}", rule="os_compute_api:os-server-groups:show", response=holding("server_group"))
def show_group(call: Call) -> Reply:
    """Show a server group with its members."""
    with call.house.db.read() as c:
        row = groups.get(c, call.scope, call.params["id"])
        members = groups.members(c, [row.id]).get(row.id, [])
    return Reply({"server_group": _view(call, row, members)})


@routes.delete(_GROUPS + "/{id}", rule="os_compute_api:os-server-groups:delete")
def delete_group(call: Call) -> Reply:
    """Delete a server group; its members go on where they are."""
    with call.house.db.write() as c:
        row = groups.get(c, call.scope, call.params["id"])
        c.execute(update(t.servers).where(t.servers.c.group_id == row.id).values(group_id=None))
        c.execute(delete(t.server_groups).where(t.server_groups.c.id == row.id))
    return Reply()
