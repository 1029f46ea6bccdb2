"""Domains and projects: the trees, and their tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
)

from clearsky.db.engine import lock
from clearsky.errors import NotFound
from clearsky.identity import tables as t
from clearsky.identity.store.kit import AnyRow, get

DOMAIN_ROOT = "<<domains>>"


_NAMED = select(t.projects).where(
    t.projects.c.name == bindparam("name"), t.projects.c.domain_id == bindparam("domain_id")
)


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
    return c.execute(_NAMED, {"name": name, "domain_id": domain_id}).first()


def domain_named(c: Connection, name: str) -> AnyRow | None:
    return project_named(c, name, DOMAIN_ROOT)


def lock_trees(c: Connection) -> None:
    """Let nobody else make, switch or delete projects until this transaction ends: a rule holds for a whole branch."""
    lock(c, "identity.projects")


# -- trees ------------------------------------------------------------------------------------------------------


def lineage(id: str) -> CTE:
    """Return (id, depth) of a project or domain and of all above it; the domain is the last."""
    p = t.projects
    line = (
        select(p.c.id, p.c.parent_id, literal(0).label("depth"))
        .where(p.c.id == id)
        .cte("lineage", recursive=True)
    )
    return line.union_all(
        select(p.c.id, p.c.parent_id, line.c.depth + 1).join(line, p.c.id == line.c.parent_id)
    )


def offspring(id: str) -> CTE:
    """Return (id, depth) of a project or domain and of all projects below it."""
    p = t.projects
    line = select(p.c.id, literal(0).label("depth")).where(p.c.id == id).cte("offspring", recursive=True)
    return line.union_all(select(p.c.id, line.c.depth + 1).join(line, p.c.parent_id == line.c.id))


def path(c: Connection, row: AnyRow) -> list[AnyRow]:
    """Return what is above a project, nearest first; the domain is the last."""
    line = lineage(row.id)
    query = select(t.projects).join(line, line.c.id == t.projects.c.id).where(line.c.depth > 0)
    return list(c.execute(query.order_by(line.c.depth)))


def ancestors(c: Connection, row: AnyRow) -> list[AnyRow]:
    """Return the projects above this one, nearest first, without the domain."""
    return [above for above in path(c, row) if not above.is_domain]


def children(c: Connection, ids: Iterable[str]) -> Sequence[AnyRow]:
    return c.execute(select(t.projects).where(t.projects.c.parent_id.in_(list(ids)))).all()


def subtree(c: Connection, id: str) -> list[AnyRow]:
    """Return the projects below this one, level by level."""
    line = offspring(id)
    query = select(t.projects).join(line, line.c.id == t.projects.c.id).where(line.c.depth > 0)
    return list(c.execute(query.order_by(line.c.depth, t.projects.c.id)))


# -- tags -------------------------------------------------------------------------------------------------------


def tags_of(c: Connection, projects: Select[Any]) -> dict[str, list[str]]:
    """Return project id -> tags of the projects that a query (of ids) finds."""
    own = t.project_tags.c
    found: dict[str, list[str]] = {}
    for row in c.execute(
        select(own.project_id, own.tag).where(own.project_id.in_(projects)).order_by(own.project_id, own.tag)
    ):
        found.setdefault(row.project_id, []).append(row.tag)
    return found


def tags(c: Connection, id: str) -> list[str]:
    own = t.project_tags.c
    return list(c.execute(select(own.tag).where(own.project_id == id).order_by(own.tag)).scalars())


def lock_tags(c: Connection, id: str) -> None:
    """Let nobody else change a project's tags until this transaction ends."""
    lock(c, f"identity.project_tags.{id}")


def set_tags(c: Connection, id: str, wanted: Iterable[str]) -> None:
    """Replace a project's tags; where they follow from the present ones, `lock_tags` comes before."""
    lock_tags(c, id)
    c.execute(delete(t.project_tags).where(t.project_tags.c.project_id == id))
    rows = [{"project_id": id, "tag": tag} for tag in sorted(set(wanted))]
    if rows:
        c.execute(insert(t.project_tags), rows)


def remove_tag(c: Connection, id: str, tag: str) -> None:
    own = t.project_tags.c
    if not c.execute(delete(t.project_tags).where(own.project_id == id, own.tag == tag)).rowcount:
        raise NotFound(f"Could not find project tag {tag!r} of project {id}.")


def tagged(asked: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """Return the conditions of `tags`, `tags-any`, `not-tags` and `not-tags-any` (comma-separated)."""
    own = t.project_tags.c
    found: list[ColumnElement[bool]] = []
    for name in ("tags", "tags-any", "not-tags", "not-tags-any"):
        if name not in asked:
            continue
        wanted = sorted(set(asked[name].split(",")))
        having = select(own.project_id).where(own.tag.in_(wanted))
        if not name.endswith("any"):
            having = having.group_by(own.project_id).having(func.count() == len(wanted))
        inside = t.projects.c.id.in_(having)
        found.append(~inside if name.startswith("not") else inside)
    return found
