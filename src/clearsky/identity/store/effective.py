"""What roles users have in effect: by groups, inheritance and implied roles; one statement, however many rows.

Inheritance is followed upward from the projects that are asked for, or downward from what was given to be inherited,
whichever reads fewer rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    literal,
    or_,
    select,
    union,
    union_all,
)

from clearsky.identity import tables as t
from clearsky.identity.store import identity, resource

SYSTEM = "system"
Value = str | BindParameter[str]
"""A value, or its name in a query that is made once and asked with many values."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which assignments; what is empty does not limit."""

    user_id: Value = ""
    group_id: str = ""
    role_ids: tuple[str, ...] | None = None
    project_id: Value = ""
    subtree: bool = False
    """With the projects below `project_id`."""
    domain_id: Value = ""
    system: bool = False
    inherited: bool | None = None
    """Only those (not) to be inherited; of given assignments, not of effective ones."""
    within_domain: str = ""
    """Only on this domain and its projects: what a token of the domain may see."""
    more_groups: tuple[str, ...] | BindParameter[Sequence[str]] = ()
    """Groups of `user_id` besides the recorded memberships."""
    now: BindParameter[float] | None = None
    """When memberships must be good; None: as the query is made."""


def _set(value: Value | tuple[str, ...] | BindParameter[Sequence[str]]) -> bool:
    return isinstance(value, BindParameter) or bool(value)


_IMPLICATIONS = select(t.implied_roles)


def implications(c: Connection) -> list[tuple[str, str]]:
    return [(row.prior_role_id, row.implied_role_id) for row in c.execute(_IMPLICATIONS)]


def with_implied(c: Connection, role_ids: Iterable[str]) -> dict[str, str | None]:
    """Return role id -> the prior role that implies it (None: held itself), following implications."""
    held = list(role_ids)
    return closure(implications(c), held) if held else {}


def closure(rules: list[tuple[str, str]], role_ids: Iterable[str]) -> dict[str, str | None]:
    """Return role id -> the prior role that implies it, by these rules; circles end."""
    found: dict[str, str | None] = dict.fromkeys(role_ids)
    grown = True
    while grown:
        grown = False
        for prior, implied in rules:
            if prior in found and implied not in found:
                found[implied] = prior
                grown = True
    return found


def given(wanted: Wanted) -> Subquery:
    """Return the assignments as they were given, with the columns of `query`."""
    a = t.assignments.c
    limits: list[ColumnElement[bool]] = []
    if _set(wanted.user_id):
        limits.append(and_(a.actor_type == "user", a.actor_id == wanted.user_id))
    if wanted.group_id:
        limits.append(and_(a.actor_type == "group", a.actor_id == wanted.group_id))
    if wanted.inherited is not None:
        limits.append(a.inherited.is_(wanted.inherited))
    columns = (a.actor_type, a.actor_id, a.target_type, a.target_id, a.role_id, a.inherited)
    nothing = (literal("").label("group_id"), literal("").label("from_type"), literal("").label("from_id"))
    limits += [*_roles(wanted), *_place(wanted, _below(wanted), a.target_type, a.target_id)]
    return select(*columns, *nothing).where(*limits).subquery("assigned")


def query(wanted: Wanted) -> Subquery:
    """Return actor (always a user), target and role of the assignments in effect, implied roles not yet followed.

    `group_id` names the group by which the user has it, `from_type` and `from_id` what it is inherited from.
    """
    below = _below(wanted)
    up = _up(wanted, below) if _set(wanted.project_id) else None
    held = _held(wanted, _from(wanted, up))
    h = held.c
    columns = (h.actor_type, h.actor_id, h.group_id, h.role_id)
    direct = select(
        *columns, h.target_type, h.target_id, h.inherited,
        literal("").label("from_type"), literal("").label("from_id"),
    ).where(h.inherited.is_(False), *_place(wanted, below, h.target_type, h.target_id))  # fmt: skip
    if _set(wanted.domain_id) or wanted.system:  # inherited roles are on projects only
        return direct.subquery("effective")
    reach = up if up is not None else _down(held)
    project = literal("project").label("target_type")
    inherited = (
        select(
            *columns, project, reach.c.id.label("target_id"), h.inherited,
            h.target_type.label("from_type"), h.target_id.label("from_id"),
        )
        .join(reach, reach.c.above == h.target_id)
        .where(h.inherited.is_(True), *_place(wanted, below, literal("project"), reach.c.id))
    )  # fmt: skip
    return union_all(direct, inherited).subquery("effective")


