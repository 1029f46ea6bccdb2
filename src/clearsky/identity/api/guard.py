"""Rows that a request names by id: loaded, and given only to callers whom a rule allows to touch them.

Who may not learns nothing about what exists: the rule is checked first, for a missing row without a target.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Table

from clearsky.api.call import Call
from clearsky.errors import NotFound
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.store import AnyRow

Target = dict[str, Any]


def of_user(row: AnyRow) -> Target:
    return {"target.user.id": row.id, "target.user.domain_id": row.domain_id, "user_id": row.id}


def of_group(row: AnyRow) -> Target:
    return {"target.group.id": row.id, "target.group.domain_id": row.domain_id}


def of_project(row: AnyRow) -> Target:
    domain_id = row.id if row.is_domain else row.domain_id
    return {"target.project.id": row.id, "target.project.domain_id": domain_id, "project_id": row.id}


def of_domain(row: AnyRow) -> Target:
    return {"target.domain.id": row.id}


def of_role(row: AnyRow) -> Target:
    return {
        "target.role.id": row.id,
        "target.role.name": row.name,
        "target.role.domain_id": row.domain_id or None,
    }


def of_list(call: Call) -> Target:
    """Return the target of lists: the domain that the token is for, the only one they then show."""
    return {"target.domain_id": call.caller.domain_id} if call.caller.domain_id else {}


def user(call: Call, c: Connection, rule: str) -> AnyRow:
    return _row(call, c, t.users, "user", rule, of_user)


def group(call: Call, c: Connection, rule: str) -> AnyRow:
    return _row(call, c, t.groups, "group", rule, of_group)


def project(call: Call, c: Connection, rule: str) -> AnyRow:
    """Return a project, or a domain in its role as one."""
    return _row(call, c, t.projects, "project", rule, of_project)


def domain(call: Call, c: Connection, rule: str) -> AnyRow:
    row = _row(call, c, t.projects, "domain", rule, of_domain)
    if not row.is_domain:
        raise NotFound(f"Could not find domain: {row.id}.")
    return row


def role(call: Call, c: Connection, verb: str) -> AnyRow:
    """Return a role; `verb` (get, update, delete) has a rule for global roles and one for those of a domain."""
    row = store.find(c, t.roles, call.params["role_id"])
    kind = "domain_role" if row is not None and row.domain_id else "role"
    call.authorize(f"identity:{verb}_{kind}", **(of_role(row) if row is not None else {}))
    if row is None:
        raise NotFound(f"Could not find role: {call.params['role_id']}.")
    return row


def _row(
    call: Call, c: Connection, table: Table, what: str, rule: str, target: Callable[[AnyRow], Target]
) -> AnyRow:
    row = store.find(c, table, call.params[f"{what}_id"])
    call.authorize(rule, **(target(row) if row is not None else {}))
    if row is None:
        raise NotFound(f"Could not find {what}: {call.params[f'{what}_id']}.")
    return row
