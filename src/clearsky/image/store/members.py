"""SQL of members."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from clearsky.errors import Conflict, NotFound
from clearsky.image import tables as t

m = t.members.c


def members(c: Connection, image_id: str) -> list[Any]:
    return list(c.execute(select(t.members).where(m.image_id == image_id).order_by(m.member_id)))


def member(c: Connection, image_id: str, member_id: str) -> Any:
    row = c.execute(select(t.members).where(m.image_id == image_id, m.member_id == member_id)).first()
    if row is None:
        raise NotFound(f"{member_id} is not a member of image {image_id}")
    return row


def add_member(c: Connection, image_id: str, member_id: str) -> Any:
    now = time.time()
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
