"""Security groups."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict
from clearsky.network import groups, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit, security_group_rules

routes = Routes()


def view(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    found: dict[str, list[Any]] = {row.id: [] for row in rows}
    by_id = {row.id: row for row in rows}
    query = select(t.rules).where(t.rules.c.security_group_id.in_(list(found)))
    for rule in c.execute(query.order_by(t.rules.c.created_at, t.rules.c.id)):
        group = by_id[rule.security_group_id]
        found[group.id].append(security_group_rules.shown(rule, group))
    shared = kit.shared(c, rows, call)
    return [
        kit.standard(row)
        | {
            "stateful": row.stateful,
            "is_default": row.is_default,
            "shared": row.id in shared,
            "security_group_rules": found[row.id],
        }
        for row in rows
    ]


GROUP = kit.Resource(
    "security_group",
    "security_groups",
    t.security_groups,
    view,
    {"stateful": kit.FLAG},
    {"stateful": kit.FLAG},
    object_type="security_group",
)
_GROUP_SHOWN = GROUP.shown()


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    groups.ensure_default(c, project_id)
    if body.get("name") == groups.DEFAULT:
        raise Conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
    quotas.check(c, call.house, project_id, "security_group")
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    default = groups.stateful_by_default(c, project_id)
    columns |= {"project_id": project_id, "stateful": kit.truth(body.get("stateful", default))}
    row = store.create(c, t.security_groups, columns)
    groups.add_rules(c, row)
    quotas.check(c, call.house, project_id, "security_group_rule", 0)
    return row


@routes.post(
    "/v2.0/security-groups",
    rule="create_security_group",
    status=201,
    request=GROUP.creation(),
    response=_GROUP_SHOWN,
)
def create_group(call: Call) -> Reply:
    """Create a security group that lets everything out and nothing in."""
    return kit.create_all(GROUP, call, lambda c, body: _create(call, c, body))


@routes.get("/v2.0/security-groups", rule="get_security_group", response=_GROUP_SHOWN)
def list_groups(call: Call) -> Reply:
    """List security groups; the project's default one is made where it is not there yet."""
    if call.caller.project_id:
        with call.house.db.read() as c:
            g = t.security_groups.c
            there = c.execute(
                select(g.id).where(g.project_id == call.caller.project_id, g.is_default)
            ).first()
        if there is None:
            with call.house.db.write() as c:
                groups.ensure_default(c, call.caller.project_id)
                store.sync(c, call.request_id)
    return kit.listed(GROUP, call)


@routes.get("/v2.0/security-groups/{id}", rule="get_security_group", response=_GROUP_SHOWN)
def show_group(call: Call) -> Reply:
    """Show a security group with its rules."""
    return kit.show(GROUP, call)


@routes.put(
    "/v2.0/security-groups/{id}",
    rule="update_security_group",
    request=GROUP.changing(),
    response=_GROUP_SHOWN,
)
def update_group(call: Call) -> Reply:
    """Update a security group."""
    body = call.body["security_group"]
    with call.house.db.write() as c:
        row = kit.writable(c, GROUP, call, "update", call.params["id"])
        if body.get("name", row.name) != row.name and groups.DEFAULT in (row.name, body["name"]):
            raise Conflict(
                f"The name {groups.DEFAULT!r} is the project's default security group's alone: {row.id} keeps its name.",
                kind="SecurityGroupCannotUpdateDefault",
            )
        columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
        if "stateful" in body and kit.truth(body["stateful"]) != row.stateful:
            _unused(c, row)
            columns["stateful"] = kit.truth(body["stateful"])
        row = store.change(c, t.security_groups, row.id, columns)
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"security_group": shown})


def _unused(c: Connection, row: Any) -> None:
    used = (
        c.execute(select(t.port_groups.c.port_id).where(t.port_groups.c.security_group_id == row.id))
        .scalars()
        .all()
    )
    if used:
        named = ", ".join(f"port {id}" for id in used[:10])
        raise Conflict(f"Security Group {row.id} in use: {named}.", kind="SecurityGroupInUse")


@routes.delete("/v2.0/security-groups/{id}", rule="delete_security_group")
def delete_group(call: Call) -> Reply:
    """Delete a security group that no port is in."""
    with call.house.db.write() as c:
        row = kit.writable(c, GROUP, call, "delete", call.params["id"])
        if row.is_default and not call.caller.is_admin:
            raise Conflict(
                "Insufficient rights for removing default security group.",
                kind="SecurityGroupCannotRemoveDefault",
            )
        _unused(c, row)
        r = t.rules.c
        c.execute(delete(t.rules).where((r.security_group_id == row.id) | (r.remote_group_id == row.id)))
        store.remove(c, t.security_groups, row.id)
        store.sync(c, call.request_id)
    return Reply()
