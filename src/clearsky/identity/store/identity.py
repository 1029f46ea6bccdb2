"""Users, groups, memberships."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import CompoundSelect, Connection, bindparam, delete, select, update

from clearsky.errors import NotFound
from clearsky.identity import tables as t
from clearsky.identity.store.kit import AnyRow, ensure

_NAMED = select(t.users).where(
    t.users.c.name == bindparam("name"), t.users.c.domain_id == bindparam("domain_id")
)


def user_named(c: Connection, name: str, domain_id: str) -> AnyRow | None:
    return c.execute(_NAMED, {"name": name, "domain_id": domain_id}).first()


def note_failure_of_nobody(c: Connection) -> None:
    """Count a failed log-in that is nobody's."""
    table = t.revision
    counted = update(table).where(table.c.id == 0).values(value=table.c.value + 1)
    if not c.execute(counted).rowcount:
        ensure(c, table, {"id": 0, "value": 1})


def memberships(now: Any = None) -> CompoundSelect[Any]:
    """Return the query for who (user_id) is in which group (group_id) at a time; now where none is given.

    Those are included that an identity provider has vouched for, as long as they last.
    """
    vouched = t.expiring_memberships.c
    now = time.time() if now is None else now
    return select(t.memberships.c.group_id, t.memberships.c.user_id).union(
        select(vouched.group_id, vouched.user_id).where(vouched.expires_at > now)
    )


def membership_ends(c: Connection, user_id: str) -> dict[str, float]:
    """Return group id -> when the membership ends, of those that an identity provider has vouched for."""
    vouched = t.expiring_memberships.c
    lasting = select(t.memberships.c.group_id).where(t.memberships.c.user_id == user_id)
    query = select(vouched.group_id, vouched.expires_at).where(
        vouched.user_id == user_id, vouched.group_id.not_in(lasting)
    )
    return {row.group_id: row.expires_at for row in c.execute(query)}


def groups_of(c: Connection, user_id: str) -> list[str]:
    member = memberships().subquery()
    return list(c.execute(select(member.c.group_id).where(member.c.user_id == user_id)).scalars())


def add_member(c: Connection, group_id: str, user_id: str) -> None:
    ensure(c, t.memberships, {"group_id": group_id, "user_id": user_id})


def remove_member(c: Connection, group_id: str, user_id: str) -> None:
    gone = c.execute(
        delete(t.memberships).where(t.memberships.c.group_id == group_id, t.memberships.c.user_id == user_id)
    ).rowcount
    if not gone:
        raise NotFound(f"User {user_id} is not in group {group_id}.")
