"""SQL of images. `scope` is the project that asks; None sees everything."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from clearsky.errors import Conflict, NotFound
from clearsky.image import tables as t
from clearsky.image.store import caches, terms

i, m = t.images.c, t.members.c
_FOUND_BY = {"tags", "properties"}


def visible(scope: str | None, member_status: str = "all") -> ColumnElement[bool]:
    """The images that a project may see by id: own, public, community, and shared with it."""
    if scope is None:
        return i.id.is_not(None)
    return or_(i.owner == scope, i.visibility.in_(("public", "community")), shared_with(scope, member_status))


def shared_with(scope: str, member_status: str = "accepted") -> ColumnElement[bool]:
    mine = select(m.image_id).where(m.member_id == scope)
    if member_status != "all":
        mine = mine.where(m.status == member_status)
    return and_(i.visibility == "shared", i.id.in_(mine))


def get(c: Connection, scope: str | None, id: str) -> Any:
    """Return an image that the project may see by id; raises NotFound. UUIDs are the same in any case."""
    alive = select(t.images).where(i.id == id.lower(), i.status != "deleting")
    row = c.execute(alive.where(visible(scope))).first()
    if row is None:
        raise NotFound(f"No image found with ID {id}")
    return row


def create(c: Connection, values: dict[str, Any]) -> Any:
    now = time.time()
    try:
        row = c.execute(
            insert(t.images).values(created_at=now, updated_at=now, **values).returning(t.images)
        ).one()
    except IntegrityError as error:
        raise Conflict(f"Image ID {values['id']} already exists!") from error
    terms.keep(c, row.id, row.tags, row.properties)
    return row


def change(c: Connection, id: str, values: dict[str, Any]) -> Any:
    row = c.execute(
        update(t.images).where(i.id == id).values(updated_at=time.time(), **values).returning(t.images)
    ).first()
    if row is None:
        raise NotFound(f"No image found with ID {id}")
    if _FOUND_BY & values.keys():
        terms.keep(c, id, row.tags, row.properties)
    return row


def move(c: Connection, id: str, before: tuple[str, ...], after: str, **values: Any) -> bool:
    """Change the status in one step; False where the image was not in one of `before`."""
    statement = update(t.images).where(i.id == id, i.status.in_(before))
    statement = statement.values(status=after, updated_at=time.time(), **values)
    row = c.execute(statement.returning(i.tags, i.properties)).first()
    if row is not None and _FOUND_BY & values.keys():
        terms.keep(c, id, row.tags, row.properties)
    return row is not None


def forget(c: Connection, id: str) -> None:
    terms.forget(c, id)
    caches.forget(c, [id])
    c.execute(delete(t.members).where(m.image_id == id))
    c.execute(delete(t.images).where(i.id == id))
