"""Unified limits: defaults by service, region and resource, and what a project or domain has instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select

from clearsky.errors import Forbidden, NotFound
from clearsky.identity import tables as t
from clearsky.identity.store.kit import AnyRow


def all_limits() -> Select[Any]:
    """Return the query for limits with what their registered limit says about them."""
    registered = t.registered_limits.c
    return select(
        t.limits, registered.service_id, registered.region_id, registered.resource_name, registered.default_limit
    ).join(t.registered_limits, registered.id == t.limits.c.registered_limit_id)  # fmt: skip


def in_scope(*, project_id: str | None, domain_id: str | None) -> ColumnElement[bool]:
    """Limit to what a token of a project, or of a domain, may see."""
    if domain_id:
        inside = select(t.projects.c.id).where(t.projects.c.domain_id == domain_id)
        return or_(t.limits.c.domain_id == domain_id, t.limits.c.project_id.in_(inside))
    return t.limits.c.project_id == project_id if project_id else false()


def limit(c: Connection, id: str) -> AnyRow:
    row = c.execute(all_limits().where(t.limits.c.id == id)).first()
    if row is None:
        raise NotFound(f"Could not find limit for {id}.")
    return row


def registered(c: Connection, service_id: str, region_id: str, resource_name: str) -> AnyRow:
    """Return the registered limit that a limit refers to; raises Forbidden where there is none."""
    own = t.registered_limits.c
    row = c.execute(
        select(t.registered_limits).where(
            own.service_id == service_id, own.region_id == region_id, own.resource_name == resource_name
        )
    ).first()
    if row is None:
        raise Forbidden(
            "Unable to create a limit that has no corresponding registered limit: there is none for "
            f"service {service_id}, region {region_id or None}, resource {resource_name!r}."
        )
    return row


def refuse_in_use(c: Connection, registered_limit_id: str) -> None:
    """Raise Forbidden where limits refer to the registered limit."""
    if c.execute(select(t.limits.c.id).where(t.limits.c.registered_limit_id == registered_limit_id)).first():
        raise Forbidden(
            f"Unable to update or delete registered limit {registered_limit_id} because there are project "
            "limits associated with it."
        )


def of_project(
    c: Connection, project_id: str, service_type: str, region_id: str, names: Iterable[str]
) -> dict[str, int]:
    """Return resource name -> limit: the project's own, else the default; names nobody registered are left out."""
    own = t.registered_limits.c
    query = (
        select(own.resource_name, own.region_id, func.coalesce(t.limits.c.resource_limit, own.default_limit))
        .join(t.services, t.services.c.id == own.service_id)
        .outerjoin(
            t.limits,
            and_(t.limits.c.registered_limit_id == own.id, t.limits.c.project_id == project_id),
        )
        .where(
            t.services.c.type == service_type,
            own.resource_name.in_(list(names)),
            own.region_id.in_(["", region_id]),
        )
        .order_by(own.region_id)  # the region's own comes last, and counts
    )
    return {name: int(value) for name, _, value in c.execute(query)}


def of_projects(c: Connection, ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return project id -> its own limits."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in c.execute(all_limits().where(t.limits.c.project_id.in_(list(ids))).order_by(t.limits.c.id)):
        names = ("id", "service_id", "resource_name", "resource_limit", "project_id", "description")
        one = {name: getattr(row, name) for name in names}
        found.setdefault(row.project_id, []).append(
            one | {"region_id": row.region_id or None, "domain_id": None}
        )
    return found
