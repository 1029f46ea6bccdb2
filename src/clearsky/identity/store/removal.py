"""Deleting what other rows hang on: each function takes everything of it away, in the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, select, update

from clearsky.errors import Conflict
from clearsky.identity import tables as t
from clearsky.identity.store import resource
from clearsky.identity.store.kit import get


def project(c: Connection, id: str) -> None:
    if below := resource.children(c, [id]):
        names = ", ".join(row.name for row in below[:5])
        raise Conflict(f"Cannot delete project {id}: it has projects below it ({names}). Delete these first.")
    c.execute(
        delete(t.assignments).where(t.assignments.c.target_type == "project", t.assignments.c.target_id == id)
    )
    c.execute(update(t.users).where(t.users.c.default_project_id == id).values(default_project_id=None))
    c.execute(delete(t.limits).where(t.limits.c.project_id == id))
    c.execute(delete(t.projects).where(t.projects.c.id == id))


def domain(c: Connection, id: str) -> None:
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
    c.execute(delete(t.limits).where(or_(t.limits.c.project_id.in_(inside), t.limits.c.domain_id == id)))
    for table in (t.users, t.groups, t.roles, t.projects):
        c.execute(delete(table).where(table.c.domain_id == id))
    c.execute(delete(t.projects).where(t.projects.c.id == id))


def user(c: Connection, id: str) -> None:
    get(c, t.users, id, "user")
    c.execute(
        delete(t.assignments).where(t.assignments.c.actor_type == "user", t.assignments.c.actor_id == id)
    )
    c.execute(delete(t.memberships).where(t.memberships.c.user_id == id))
    c.execute(delete(t.users).where(t.users.c.id == id))


def group(c: Connection, id: str) -> None:
    get(c, t.groups, id, "group")
    c.execute(
        delete(t.assignments).where(t.assignments.c.actor_type == "group", t.assignments.c.actor_id == id)
    )
    c.execute(delete(t.memberships).where(t.memberships.c.group_id == id))
    c.execute(delete(t.groups).where(t.groups.c.id == id))


def role(c: Connection, id: str) -> None:
    get(c, t.roles, id, "role")
    c.execute(delete(t.assignments).where(t.assignments.c.role_id == id))
    c.execute(
        delete(t.implied_roles).where(
            or_(t.implied_roles.c.prior_role_id == id, t.implied_roles.c.implied_role_id == id)
        )
    )
    c.execute(delete(t.roles).where(t.roles.c.id == id))


def service(c: Connection, id: str) -> None:
    """Remove a service of the catalog with its endpoints and limits."""
    get(c, t.services, id, "service")
    registered = select(t.registered_limits.c.id).where(t.registered_limits.c.service_id == id)
    c.execute(delete(t.limits).where(t.limits.c.registered_limit_id.in_(registered)))
    c.execute(delete(t.registered_limits).where(t.registered_limits.c.service_id == id))
    c.execute(delete(t.endpoints).where(t.endpoints.c.service_id == id))
    c.execute(delete(t.services).where(t.services.c.id == id))
