"""Templates of the rules that new security groups begin with."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid
from clearsky.network import groups, store
from clearsky.network import tables as t
from clearsky.network.api import kit, rule_body

routes = Routes()
_USE = ("used_in_default_sg", "used_in_non_default_sg")


def view(_c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    names = ("id", "description", *rule_body.FIELDS, *_USE)
    return [{name: getattr(row, name) for name in names} for row in rows]


TEMPLATE = kit.Resource(
    "default_security_group_rule",
    "default_security_group_rules",
    t.default_rules,
    view,
    rule_body.FIELDS | dict.fromkeys(_USE, kit.FLAG),
    {},
    required=("direction",),
    words=("description",),
)
_SHOWN = TEMPLATE.shown()
_PATH = "/v2.0/default-security-group-rules"


def _create(_call: Call, c: Connection, body: dict[str, Any]) -> Any:
    groups.ensure_templates(c)
    columns = rule_body.columns(body)
    if columns["remote_group_id"] not in (None, groups.PARENT):
        raise Invalid(
            f"remote_group_id = {columns['remote_group_id']!r}: {groups.PARENT} (the new group itself) or nothing",
            kind="InvalidInput",
        )
    if id := columns["remote_address_group_id"]:
        store.get(c, t.address_groups, None, id)
    wanted = rule_body.meaning(columns)
    for other in c.execute(select(t.default_rules)).mappings():
        if rule_body.meaning(other) == wanted:
            raise Conflict(
                f"Default Security group rule already exists. Rule id is {other['id']}.",
                kind="DefaultSecurityGroupRuleExists",
            )
    columns |= {
        "id": str(uuid.uuid4()),
        "created_at": time.time(),
        "description": body.get("description", ""),
        "used_in_default_sg": kit.truth(body.get("used_in_default_sg", False)),
        "used_in_non_default_sg": kit.truth(body.get("used_in_non_default_sg", True)),
    }
    return c.execute(insert(t.default_rules).values(**columns).returning(t.default_rules)).one()


@routes.post(
    _PATH, rule="create_default_security_group_rule", status=201, request=TEMPLATE.creation(), response=_SHOWN
)
def create_template(call: Call) -> Reply:
    """Let new security groups begin with one rule more."""
    return kit.create_all(TEMPLATE, call, lambda c, body: _create(call, c, body), sync=False)


@routes.get(_PATH, rule="get_default_security_group_rule", response=_SHOWN)
def list_templates(call: Call) -> Reply:
    """List what new security groups begin with."""
    _ensure(call)
    return kit.listed(TEMPLATE, call)


@routes.get(_PATH + "/{id}", rule="get_default_security_group_rule", response=_SHOWN)
def show_template(call: Call) -> Reply:
    """Show one of the rules that new security groups begin with."""
    _ensure(call)
    return kit.show(TEMPLATE, call)


@routes.delete(_PATH + "/{id}", rule="delete_default_security_group_rule")
def delete_template(call: Call) -> Reply:
    """Let new security groups begin without a rule; groups that are there keep theirs."""
    with call.house.db.write() as c:
        groups.ensure_templates(c)
        row = store.get(c, t.default_rules, None, call.params["id"])
        c.execute(delete(t.default_rules).where(t.default_rules.c.id == row.id))
    return Reply()


def _ensure(call: Call) -> None:
    with call.house.db.read() as c:
        there = groups.templates_made(c)
    if not there:
        with call.house.db.write() as c:
            groups.ensure_templates(c)
