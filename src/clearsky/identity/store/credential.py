"""Stored credentials: their blobs are encrypted here, and nowhere else in plain text."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Connection, delete, or_, select, update

from clearsky.errors import NotFound
from clearsky.identity import tables as t
from clearsky.identity.keys import Keys
from clearsky.identity.store.kit import AnyRow, create, named


def ec2_id(access: str) -> str:
    """Return the id of the credential with this EC2 access key."""
    return hashlib.sha256(access.encode()).hexdigest()


def add(c: Connection, keys: Keys, values: dict[str, Any], blob: str) -> AnyRow:
    encrypted = keys.encrypt(blob.encode()).decode()
    return create(c, t.credentials, values | {"encrypted_blob": encrypted}, "credential")


def get(c: Connection, id: str) -> AnyRow:
    row = c.execute(select(t.credentials).where(t.credentials.c.id == id)).first()
    if row is None:
        raise NotFound(f"Could not find credential: {id}.")
    return row


def blob_of(keys: Keys, row: AnyRow) -> str:
    return keys.decrypt(row.encrypted_blob.encode()).decode()


def change(c: Connection, keys: Keys, id: str, values: dict[str, Any], blob: str | None) -> AnyRow:
    if blob is not None:
        values = values | {"encrypted_blob": keys.encrypt(blob.encode()).decode()}
    row = c.execute(
        update(t.credentials).where(t.credentials.c.id == id).values(**values).returning(t.credentials)
    ).first()
    if row is None:
        raise NotFound(f"Could not find credential: {id}.")
    return row


def remove(c: Connection, id: str) -> None:
    c.execute(delete(t.credentials).where(t.credentials.c.id == id))


def of_user(c: Connection, user_id: str, type: str) -> list[AnyRow]:
    query = select(t.credentials).where(t.credentials.c.user_id == user_id, t.credentials.c.type == type)
    return list(c.execute(query.order_by(t.credentials.c.id)))


def claim_step(c: Connection, id: str, step: int) -> bool:
    """Note that the one-time password of a time step was used; False where it (or a newer one) was used before."""
    table = t.credentials
    fresh = or_(table.c.used_step.is_(None), table.c.used_step < step)
    return bool(c.execute(update(table).where(table.c.id == id, fresh).values(used_step=step)).rowcount)


def forget(c: Connection, column: Any, ids: Any) -> None:
    """Delete those whose `column` is what `ids` says."""
    c.execute(delete(t.credentials).where(named(column, ids)))