def _from(wanted: Wanted, up: CTE | None) -> list[ColumnElement[bool]]:
    """Return the conditions for the assignments from which those that are wanted can come."""
    a = t.assignments.c
    if up is not None:
        return [a.target_id.in_(union(select(up.c.id), select(up.c.above)))]
    if _set(wanted.domain_id):
        return [a.target_id == wanted.domain_id]
    return [a.target_type == SYSTEM] if wanted.system else []


def _held(wanted: Wanted, limits: list[ColumnElement[bool]]) -> CTE:
    """Return the assignments to users, and to groups as if to each member."""
    a = t.assignments.c
    limits = [*limits, *_roles(wanted)]
    columns = (a.target_type, a.target_id, a.role_id, a.inherited)
    user = literal("user").label("actor_type")
    own = select(user, a.actor_id, literal("").label("group_id"), *columns).where(
        a.actor_type == "user", *_roles(wanted)
    )
    member = identity.memberships(wanted.now).subquery("members")
    by_group = (
        select(user, member.c.user_id.label("actor_id"), a.actor_id.label("group_id"), *columns)
        .join(member, member.c.group_id == a.actor_id)
        .where(a.actor_type == "group", *limits)
    )
    parts: list[Select[Any]] = [own, by_group]
    if _set(wanted.user_id):
        parts = [own.where(a.actor_id == wanted.user_id), by_group.where(member.c.user_id == wanted.user_id)]
        if _set(wanted.more_groups):
            asked = wanted.user_id if isinstance(wanted.user_id, BindParameter) else literal(wanted.user_id)
            vouched = select(user, asked.label("actor_id"), a.actor_id.label("group_id"), *columns)
            parts.append(vouched.where(a.actor_type == "group", a.actor_id.in_(wanted.more_groups), *limits))
    return union_all(*parts).cte("held")


def _roles(wanted: Wanted) -> list[ColumnElement[bool]]:
    return [] if wanted.role_ids is None else [t.assignments.c.role_id.in_(wanted.role_ids)]


def _below(wanted: Wanted) -> CTE | None:
    return resource.offspring(str(wanted.project_id)) if wanted.subtree else None


def _place(wanted: Wanted, below: CTE | None, kind: Any, id: Any) -> list[ColumnElement[bool]]:
    """Return the conditions on the target of an assignment."""
    limits: list[ColumnElement[bool]] = []
    if _set(wanted.project_id):
        chosen = id.in_(select(below.c.id)) if below is not None else id == wanted.project_id
        limits += [kind == "project", chosen]
    if _set(wanted.domain_id):
        limits += [kind == "domain", id == wanted.domain_id]
    if wanted.system:
        limits.append(kind == SYSTEM)
    if wanted.within_domain:
        inside = select(t.projects.c.id).where(
            or_(t.projects.c.domain_id == wanted.within_domain, t.projects.c.id == wanted.within_domain)
        )
        limits.append(id.in_(inside))
    return limits


def _up(wanted: Wanted, below: CTE | None) -> CTE:
    """Return (id, above): each project that is wanted with everything above it."""
    p = t.projects
    chosen = p.c.id.in_(select(below.c.id)) if below is not None else p.c.id == wanted.project_id
    line = (
        select(p.c.id, p.c.parent_id.label("above"))
        .where(chosen, p.c.is_domain.is_(False))
        .cte("upward", recursive=True)
    )
    return line.union_all(
        select(line.c.id, p.c.parent_id).join(line, p.c.id == line.c.above).where(p.c.parent_id.is_not(None))
    )


def _down(held: CTE) -> CTE:
    """Return (id, above): each target of an assignment that is inherited, with every project below it."""
    p = t.projects
    roots = select(held.c.target_id).where(held.c.inherited.is_(True)).distinct()
    line = (
        select(p.c.id, p.c.parent_id.label("above"))
        .where(p.c.parent_id.in_(roots))
        .cte("downward", recursive=True)
    )
    return line.union_all(select(p.c.id, line.c.above).join(line, p.c.parent_id == line.c.id))
