"""SQL of tasks. `scope` is the project that asks; None sees everything."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from clearsky.errors import NotFound
from clearsky.image import tables as t

k, i = t.tasks.c, t.images.c
FINISHED = ("success", "failure")


def create(c: Connection, values: dict[str, Any]) -> Any:
    now = time.time()
    row = {"status": "pending", "message": "", "created_at": now, "updated_at": now} | values
    return c.execute(insert(t.tasks).values(row).returning(t.tasks)).one()


def get(c: Connection, scope: str | None, id: str) -> Any:
    query = select(t.tasks).where(k.id == id.lower())
    row = c.execute(query if scope is None else query.where(k.owner == scope)).first()
    if row is None:
        raise NotFound(f"No task found with ID {id}")
    return row


def of_image(c: Connection, image_id: str) -> list[Any]:
    return list(c.execute(select(t.tasks).where(k.image_id == image_id).order_by(k.created_at.desc(), k.id)))


def under_way(c: Connection, image_id: str) -> bool:
    query = select(k.id).where(k.image_id == image_id, k.status.not_in(FINISHED))
    return c.execute(query).first() is not None


def change(c: Connection, id: str, **values: Any) -> bool:
    """Change a task that is not finished; False where it is."""
    where = (k.id == id, k.status.not_in(FINISHED))
    return c.execute(update(t.tasks).where(*where).values(updated_at=time.time(), **values)).rowcount == 1


def prune(c: Connection) -> int:
    """Forget finished tasks past their lifetime; returns how many."""
    return c.execute(delete(t.tasks).where(k.expires_at < time.time())).rowcount


def locked_image(c: Connection, image_id: str) -> Any:
    """Return the image's row, kept from changing until the transaction ends; None where it is gone or going."""
    query = select(t.images).where(i.id == image_id, i.status != "deleting").with_for_update()
    return c.execute(query).first()
