"""What the SQL of every subject is made of: one row by id, inserts and changes with clear conflicts, pages, the revision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from clearsky.db.engine import Database, lock
from clearsky.db.paging import page
from clearsky.errors import Conflict, NotFound
from clearsky.identity import tables as t

AnyRow = Row[Any]
_REVISION = f"SELECT value FROM {t.revision.name} WHERE id = 1"  # noqa: S608 - a name of ours
CHUNK = 10_000
"""So many values go into one `IN (...)`: every database has a limit."""


def bump(c: Connection) -> None:
    """Let every process forget which tokens it has found valid."""
    if not c.execute(
        update(t.revision).where(t.revision.c.id == 1).values(value=t.revision.c.value + 1)
    ).rowcount:
        c.execute(insert(t.revision).values(id=1, value=1))


def revision(c: Connection) -> int:
    return int(c.execute(select(t.revision.c.value).where(t.revision.c.id == 1)).scalar() or 0)


def current_revision(db: Database) -> int:
    """Return the revision outside a transaction: every request with a token asks."""
    return int(db.value(_REVISION) or 0)


def keep_references(c: Connection, *, deleting: bool = False) -> None:
    """Let nothing be deleted that this transaction refers to; with `deleting`, nothing new refer to what it deletes.

    To be called first in the transaction, before it looks at what is there. Rows refer to each other in ways that no
    foreign key says (an assignment's actor is a user or a group), so one lock stands for all of them: deletions are
    rare and short.
    """
    lock(c, "identity.references", shared=not deleting)


@cache
def _by_id(table: Table) -> Select[Any]:
    """Return the query for one row, made once: making a query costs several times what asking it does."""
    return select(table).where(table.c.id == bindparam("id"))


def find(c: Connection, table: Table, id: str) -> AnyRow | None:
    return c.execute(_by_id(table), {"id": id}).first()


def get(c: Connection, table: Table, id: str, what: str) -> AnyRow:
    """Return the row; raises NotFound that names what was looked for."""
    row = find(c, table, id)
    if row is None:
        raise NotFound(f"Could not find {what}: {id}.")
    return row


def create(c: Connection, table: Table, values: dict[str, Any], what: str) -> AnyRow:
    try:
        return c.execute(insert(table).values(**values).returning(table)).one()
    except IntegrityError as error:
        raise Conflict(
            f"Conflict occurred attempting to store {what} - it is not possible to store a {what} "
            f"with {_named(values)}: there is one already."
        ) from error


def ensure(c: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row of keys unless it is there, also where another transaction inserts it just now; say whether we did."""
    if c.execute(select(table).filter_by(**values)).first() is not None:
        return False
    try:
        with c.begin_nested():
            c.execute(insert(table).values(**values))
    except IntegrityError:
        return False
    return True


def change(c: Connection, table: Table, id: str, values: dict[str, Any], what: str) -> AnyRow:
    if not values:
        return get(c, table, id, what)
    try:
        row = c.execute(update(table).where(table.c.id == id).values(**values).returning(table)).first()
    except IntegrityError as error:
        raise Conflict(
            f"Conflict occurred attempting to store {what} - {_named(values)} is taken."
        ) from error
    if row is None:
        raise NotFound(f"Could not find {what}: {id}.")
    return row


def named(column: Any, ids: Any) -> Any:
    """Return the condition that `column` is what `ids` says: one id, or a query for several."""
    return column == ids if isinstance(ids, str) else column.in_(ids)


def _named(values: dict[str, Any]) -> str:
    return f"name {values['name']!r}" if "name" in values else f"id {values.get('id')!r}"


def paged(
    c: Connection,
    query: Select[Any],
    table: Table,
    marker: str | None,
    limit: int | None,
    sort: Sequence[tuple[ColumnElement[Any], bool]] = (),
) -> Select[Any]:
    """Return the query for one page of `query` over `table`, sorted by `sort` and then by id."""
    order = [*sort, (table.c.id, True)]
    after = None
    if marker:
        row = c.execute(select(*(column for column, _ in order)).where(table.c.id == marker)).first()
        if row is None:
            raise NotFound(f"Could not find the marker: {marker}.")
        after = list(row)
    return page(query, order, after, limit)


def listing(
    c: Connection, query: Select[Any], table: Table, marker: str | None, limit: int | None
) -> Sequence[AnyRow]:
    """Return one page of `query` over `table`, sorted by id."""
    return c.execute(paged(c, query, table, marker, limit)).all()


def by_id(c: Connection, query: Select[Any], column: ColumnElement[Any], ids: set[str]) -> Iterator[AnyRow]:
    """Yield the rows of `query` whose `column` is one of `ids`, however many these are."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), CHUNK):
        yield from c.execute(query.where(column.in_(wanted[start : start + CHUNK])))
