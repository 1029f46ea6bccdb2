"""All SQL of the Identity service."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from clearsky.db.paging import page
from clearsky.errors import Conflict, Forbidden, NotFound
from clearsky.identity import tables as t

AnyRow = Row[Any]
DOMAIN_ROOT = "<<domains>>"
SYSTEM = "system"


def bump(c: Connection) -> None:
    """Let every process forget which tokens it has found valid."""
    if not c.execute(
        update(t.revision).where(t.revision.c.id == 1).values(value=t.revision.c.value + 1)
    ).rowcount:
        c.execute(insert(t.revision).values(id=1, value=1))


def revision(c: Connection) -> int:
    return int(c.execute(select(t.revision.c.value)).scalar() or 0)


def get(c: Connection, table: Table, id: str, what: str) -> AnyRow:
    """Return the row; raises NotFound that names what was looked for."""
    row = c.execute(select(table).where(table.c.id == id)).first()
    if row is None:
        raise NotFound(f"Could not find {what}: {id}.")
    return row


def create(c: Connection, table: Table, values: dict[str, Any], what: str) -> AnyRow:
    try:
        return c.execute(insert(table).values(**values).returning(table)).one()
    except IntegrityError as error:
        raise Conflict(
            f"Conflict occurred attempting to store {what} - it is not possible to store a {what} "
            f"with {_named(values)}: there is one already."
        ) from error


def change(c: Connection, table: Table, id: str, values: dict[str, Any], what: str) -> AnyRow:
    if not values:
        return get(c, table, id, what)
    try:
        row = c.execute(update(table).where(table.c.id == id).values(**values).returning(table)).first()
    except IntegrityError as error:
        raise Conflict(
            f"Conflict occurred attempting to store {what} - {_named(values)} is taken."
        ) from error
    if row is None:
        raise NotFound(f"Could not find {what}: {id}.")
    return row


def _named(values: dict[str, Any]) -> str:
    return f"name {values['name']!r}" if "name" in values else f"id {values.get('id')!r}"


def listing(
    c: Connection, query: Select[Any], table: Table, marker: str | None, limit: int, order: str = "id"
) -> Sequence[AnyRow]:
    """Return one page of `query` over `table`, sorted by a unique column."""
    after = None
    if marker:
        if c.execute(select(table.c.id).where(table.c.id == marker)).first() is None:
            raise NotFound(f"Could not find the marker: {marker}.")
        after = [marker]
    return c.execute(page(query, [(table.c[order], True)], after, limit)).all()


# -- domains and projects ---------------------------------------------------------------------------------------


def project(c: Connection, id: str) -> AnyRow:
    row = get(c, t.projects, id, "project")
    if row.is_domain:
        raise NotFound(f"Could not find project: {id}.")
    return row


def domain(c: Connection, id: str) -> AnyRow:
    row = get(c, t.projects, id, "domain")
    if not row.is_domain:
        raise NotFound(f"Could not find domain: {id}.")
    return row


def project_named(c: Connection, name: str, domain_id: str) -> AnyRow | None:
    query = select(t.projects).where(t.projects.c.name == name, t.projects.c.domain_id == domain_id)
    return c.execute(query).first()


def domain_named(c: Connection, name: str) -> AnyRow | None:
    return project_named(c, name, DOMAIN_ROOT)


def ancestors(c: Connection, row: AnyRow) -> list[AnyRow]:
    """Return the projects above this one, nearest first, without the domain."""
    found: list[AnyRow] = []
    while row.parent_id and row.parent_id != row.domain_id and len(found) < 16:
        row = get(c, t.projects, row.parent_id, "project")
        found.append(row)
    return found


def children(c: Connection, ids: Iterable[str]) -> Sequence[AnyRow]:
    return c.execute(select(t.projects).where(t.projects.c.parent_id.in_(list(ids)))).all()


def subtree(c: Connection, id: str) -> list[AnyRow]:
    """Return the projects below this one, level by level."""
    found: list[AnyRow] = []
    level = list(children(c, [id]))
    while level:
        found += level
        level = list(children(c, [row.id for row in level]))
    return found


def remove_project(c: Connection, id: str) -> None:
    if below := children(c, [id]):
        names = ", ".join(row.name for row in below[:5])
        raise Conflict(f"Cannot delete project {id}: it has projects below it ({names}). Delete these first.")
    c.execute(
        delete(t.assignments).where(t.assignments.c.target_type == "project", t.assignments.c.target_id == id)
    )
    c.execute(update(t.users).where(t.users.c.default_project_id == id).values(default_project_id=None))
    c.execute(delete(t.projects).where(t.projects.c.id == id))


def remove_domain(c: Connection, id: str) -> None:
    for table in (t.users, t.groups):
        owned = select(table.c.id).where(table.c.domain_id == id)
        kind = "user" if table is t.users else "group"
        c.execute(
            delete(t.assignments).where(
                t.assignments.c.actor_type == kind, t.assignments.c.actor_id.in_(owned)
            )
        )
    c.execute(
        delete(t.memberships).where(
            t.memberships.c.user_id.in_(select(t.users.c.id).where(t.users.c.domain_id == id))
        )
    )
    c.execute(
        delete(t.memberships).where(
            t.memberships.c.group_id.in_(select(t.groups.c.id).where(t.groups.c.domain_id == id))
        )
    )
    inside = select(t.projects.c.id).where(t.projects.c.domain_id == id)
    c.execute(
        delete(t.assignments).where(
            or_(t.assignments.c.target_id.in_(inside), t.assignments.c.target_id == id)
        )
    )
    for table in (t.users, t.groups, t.roles, t.projects):
        c.execute(delete(table).where(table.c.domain_id == id))
    c.execute(delete(t.projects).where(t.projects.c.id == id))


# -- users and groups -------------------------------------------------------------------------------------------


def user_named(c: Connection, name: str, domain_id: str) -> AnyRow | None:
    return c.execute(select(t.users).where(t.users.c.name == name, t.users.c.domain_id == domain_id)).first()


def remove_user(c: Connection, id: str) -> None:
    get(c, t.users, id, "user")
    c.execute(
        delete(t.assignments).where(t.assignments.c.actor_type == "user", t.assignments.c.actor_id == id)
    )
    c.execute(delete(t.memberships).where(t.memberships.c.user_id == id))
    c.execute(delete(t.users).where(t.users.c.id == id))


def remove_group(c: Connection, id: str) -> None:
    get(c, t.groups, id, "group")
    c.execute(
        delete(t.assignments).where(t.assignments.c.actor_type == "group", t.assignments.c.actor_id == id)
    )
    c.execute(delete(t.memberships).where(t.memberships.c.group_id == id))
    c.execute(delete(t.groups).where(t.groups.c.id == id))


def groups_of(c: Connection, user_id: str) -> list[str]:
    query = select(t.memberships.c.group_id).where(t.memberships.c.user_id == user_id)
    return list(c.execute(query).scalars())


def add_member(c: Connection, group_id: str, user_id: str) -> None:
    if not is_member(c, group_id, user_id):
        c.execute(insert(t.memberships).values(group_id=group_id, user_id=user_id))


def is_member(c: Connection, group_id: str, user_id: str) -> bool:
    return (
        c.execute(
            select(t.memberships).where(
                t.memberships.c.group_id == group_id, t.memberships.c.user_id == user_id
            )
        ).first()
        is not None
    )


def remove_member(c: Connection, group_id: str, user_id: str) -> None:
    gone = c.execute(
        delete(t.memberships).where(t.memberships.c.group_id == group_id, t.memberships.c.user_id == user_id)
    ).rowcount
    if not gone:
        raise NotFound(f"User {user_id} is not in group {group_id}.")


# -- roles and assignments --------------------------------------------------------------------------------------


def role_named(c: Connection, name: str) -> AnyRow | None:
    return c.execute(select(t.roles).where(t.roles.c.name == name, t.roles.c.domain_id == "")).first()


def remove_role(c: Connection, id: str) -> None:
    get(c, t.roles, id, "role")
    c.execute(delete(t.assignments).where(t.assignments.c.role_id == id))
    c.execute(
        delete(t.implied_roles).where(
            or_(t.implied_roles.c.prior_role_id == id, t.implied_roles.c.implied_role_id == id)
        )
    )
    c.execute(delete(t.roles).where(t.roles.c.id == id))


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
    actors = [("user", user_id), *(("group", id) for id in groups_of(c, user_id))]
    a = t.assignments.c
    actor = or_(*(and_(a.actor_type == kind, a.actor_id == id) for kind, id in actors))
    target = and_(a.target_type == target_type, a.target_id == target_id, a.inherited.is_(False))
    if target_type == "project":
        row = project(c, target_id)
        above = [row.domain_id, *(up.id for up in ancestors(c, row))]
        target = or_(target, and_(a.inherited.is_(True), a.target_id.in_(above)))
    held = c.execute(select(a.role_id).where(actor, target)).scalars()
    ids = list(with_implied(c, held))
    query = select(t.roles.c.id, t.roles.c.name).where(t.roles.c.id.in_(ids))
    return {row.id: row.name for row in c.execute(query)}


def scopes_of(c: Connection, user_id: str) -> tuple[set[str], set[str], bool]:
    """Return the ids of projects and domains on which the user has a role, and whether on the system."""
    actors = [("user", user_id), *(("group", id) for id in groups_of(c, user_id))]
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
            projects_found.update(below.id for below in subtree(c, row.target_id))
    return projects_found, domains_found, any(row.target_type == "system" for row in rows)


# -- catalog and revocation -------------------------------------------------------------------------------------


def catalog(c: Connection) -> list[dict[str, Any]]:
    """Return enabled services with their enabled endpoints, as a token carries them."""
    found = c.execute(select(t.services).where(t.services.c.enabled).order_by(t.services.c.type)).all()
    links: dict[str, list[dict[str, Any]]] = {}
    for row in c.execute(select(t.endpoints).where(t.endpoints.c.enabled).order_by(t.endpoints.c.id)):
        links.setdefault(row.service_id, []).append(
            {
                "id": row.id,
                "interface": row.interface,
                "region_id": row.region_id,
                "region": row.region_id,
                "url": row.url,
            }
        )
    return [{"id": s.id, "type": s.type, "name": s.name, "endpoints": links.get(s.id, [])} for s in found]


def revoke(c: Connection, audit_id: str, expires_at: float) -> None:
    c.execute(delete(t.revocations).where(t.revocations.c.expires_at < time.time() - 3600))
    if not is_revoked(c, [audit_id]):
        c.execute(insert(t.revocations).values(audit_id=audit_id, expires_at=expires_at))


def is_revoked(c: Connection, audit_ids: Iterable[str]) -> bool:
    query = select(t.revocations.c.audit_id).where(t.revocations.c.audit_id.in_(list(audit_ids)))
    return c.execute(query).first() is not None


def region_in_use(c: Connection, id: str) -> None:
    if c.execute(select(t.regions.c.id).where(t.regions.c.parent_region_id == id)).first():
        raise Forbidden(
            f"Unable to delete region {id} because it or its child regions have associated endpoints."
        )
    if c.execute(select(t.endpoints.c.id).where(t.endpoints.c.region_id == id)).first():
        raise Forbidden(
            f"Unable to delete region {id} because it or its child regions have associated endpoints."
        )
