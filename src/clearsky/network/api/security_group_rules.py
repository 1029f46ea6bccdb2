"""Rules of security groups."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, NotFound
from clearsky.network import quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit, rule_body

routes = Routes()


def view(c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    groups = store.many(c, t.security_groups, (row.security_group_id for row in rows))
    return [shown(row, groups[row.security_group_id]) for row in rows]


def shown(row: Any, group: Any) -> dict[str, Any]:
    """Return a rule as the API shows it."""
    standard = kit.standard(row) | {name: getattr(row, name) for name in rule_body.FIELDS}
    del standard["name"]
    return standard | {
        "security_group_id": row.security_group_id,
        "normalized_cidr": rule_body.normalized(row.remote_ip_prefix),
        "belongs_to_default_sg": group.is_default,
    }


def _of_default(values: list[str]) -> Any:
    g = t.security_groups.c
    wanted = values[0].lower() in ("1", "true")
    return t.rules.c.security_group_id.in_(select(g.id).where(g.is_default.is_(wanted)))


RULE = kit.Resource(
    "security_group_rule",
    "security_group_rules",
    t.rules,
    view,
    rule_body.FIELDS | {"security_group_id": kit.UUID},
    {},
    required=("security_group_id", "direction"),
    words=("description",),
    derived=("normalized_cidr",),
    clauses={"belongs_to_default_sg": _of_default},
)
_SHOWN = RULE.shown()


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    group = store.get(c, t.security_groups, call.scope, body["security_group_id"])
    if not call.may("update_security_group", project_id=group.project_id):
        raise NotFound(f"Security group {group.id} could not be found.", kind="SecurityGroupNotFound")
    quotas.check(c, call.house, group.project_id, "security_group_rule")
    columns = rule_body.columns(body)
    if id := columns["remote_group_id"]:
        store.get(c, t.security_groups, call.scope, id)
    if id := columns["remote_address_group_id"]:
        store.get(c, t.address_groups, call.scope, id)
    wanted = rule_body.meaning(columns)
    query = select(t.rules).where(t.rules.c.security_group_id == group.id)
    for other in c.execute(query).mappings():
        if rule_body.meaning(other) == wanted:
            raise Conflict(
                f"Security group rule already exists. Rule id is {other['id']}.",
                kind="SecurityGroupRuleExists",
            )
    columns |= {
        "project_id": group.project_id,
        "description": body.get("description", ""),
        "security_group_id": group.id,
    }
    store.change(c, t.security_groups, group.id, {})
    return store.create(c, t.rules, columns)


@routes.post(
    "/v2.0/security-group-rules",
    rule="create_security_group_rule",
    status=201,
    request=RULE.creation(),
    response=_SHOWN,
)
def create_rule(call: Call) -> Reply:
    """Allow one kind of traffic."""
    return kit.create_all(RULE, call, lambda c, body: _create(call, c, body))


@routes.get("/v2.0/security-group-rules", rule="get_security_group_rule", response=_SHOWN)
def list_rules(call: Call) -> Reply:
    """List rules."""
    return kit.listed(RULE, call)


@routes.get("/v2.0/security-group-rules/{id}", rule="get_security_group_rule", response=_SHOWN)
def show_rule(call: Call) -> Reply:
    """Show a rule."""
    return kit.show(RULE, call)


@routes.delete("/v2.0/security-group-rules/{id}", rule="delete_security_group_rule")
def delete_rule(call: Call) -> Reply:
    """Delete a rule; what it allowed is cut off, established connections too."""
    with call.house.db.write() as c:
        row = kit.writable(c, RULE, call, "delete", call.params["id"])
        store.remove(c, t.rules, row.id)
        store.change(c, t.security_groups, row.security_group_id, {})
        store.sync(c, call.request_id)
    return Reply()
