"""Identity providers, protocols, mappings, service providers, and the users that were vouched for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from clearsky.errors import Conflict, NotFound
from clearsky.identity import tables as t
from clearsky.identity.store.kit import AnyRow, create, named


def protocol(c: Connection, provider_id: str, id: str) -> AnyRow:
    table = t.protocols
    row = c.execute(select(table).where(table.c.provider_id == provider_id, table.c.id == id)).first()
    if row is None:
        raise NotFound(f"Could not find federated protocol {id} for Identity Provider: {provider_id}.")
    return row


def protocols_of(provider_id: str) -> Any:
    return select(t.protocols).where(t.protocols.c.provider_id == provider_id).order_by(t.protocols.c.id)


def change_protocol(c: Connection, provider_id: str, id: str, values: dict[str, Any]) -> AnyRow:
    table = t.protocols
    protocol(c, provider_id, id)
    where = (table.c.provider_id == provider_id) & (table.c.id == id)
    return c.execute(update(table).where(where).values(**values).returning(table)).one()


def remove_protocol(c: Connection, provider_id: str, id: str) -> None:
    """Delete a protocol, and the users that came by it."""
    protocol(c, provider_id, id)
    came = t.federated_users.c
    _remove_users(c, (came.provider_id == provider_id) & (came.protocol_id == id))
    table = t.protocols
    c.execute(delete(table).where(table.c.provider_id == provider_id, table.c.id == id))


def _remove_users(c: Connection, where: Any) -> None:
    ids = list(c.execute(select(t.federated_users.c.user_id).where(where)).scalars())
    c.execute(delete(t.federated_users).where(where))
    c.execute(delete(t.expiring_memberships).where(t.expiring_memberships.c.user_id.in_(ids)))


def remote_ids_of(c: Connection, provider_ids: Any) -> dict[str, list[str]]:
    """Return provider id -> remote ids, of those that have any; one id, or a query for several."""
    found: dict[str, list[str]] = {}
    table = t.remote_ids
    query = select(table).where(named(table.c.provider_id, provider_ids)).order_by(table.c.remote_id)
    for row in c.execute(query):
        found.setdefault(row.provider_id, []).append(row.remote_id)
    return found


def set_remote_ids(c: Connection, provider_id: str, remote_ids: Iterable[str]) -> None:
    """Replace a provider's remote ids; raises Conflict where another one has one of them."""
    table = t.remote_ids
    c.execute(delete(table).where(table.c.provider_id == provider_id))
    for remote_id in remote_ids:
        taken = c.execute(select(table.c.provider_id).where(table.c.remote_id == remote_id)).first()
        if taken is not None:
            raise Conflict(
                f"Duplicate remote ID: {remote_id}. It belongs to identity provider {taken.provider_id}."
            )
        c.execute(insert(table).values(remote_id=remote_id, provider_id=provider_id))


def remove_provider(c: Connection, id: str) -> None:
    """Delete an identity provider with everything of it."""
    _remove_users(c, t.federated_users.c.provider_id == id)
    c.execute(delete(t.expiring_memberships).where(t.expiring_memberships.c.provider_id == id))
    for table in (t.remote_ids, t.protocols):
        c.execute(delete(table).where(table.c.provider_id == id))
    c.execute(delete(t.identity_providers).where(t.identity_providers.c.id == id))


def federated_user(c: Connection, provider_id: str, protocol_id: str, unique_id: str) -> AnyRow | None:
    table = t.federated_users
    wanted = {"provider_id": provider_id, "protocol_id": protocol_id, "unique_id": unique_id}
    return c.execute(select(table).filter_by(**wanted)).first()


def add_federated_user(c: Connection, values: dict[str, Any]) -> AnyRow:
    return create(c, t.federated_users, values, "federated user")


def federated_of(c: Connection, user_id: str) -> Sequence[AnyRow]:
    return c.execute(select(t.federated_users).where(t.federated_users.c.user_id == user_id)).all()


def set_display_name(c: Connection, user_id: str, name: str) -> None:
    c.execute(
        update(t.federated_users).where(t.federated_users.c.user_id == user_id).values(display_name=name)
    )


def set_expiring_memberships(
    c: Connection, user_id: str, provider_id: str, group_ids: Iterable[str], expires_at: float
) -> None:
    """Let what this provider's claims led to last until `expires_at`; what they no longer say ends now."""
    table = t.expiring_memberships
    c.execute(delete(table).where(table.c.user_id == user_id, table.c.provider_id == provider_id))
    for group_id in dict.fromkeys(group_ids):
        row = {"user_id": user_id, "group_id": group_id, "provider_id": provider_id, "expires_at": expires_at}
        c.execute(insert(table).values(**row))


def expiring_groups_of(c: Connection, user_id: str, now: float) -> list[str]:
    table = t.expiring_memberships
    query = select(table.c.group_id).where(table.c.user_id == user_id, table.c.expires_at > now)
    return list(c.execute(query.distinct()).scalars())


_NEXT_END = select(func.min(t.expiring_memberships.c.expires_at)).where(
    t.expiring_memberships.c.user_id == bindparam("user_id"),
    t.expiring_memberships.c.expires_at > bindparam("now"),
)


def memberships_end(c: Connection, user_id: str, now: float) -> float | None:
    """Return when the next of a user's expiring memberships ends; None where there is none."""
    end: float | None = c.execute(_NEXT_END, {"user_id": user_id, "now": now}).scalar()
    return end


def providers_of(c: Connection, domain_id: str) -> list[str]:
    table = t.identity_providers
    return list(c.execute(select(table.c.id).where(table.c.domain_id == domain_id)).scalars())


def forget_users(c: Connection, ids: Any) -> None:
    for table in (t.federated_users, t.expiring_memberships):
        c.execute(delete(table).where(named(table.c.user_id, ids)))
