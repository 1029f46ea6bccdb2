"""SQL of metadata definitions. `scope` is the project that asks; None sees everything.

Only a namespace has an owner and a visibility; what it holds is reached through it. Writers queue: definitions are
changed rarely, and a namespace that goes must not meet an object that comes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, insert, or_, select, true, update
from sqlalchemy.exc import IntegrityError

from clearsky.db.engine import lock
from clearsky.db.paging import page
from clearsky.errors import Conflict, NotFound
from clearsky.image.tables import metadefs as t

n, r, a = t.namespaces.c, t.resource_types.c, t.associations.c
KINDS = {t.objects: "object", t.properties: "property", t.tags: "tag"}
"""What a namespace holds, as messages name it."""
Sort = Sequence[tuple[ColumnElement[Any], bool]]


def queue(c: Connection) -> None:
    """Wait for the other writers of this transaction's kind."""
    lock(c, "image.metadefs")


def visible(scope: str | None) -> ColumnElement[bool]:
    if scope is None:
        return true()
    return or_(n.owner == scope, n.owner.is_(None), n.visibility == "public")


def namespace(c: Connection, scope: str | None, name: str) -> Any:
    """Return a namespace that the project may see; raises NotFound."""
    row = c.execute(select(t.namespaces).where(n.namespace == name, visible(scope))).first()
    if row is None:
        raise NotFound(f"There is no metadata definition namespace {name!r:.120}")
    return row


def namespaces(
    c: Connection,
    scope: str | None,
    visibility: str | None,
    resource_types: list[str] | None,
    sort: Sort,
    marker: Any | None,
    limit: int,
) -> list[Any]:
    query = select(t.namespaces).where(visible(scope))
    if visibility is not None:
        query = query.where(n.visibility == visibility)
    if resource_types is not None:
        named = select(a.namespace_id).join(t.resource_types).where(r.name.in_(resource_types))
        query = query.where(n.id.in_(named))
    return list(c.execute(page(query, sort, _values(sort, marker), limit)))


def _values(sort: Sort, marker: Any | None) -> list[Any] | None:
    return None if marker is None else [getattr(marker, column.name) for column, _ in sort]


def names(c: Connection) -> set[str]:
    """Return the name of every namespace."""
    return set(c.execute(select(n.namespace)).scalars())


def create_namespace(c: Connection, values: dict[str, Any]) -> Any:
    return _insert(c, t.namespaces, values, f"Namespace {values['namespace']!r} exists already.")


def change_namespace(c: Connection, id: int, values: dict[str, Any]) -> Any:
    return _update(c, t.namespaces, id, values, f"Namespace {values['namespace']!r} exists already.")


def remove_namespace(c: Connection, id: int) -> None:
    for table in (*KINDS, t.associations):
        c.execute(delete(table).where(table.c.namespace_id == id))
    c.execute(delete(t.namespaces).where(n.id == id))


def parts(
    c: Connection,
    table: Table,
    namespace_id: int,
    sort: Sort = (),
    marker: Any | None = None,
    limit: int | None = None,
) -> list[Any]:
    """Return the objects, properties or tags of a namespace; in the order they came where no `sort` is given."""
    query = select(table).where(table.c.namespace_id == namespace_id)
    sort = sort or [(table.c.id, True)]
    return list(c.execute(page(query, sort, _values(sort, marker), limit)))


def part(c: Connection, table: Table, namespace: Any, name: str) -> Any:
    row = c.execute(select(table).where(table.c.namespace_id == namespace.id, table.c.name == name)).first()
    if row is None:
        raise NotFound(f"Namespace {namespace.namespace!r} has no {KINDS[table]} {name!r:.120}")
    return row


def add_part(c: Connection, table: Table, namespace_id: int, values: dict[str, Any]) -> Any:
    problem = f"The namespace has the {KINDS[table]} {values['name']!r} already."
    return _insert(c, table, {"namespace_id": namespace_id} | values, problem)


def change_part(c: Connection, table: Table, id: int, values: dict[str, Any]) -> Any:
    return _update(c, table, id, values, f"The namespace has the {KINDS[table]} {values['name']!r} already.")


def remove_part(c: Connection, table: Table, id: int) -> None:
    c.execute(delete(table).where(table.c.id == id))


def remove_parts(c: Connection, table: Table, namespace_id: int) -> None:
    c.execute(delete(table).where(table.c.namespace_id == namespace_id))


def resource_types(c: Connection) -> list[Any]:
    return list(c.execute(select(t.resource_types).order_by(r.name)))


def associations(c: Connection, namespace_ids: Sequence[int]) -> list[Any]:
    """Return the associations of several namespaces, each with its resource type's `name`."""
    query = select(t.associations, r.name).join(t.resource_types).where(a.namespace_id.in_(namespace_ids))
    return list(c.execute(query.order_by(a.namespace_id, r.name)))


def associate(c: Connection, namespace_id: int, name: str, values: dict[str, Any]) -> Any:
    """Associate a resource type, made where there is none of that name, with a namespace."""
    type_id = c.execute(select(r.id).where(r.name == name)).scalar()
    if type_id is None:
        type_id = _insert(c, t.resource_types, {"name": name}, f"Resource type {name!r} exists already.").id
    keys = {"namespace_id": namespace_id, "resource_type_id": type_id}
    problem = f"The namespace is associated with the resource type {name!r} already."
    return _insert(c, t.associations, keys | values, problem)


def dissociate(c: Connection, namespace: Any, name: str) -> None:
    type_id = select(r.id).where(r.name == name).scalar_subquery()
    where = and_(a.namespace_id == namespace.id, a.resource_type_id == type_id)
    if not c.execute(delete(t.associations).where(where)).rowcount:
        raise NotFound(
            f"Namespace {namespace.namespace!r} is not associated with the resource type {name!r:.120}"
        )


def _insert(c: Connection, table: Table, values: dict[str, Any], problem: str) -> Any:
    now = time.time()
    try:
        return c.execute(
            insert(table).values(created_at=now, updated_at=now, **values).returning(table)
        ).one()
    except IntegrityError as error:
        raise Conflict(problem) from error


def _update(c: Connection, table: Table, id: int, values: dict[str, Any], problem: str) -> Any:
    statement = update(table).where(table.c.id == id).values(updated_at=time.time(), **values)
    try:
        return c.execute(statement.returning(table)).one()
    except IntegrityError as error:
        raise Conflict(problem) from error
