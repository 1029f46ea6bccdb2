"""SQL of images. `scope` is the project that asks; None sees everything."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from clearsky.errors import Conflict, NotFound
from clearsky.image import tables as t

i, m = t.images.c, t.members.c


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
    row = c.execute(select(t.images).where(i.id == id, visible(scope), i.status != "deleting")).first()
    if row is None:
        raise NotFound(f"No image found with ID {id}")
    return row


def create(c: Connection, values: dict[str, Any]) -> Any:
    now = time.time()
    try:
        return c.execute(
            insert(t.images).values(created_at=now, updated_at=now, **values).returning(t.images)
        ).one()
    except IntegrityError as error:
        raise Conflict(f"Image ID {values['id']} already exists!") from error


def change(c: Connection, id: str, values: dict[str, Any]) -> Any:
    row = c.execute(
        update(t.images).where(i.id == id).values(updated_at=time.time(), **values).returning(t.images)
    ).first()
    if row is None:
        raise NotFound(f"No image found with ID {id}")
    return row


def move(c: Connection, id: str, before: tuple[str, ...], after: str, **values: Any) -> bool:
    """Change the status in one step; False where the image was not in one of `before`."""
    statement = update(t.images).where(i.id == id, i.status.in_(before))
    return c.execute(statement.values(status=after, updated_at=time.time(), **values)).rowcount == 1


def forget(c: Connection, id: str) -> None:
    c.execute(delete(t.members).where(m.image_id == id))
    c.execute(delete(t.images).where(i.id == id))


def listing(c: Connection, query: Select[Any]) -> list[Any]:
    return list(c.execute(query))
