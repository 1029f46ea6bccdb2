"""The catalog as tokens carry it: which endpoints a project sees; regions in regions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, and_, bindparam, false, or_, select

from clearsky.errors import Forbidden
from clearsky.identity import tables as t
from clearsky.identity.store.kit import AnyRow

VARIABLE = re.compile(r"[$%]\((\w+)\)s")
"""What an endpoint's URL may hold: `$(project_id)s`, also with a percent sign."""
VARIABLES = ("project_id", "tenant_id", "user_id")
_SERVICES = select(t.services).where(t.services.c.enabled).order_by(t.services.c.type)
_ENDPOINTS = select(t.endpoints).where(t.endpoints.c.enabled).order_by(t.endpoints.c.id)
_OWN_ENDPOINTS = select(t.project_endpoints.c.endpoint_id).where(
    t.project_endpoints.c.project_id == bindparam("project_id")
)
_OWN_GROUPS = select(t.endpoint_groups).where(
    t.endpoint_groups.c.id.in_(
        select(t.project_endpoint_groups.c.endpoint_group_id).where(
            t.project_endpoint_groups.c.project_id == bindparam("project_id")
        )
    )
)


def enabled(c: Connection, project_id: str = "", user_id: str = "") -> list[dict[str, Any]]:
    """Return enabled services with the enabled endpoints that a project sees, as a token carries them.

    Without associations a project sees all. Endpoints whose URL needs a project are left out where there is none.
    """
    found = c.execute(_SERVICES).all()
    values = {"project_id": project_id, "tenant_id": project_id, "user_id": user_id}
    query = _ENDPOINTS
    if project_id and (chosen := _chosen(c, project_id)) is not None:
        query = query.where(chosen)
    links: dict[str, list[dict[str, Any]]] = {}
    for row in c.execute(query):
        if any(not values.get(name) for name in VARIABLE.findall(row.url)):
            continue
        links.setdefault(row.service_id, []).append(
            {
                "id": row.id,
                "interface": row.interface,
                "region_id": row.region_id,
                "region": row.region_id,
                "url": VARIABLE.sub(lambda match: values[match[1]], row.url),
            }
        )
    return [{"id": s.id, "type": s.type, "name": s.name, "endpoints": links.get(s.id, [])} for s in found]


# -- which endpoints a project sees -----------------------------------------------------------------------------


def groups_of_project(project_id: str) -> Select[Any]:
    """Return the query for the endpoint groups of a project."""
    return _OWN_GROUPS.params(project_id=project_id)


def in_group(filters: dict[str, Any]) -> ColumnElement[bool]:
    """Return the condition for endpoints that have all that the filters say."""
    return and_(*(t.endpoints.c[name] == value for name, value in filters.items()))


def of_project(c: Connection, project_id: str) -> ColumnElement[bool]:
    """Return the condition for the endpoints associated with a project, one by one or by groups."""
    chosen = _chosen(c, project_id)
    return false() if chosen is None else chosen


def _chosen(c: Connection, project_id: str) -> ColumnElement[bool] | None:
    """Return the condition for a project's endpoints; None where it has no associations."""
    asked = {"project_id": project_id}
    ids = list(c.execute(_OWN_ENDPOINTS, asked).scalars())
    groups = c.execute(_OWN_GROUPS, asked).all()
    if not ids and not groups:
        return None
    return or_(t.endpoints.c.id.in_(ids), *(in_group(row.filters) for row in groups))


# -- regions ----------------------------------------------------------------------------------------------------


def _below(id: str) -> CTE:
    r = t.regions
    line = select(r.c.id).where(r.c.id == id).cte("regions_below", recursive=True)
    return line.union(select(r.c.id).join(line, r.c.parent_region_id == line.c.id))


def regions_below(c: Connection, id: str) -> list[str]:
    """Return a region with all below it."""
    return list(c.execute(select(_below(id).c.id)).scalars())


def regions_above(c: Connection, id: str) -> list[str]:
    """Return a region and those above it, nearest first."""
    found: list[str] = []
    parents: dict[str, str | None] = {
        row.id: row.parent_region_id
        for row in c.execute(select(t.regions.c.id, t.regions.c.parent_region_id))
    }
    at: str | None = id
    while at and at not in found:
        found.append(at)
        at = parents.get(at)
    return found


def refuse_region_in_use(c: Connection, ids: Sequence[str]) -> None:
    """Raise Forbidden where endpoints are in one of these regions."""
    if c.execute(select(t.endpoints.c.id).where(t.endpoints.c.region_id.in_(ids))).first():
        raise Forbidden(
            f"Unable to delete region {ids[0]} because it or its child regions have associated endpoints."
        )


# -- policies for endpoints -------------------------------------------------------------------------------------


def policy_for(c: Connection, endpoint: AnyRow) -> str | None:
    """Return the id of an endpoint's policy: its own, else its service's in the nearest region, else its service's."""
    own = t.policy_associations.c
    rows = c.execute(
        select(t.policy_associations).where(
            or_(own.endpoint_id == endpoint.id, own.service_id == endpoint.service_id)
        )
    ).all()
    found = {(row.endpoint_id, row.service_id, row.region_id): row.policy_id for row in rows}
    regions = regions_above(c, endpoint.region_id) if endpoint.region_id else []
    places = [
        (endpoint.id, "", ""),
        *(("", endpoint.service_id, region) for region in regions),
        ("", endpoint.service_id, ""),
    ]
    return next((str(found[place]) for place in places if place in found), None)


def endpoints_of_policy(c: Connection, policy_id: str) -> list[AnyRow]:
    """Return the endpoints for which `policy_for` gives this policy."""
    own = t.policy_associations.c
    mine = c.execute(select(t.policy_associations).where(own.policy_id == policy_id)).all()
    near = or_(
        t.endpoints.c.id.in_([row.endpoint_id for row in mine if row.endpoint_id]),
        t.endpoints.c.service_id.in_([row.service_id for row in mine if row.service_id]),
    )
    rows = c.execute(select(t.endpoints).where(near).order_by(t.endpoints.c.id)).all()
    return [row for row in rows if policy_for(c, row) == policy_id]
