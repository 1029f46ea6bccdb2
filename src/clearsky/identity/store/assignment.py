"""Roles, what they imply, and who has them where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select

from clearsky.errors import NotFound
from clearsky.identity import tables as t
from clearsky.identity.store import identity, resource
from clearsky.identity.store.kit import AnyRow

SYSTEM = "system"


def role_named(c: Connection, name: str) -> AnyRow | None:
    return c.execute(select(t.roles).where(t.roles.c.name == name, t.roles.c.domain_id == "")).first()


def implications(c: Connection) -> list[tuple[str, str]]:
    return [(row.prior_role_id, row.implied_role_id) for row in c.execute(select(t.implied_roles))]


def with_implied(c: Connection, role_ids: Iterable[str]) -> dict[str, str | None]:
    """Return role id -> the prior role that implies it (None: held itself), following implications."""
    found: dict[str, str | None] = dict.fromkeys(role_ids)
    if not found:
        return found
    rules = implications(c)
    grown = True
    while grown:
        grown = False
        for prior, implied in rules:
            if prior in found and implied not in found:
                found[implied] = prior
                grown = True
    return found


def assign(c: Connection, values: dict[str, Any]) -> None:
    if not c.execute(select(t.assignments).filter_by(**values)).first():
        c.execute(insert(t.assignments).values(**values))


def unassign(c: Connection, values: dict[str, Any]) -> None:
    where = and_(*(t.assignments.c[name] == value for name, value in values.items()))
    if not c.execute(delete(t.assignments).where(where)).rowcount:
        raise NotFound(
            f"Could not find role assignment with role: {values['role_id']}, "
            f"{values['actor_type']}: {values['actor_id']}, {values['target_type']}: {values['target_id']}."
        )


def assigned(c: Connection, values: dict[str, Any]) -> Sequence[AnyRow]:
    return c.execute(select(t.assignments).filter_by(**values)).all()


def roles_on(c: Connection, user_id: str, target_type: str, target_id: str) -> dict[str, str]:
    """Return id -> name of every role the user has there: direct, by group, inherited, implied."""
    actors = [("user", user_id), *(("group", id) for id in identity.groups_of(c, user_id))]
    a = t.assignments.c
    actor = or_(*(and_(a.actor_type == kind, a.actor_id == id) for kind, id in actors))
    target = and_(a.target_type == target_type, a.target_id == target_id, a.inherited.is_(False))
    if target_type == "project":
        row = resource.project(c, target_id)
        above = [row.domain_id, *(up.id for up in resource.ancestors(c, row))]
        target = or_(target, and_(a.inherited.is_(True), a.target_id.in_(above)))
    held = c.execute(select(a.role_id).where(actor, target)).scalars()
    ids = list(with_implied(c, held))
    query = select(t.roles.c.id, t.roles.c.name).where(t.roles.c.id.in_(ids))
    return {row.id: row.name for row in c.execute(query)}


def scopes_of(c: Connection, user_id: str) -> tuple[set[str], set[str], bool]:
    """Return the ids of projects and domains on which the user has a role, and whether on the system."""
    actors = [("user", user_id), *(("group", id) for id in identity.groups_of(c, user_id))]
    a = t.assignments.c
    actor = or_(*(and_(a.actor_type == kind, a.actor_id == id) for kind, id in actors))
    rows = c.execute(select(a.target_type, a.target_id, a.inherited).where(actor)).all()
    projects_found = {row.target_id for row in rows if row.target_type == "project" and not row.inherited}
    domains_found = {row.target_id for row in rows if row.target_type == "domain" and not row.inherited}
    for row in rows:
        if row.inherited and row.target_type == "domain":
            inside = select(t.projects.c.id).where(t.projects.c.domain_id == row.target_id)
            projects_found.update(c.execute(inside).scalars())
        elif row.inherited:
            projects_found.update(below.id for below in resource.subtree(c, row.target_id))
    return projects_found, domains_found, any(row.target_type == "system" for row in rows)
