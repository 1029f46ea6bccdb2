"""Domains and projects: the trees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from clearsky.errors import NotFound
from clearsky.identity import tables as t
from clearsky.identity.store.kit import AnyRow, get

DOMAIN_ROOT = "<<domains>>"


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
