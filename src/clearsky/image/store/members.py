"""SQL of members."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from clearsky.db.engine import lock
from clearsky.errors import Conflict, NotFound, TooLarge
from clearsky.image import tables as t

m = t.members.c


def _seen(scope: str | None, image: Any) -> ColumnElement[bool]:
    """An image's members as a project sees them: the owner sees all, a member itself."""
    mine = true() if scope is None or scope == image.owner else m.member_id == scope
    return and_(m.image_id == image.id, mine)


def members(c: Connection, scope: str | None, image: Any) -> list[Any]:
    return list(c.execute(select(t.members).where(_seen(scope, image)).order_by(m.member_id)))


def member(c: Connection, scope: str | None, image: Any, member_id: str) -> Any:
    query = select(t.members).where(_seen(scope, image), m.member_id == member_id)
    row = c.execute(query).first()
    if row is None:
        raise NotFound(f"{member_id} is not a member of image {image.id}")
    return row


def add_member(c: Connection, image_id: str, member_id: str, most: int) -> Any:
    """Add a member, of whom an image has at most `most` (-1: any number); raises TooLarge, Conflict."""
    now = time.time()
    if most >= 0:
        lock(c, f"image.members.{image_id}")
        have = c.execute(select(func.count()).where(m.image_id == image_id)).scalar_one()
        if have >= most:
            raise TooLarge(f"Image {image_id} has {have} members; at most {most} are allowed.")
    try:
        values = {"image_id": image_id, "member_id": member_id, "created_at": now, "updated_at": now}
        return c.execute(insert(t.members).values(**values).returning(t.members)).one()
    except IntegrityError as error:
        raise Conflict(f"Image member {member_id} already exists for image {image_id}") from error


def set_member(c: Connection, image_id: str, member_id: str, status: str) -> Any:
    where = and_(m.image_id == image_id, m.member_id == member_id)
    return c.execute(
        update(t.members).where(where).values(status=status, updated_at=time.time()).returning(t.members)
    ).one()


def remove_member(c: Connection, image_id: str, member_id: str) -> None:
    if not c.execute(delete(t.members).where(m.image_id == image_id, m.member_id == member_id)).rowcount:
        raise NotFound(f"{member_id} is not a member of image {image_id}")
