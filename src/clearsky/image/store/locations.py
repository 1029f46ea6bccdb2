"""SQL of locations. A change here that makes an image's data whole, or takes a copy away, changes the image too."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from clearsky.image import tables as t
from clearsky.image.driver.load import STAGING
from clearsky.work.queue import enqueue

loc = t.locations.c


def begin(c: Connection, image_id: str, store: str, writer: str) -> str:
    """Write down that bytes are about to be written; returns the name under which."""
    name, now = f"{image_id}-{uuid.uuid4().hex[:8]}", time.time()
    c.execute(
        insert(t.locations).values(
            name=name, image_id=image_id, store=store, status="writing", writer=writer, seen_at=now
        )
    )
    return name


def still_writing(c: Connection, name: str, size: int) -> bool:
    """Note that the writer lives and how far it is; False where the location is no longer its own."""
    where = (loc.name == name, loc.status == "writing")
    return c.execute(update(t.locations).where(*where).values(seen_at=time.time(), size=size)).rowcount == 1


def complete(c: Connection, name: str, size: int) -> bool:
    """Make bytes that are whole count; False where the location was given up meanwhile."""
    where = (loc.name == name, loc.status == "writing")
    values = {"status": "active", "size": size, "seen_at": time.time()}
    return c.execute(update(t.locations).where(*where).values(**values)).rowcount == 1


def give_up(c: Connection, *wanted: Any) -> list[str]:
    """Mark the locations that fit for removal, and make that due; returns their names."""
    names = list(
        c.execute(
            update(t.locations)
            .where(*wanted, loc.status != "deleting")
            .values(status="deleting", seen_at=time.time())
            .returning(loc.name)
        ).scalars()
    )
    for name in names:
        enqueue(c, "image_location", name)
    return names


def written_by(c: Connection, writer: str) -> list[Any]:
    """Return what a task has written or is writing."""
    return list(c.execute(select(t.locations).where(loc.writer == writer, loc.status != "deleting")))


def staged(c: Connection, image_id: str) -> Any:
    """Return the whole data in the staging area that waits for an import; None where there is none."""
    where = (loc.image_id == image_id, loc.status == "active", loc.store == STAGING)
    return c.execute(select(t.locations).where(*where).order_by(loc.seen_at.desc())).first()


def forget(c: Connection, name: str) -> None:
    c.execute(delete(t.locations).where(loc.name == name))


def one(c: Connection, name: str) -> Any:
    return c.execute(select(t.locations).where(loc.name == name)).first()


def of(c: Connection, image_id: str) -> list[Any]:
    """Return all locations of an image, whatever their state."""
    return list(
        c.execute(select(t.locations).where(loc.image_id == image_id).order_by(loc.seen_at, loc.name))
    )


def active(c: Connection, image_ids: Iterable[str]) -> list[Any]:
    """Return the whole copies of images in the stores that clients may name."""
    return list(
        c.execute(
            select(t.locations).where(
                loc.image_id.in_(list(image_ids)),
                loc.status == "active",
                loc.store != STAGING,
            )
        )
    )


def silent(c: Connection, before: float) -> list[Any]:
    """Return the locations whose writer has not been heard of since."""
    return list(c.execute(select(t.locations).where(loc.status == "writing", loc.seen_at < before)))
