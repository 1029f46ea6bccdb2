"""Roles, what they imply, and who was given them where; what follows from that is in `effective`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Double, Select, String, and_, bindparam, delete, or_, select

from clearsky.errors import NotFound
from clearsky.identity import tables as t
from clearsky.identity.store import delegation, effective
from clearsky.identity.store.effective import SYSTEM, implications, with_implied
from clearsky.identity.store.kit import AnyRow, ensure

__all__ = [
    "SYSTEM",
    "assign",
    "assigned",
    "implications",
    "implied_by",
    "imply",
    "role_named",
    "roles_on",
    "scopes_of",
    "unassign",
    "unimply",
    "with_implied",
]  # fmt: skip


def role_named(c: Connection, name: str) -> AnyRow | None:
    return c.execute(select(t.roles).where(t.roles.c.name == name, t.roles.c.domain_id == "")).first()


def implied_by(c: Connection, prior_role_id: str) -> Sequence[AnyRow]:
    """Return the roles that a role implies directly."""
    rule = t.implied_roles.c
    query = select(t.roles).join(t.implied_roles, rule.implied_role_id == t.roles.c.id)
    return c.execute(query.where(rule.prior_role_id == prior_role_id).order_by(t.roles.c.id)).all()


def imply(c: Connection, prior: str, implied: str) -> None:
    ensure(c, t.implied_roles, {"prior_role_id": prior, "implied_role_id": implied})


def unimply(c: Connection, prior: str, implied: str) -> None:
    """Take an implication away; raises NotFound where there is none."""
    rule = t.implied_roles.c
    gone = c.execute(
        delete(t.implied_roles).where(and_(rule.prior_role_id == prior, rule.implied_role_id == implied))
    ).rowcount
    if not gone:
        raise NotFound(f"Role {prior} does not imply role {implied}.")


def assign(c: Connection, values: dict[str, Any]) -> None:
    ensure(c, t.assignments, values)


def unassign(c: Connection, values: dict[str, Any]) -> None:
    where = and_(*(t.assignments.c[name] == value for name, value in values.items()))
    if not c.execute(delete(t.assignments).where(where)).rowcount:
        raise NotFound(
            f"Could not find role assignment with role: {values['role_id']}, "
            f"{values['actor_type']}: {values['actor_id']}, {values['target_type']}: {values['target_id']}."
        )
    if values["actor_type"] == "user" and values["target_type"] == "project":
        delegation.forget_grant(c, values["actor_id"], values["target_id"])


def assigned(c: Connection, values: dict[str, Any]) -> Sequence[AnyRow]:
    return c.execute(select(t.assignments).filter_by(**values)).all()


def roles_on(
    c: Connection, user_id: str, target_type: str, target_id: str, more_groups: Iterable[str] = ()
) -> dict[str, str]:
    """Return id -> name of every role the user has there: direct, by group, inherited, implied.

    A domain's own roles are not among them: they only stand for the roles that they imply.
    `more_groups`: those that an identity provider's claims led to, for the life of a token.
    """
    groups = list(more_groups)
    given = {"user_id": user_id, "target_id": target_id, "groups": groups, "now": time.time()}
    query = _held_roles(target_type, by_more_groups=bool(groups))
    held = {row.role_id for row in c.execute(query, given)}
    if not held:
        return {}
    return {row.id: row.name for row in c.execute(_GLOBAL_ROLES, {"ids": list(with_implied(c, held))})}


@cache
def _held_roles(target_type: str, *, by_more_groups: bool) -> Select[Any]:
    """Return the query for the roles of `user_id` on `target_id`, made once: every new token asks it."""
    target = bindparam("target_id", type_=String)
    wanted = effective.Wanted(
        user_id=bindparam("user_id", type_=String),
        project_id=target if target_type == "project" else "",
        domain_id=target if target_type == "domain" else "",
        system=target_type == SYSTEM,
        more_groups=bindparam("groups", expanding=True) if by_more_groups else (),
        now=bindparam("now", type_=Double),
    )
    return select(effective.query(wanted).c.role_id)


_GLOBAL_ROLES = (
    select(t.roles.c.id, t.roles.c.name)
    .where(t.roles.c.id.in_(bindparam("ids", expanding=True)), t.roles.c.domain_id == "")
    .order_by(t.roles.c.name)
)


def scopes_of(
    c: Connection, user_id: str, more_groups: Iterable[str] = ()
) -> tuple[set[str], set[str], bool]:
    """Return the ids of projects and domains on which the user has a role, and whether on the system."""
    found = effective.query(effective.Wanted(user_id=user_id, more_groups=tuple(more_groups)))
    targets: dict[str, set[str]] = {}
    for row in c.execute(select(found.c.target_type, found.c.target_id).distinct()):
        targets.setdefault(row.target_type, set()).add(row.target_id)
    return targets.get("project", set()), targets.get("domain", set()), SYSTEM in targets


def of_actor_or_target(kind: str, ids: Any) -> Any:
    """Return the condition for the assignments to, or on, what `ids` (one id or a query) names."""
    a = t.assignments.c
    type_column, id_column = (
        (a.actor_type, a.actor_id) if kind in ("user", "group") else (a.target_type, a.target_id)
    )
    named = id_column == ids if isinstance(ids, str) else id_column.in_(ids)
    return and_(type_column == kind, named)


def involving(pairs: Iterable[tuple[str, Any]]) -> Any:
    return or_(*(of_actor_or_target(kind, ids) for kind, ids in pairs))
