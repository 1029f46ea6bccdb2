"""What a project's images come to, in two queries."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from clearsky.image import tables as t
from clearsky.image.driver.load import STAGING

i, loc = t.images.c, t.locations.c
_UNDER_WAY = ("saving", "uploading", "importing")


@dataclass(frozen=True, slots=True)
class Usage:
    images: int
    uploading: int
    """Images whose data is on its way."""
    stored_bytes: int
    """In all stores: an image in two of them counts twice."""
    staged_bytes: int


def usage(c: Connection, project_id: str) -> Usage:
    mine = (i.owner == project_id, i.status != "deleting")
    counted = select(
        func.count(), func.coalesce(func.sum(case((i.status.in_(_UNDER_WAY), 1), else_=0)), 0)
    ).where(*mine)
    images, uploading = c.execute(counted).one()
    size = func.coalesce(loc.size, 0)
    measured = (
        select(
            func.coalesce(func.sum(case((loc.store != STAGING, size), else_=0)), 0),
            func.coalesce(func.sum(case((loc.store == STAGING, size), else_=0)), 0),
        )
        .select_from(t.locations)
        .join(t.images, i.id == loc.image_id)
        .where(*mine, loc.status != "deleting")
    )
    stored, staged = c.execute(measured).one()
    return Usage(int(images), int(uploading), int(stored), int(staged))
