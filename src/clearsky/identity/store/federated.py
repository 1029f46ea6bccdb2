"""The identities that a user has at identity providers, as users show them and are found by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from clearsky.errors import Conflict, Invalid
from clearsky.identity import tables as t


def of_user(c: Connection, user_id: str) -> list[dict[str, Any]]:
    """Return `[{idp_id, protocols: [{protocol_id, unique_id}]}]`."""
    own = t.federated_users.c
    found: dict[str, list[dict[str, str]]] = {}
    query = select(t.federated_users).where(own.user_id == user_id).order_by(own.provider_id, own.protocol_id)
    for row in c.execute(query):
        one = {"protocol_id": row.protocol_id, "unique_id": row.unique_id}
        found.setdefault(row.provider_id, []).append(one)
    return [{"idp_id": provider, "protocols": protocols} for provider, protocols in found.items()]


def replace(c: Connection, user_id: str, wanted: list[dict[str, Any]]) -> None:
    """Give a user these identities instead of the present ones; raises Invalid, or Conflict where one is another's."""
    known = {(row.provider_id, row.id) for row in c.execute(select(t.protocols))}
    rows = [
        {"user_id": user_id, "provider_id": provider["idp_id"], **protocol}
        for provider in wanted
        for protocol in provider["protocols"]
    ]
    for row in rows:
        if (row["provider_id"], row["protocol_id"]) not in known:
            raise Invalid(
                f"user.federated names protocol {row['protocol_id']!r} of identity provider {row['provider_id']!r}: "
                "there is none"
            )
    c.execute(delete(t.federated_users).where(t.federated_users.c.user_id == user_id))
    try:
        if rows:
            c.execute(insert(t.federated_users), rows)
    except IntegrityError as error:
        raise Conflict("user.federated names an identity that another user has, or one twice.") from error


def conditions(asked: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """Return the conditions for users of `idp_id`, `protocol_id` and `unique_id`, all of one identity."""
    own = t.federated_users.c
    columns = {"idp_id": own.provider_id, "protocol_id": own.protocol_id, "unique_id": own.unique_id}
    wanted = [column == asked[name] for name, column in columns.items() if name in asked]
    return [t.users.c.id.in_(select(own.user_id).where(*wanted))] if wanted else []
