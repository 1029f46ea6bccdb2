"""Everything that is encrypted at rest, to be encrypted anew when its keys rotate."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Column, Connection, select, update

from clearsky.identity import tables as t
from clearsky.identity.keys import Keys

BATCH = 500
COLUMNS: tuple[Column[str], ...] = (
    t.credentials.c.encrypted_blob,
    t.consumers.c.encrypted_secret,
    t.request_tokens.c.encrypted_secret,
    t.access_tokens.c.encrypted_secret,
)


def batches(c: Connection, column: Column[str]) -> Iterator[list[str]]:
    """Yield the ids of the rows that have such a column, by pages: a big cloud has many."""
    ids, after = column.table.c.id, ""
    while True:
        page = list(c.execute(select(ids).where(ids > after).order_by(ids).limit(BATCH)).scalars())
        if not page:
            return
        yield page
        after = page[-1]


def reencrypt(c: Connection, keys: Keys, column: Column[str], id: str) -> None:
    """Encrypt a value anew with the primary key, where it is still there."""
    table = column.table
    value = c.execute(select(column).where(table.c.id == id).with_for_update()).scalar()
    if value is not None:
        anew = keys.reencrypt(value.encode()).decode()
        c.execute(update(table).where(table.c.id == id).values({column.name: anew}))
