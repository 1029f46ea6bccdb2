"""Consumers of OAuth 1.0, their request tokens and access tokens, and the nonces of served requests."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, delete, select, update

from clearsky.errors import NotFound
from clearsky.identity import tables as t
from clearsky.identity.keys import Keys
from clearsky.identity.store.kit import AnyRow, bump, create, ensure, get, named

CONSUMER, REQUEST_TOKEN, ACCESS_TOKEN = "Consumer", "Request Token", "Access Token"


def add_consumer(c: Connection, keys: Keys, values: dict[str, Any], secret: str) -> AnyRow:
    return create(c, t.consumers, values | _sealed(keys, secret), CONSUMER)


def consumer(c: Connection, id: str) -> AnyRow:
    return get(c, t.consumers, id, CONSUMER)


def remove_consumer(c: Connection, id: str) -> None:
    """Delete a consumer and every token that it was given."""
    consumer(c, id)
    _forget(c, "consumer_id", id)
    c.execute(delete(t.consumers).where(t.consumers.c.id == id))


def secret_of(keys: Keys, row: AnyRow) -> str:
    return keys.decrypt(row.encrypted_secret.encode()).decode()


def _sealed(keys: Keys, secret: str) -> dict[str, str]:
    return {"encrypted_secret": keys.encrypt(secret.encode()).decode()}


# -- request tokens ---------------------------------------------------------------------------------------------


def add_request_token(c: Connection, keys: Keys, values: dict[str, Any], secret: str) -> AnyRow:
    """Insert one; those that have ended are swept out."""
    c.execute(delete(t.request_tokens).where(t.request_tokens.c.expires_at < time.time()))
    return create(c, t.request_tokens, values | _sealed(keys, secret), REQUEST_TOKEN)


def request_token(c: Connection, id: str) -> AnyRow:
    return get(c, t.request_tokens, id, REQUEST_TOKEN)


def authorize(c: Connection, id: str, user_id: str, role_ids: Iterable[str], verifier_hash: str) -> None:
    """Write down that a user lets the consumer have these roles; the newest word counts."""
    values = {"authorizing_user_id": user_id, "role_ids": list(role_ids), "verifier_hash": verifier_hash}
    c.execute(update(t.request_tokens).where(t.request_tokens.c.id == id).values(**values))


# -- access tokens ----------------------------------------------------------------------------------------------


def exchange(
    c: Connection, keys: Keys, asked: AnyRow, id: str, secret: str, expires_at: float | None
) -> AnyRow:
    """Turn a request token into an access token; raises NotFound where another request has just done so."""
    if not c.execute(delete(t.request_tokens).where(t.request_tokens.c.id == asked.id)).rowcount:
        raise NotFound(f"Could not find {REQUEST_TOKEN}: {asked.id}.")
    names = ("consumer_id", "project_id", "authorizing_user_id", "role_ids")
    values = {name: getattr(asked, name) for name in names} | {"id": id, "expires_at": expires_at}
    return create(c, t.access_tokens, values | _sealed(keys, secret), ACCESS_TOKEN)


def access_token(c: Connection, id: str, user_id: str | None = None) -> AnyRow:
    """Return one; with `user_id` only where that user has authorized it. Raises NotFound."""
    row = get(c, t.access_tokens, id, ACCESS_TOKEN)
    if user_id is not None and row.authorizing_user_id != user_id:
        raise NotFound(f"Could not find {ACCESS_TOKEN}: {id}.")
    return row


def access_tokens_of(user_id: str) -> Select[Any]:
    own = t.access_tokens.c
    return select(t.access_tokens).where(own.authorizing_user_id == user_id).order_by(own.id)


def remove_access_token(c: Connection, id: str) -> None:
    """Delete one; the tokens that it led to are void."""
    c.execute(delete(t.access_tokens).where(t.access_tokens.c.id == id))
    bump(c)


# -- replays ----------------------------------------------------------------------------------------------------


def use_nonce(c: Connection, digest: str, expires_at: float) -> bool:
    """Note that a request is served; False where it (the same one) was served before."""
    c.execute(delete(t.nonces).where(t.nonces.c.expires_at < time.time()))
    if c.execute(select(t.nonces.c.digest).where(t.nonces.c.digest == digest)).first() is not None:
        return False
    return ensure(c, t.nonces, {"digest": digest, "expires_at": expires_at})


# -- what goes with users and projects: `ids` is one id, or a query for several ---------------------------------


def forget_users(c: Connection, ids: Any) -> None:
    _forget(c, "authorizing_user_id", ids)


def forget_projects(c: Connection, ids: Any) -> None:
    _forget(c, "project_id", ids)


def _forget(c: Connection, column: str, ids: Any) -> None:
    gone = 0
    for table in (t.request_tokens, t.access_tokens):
        gone += c.execute(delete(table).where(named(table.c[column], ids))).rowcount
    if gone:
        bump(c)
