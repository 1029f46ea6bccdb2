"""What a project's images come to, in one query."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from clearsky.image import tables as t

i = t.images.c
_UNDER_WAY = ("saving", "uploading", "importing")
_STAGED = ("uploading", "importing")


@dataclass(frozen=True, slots=True)
class Usage:
    images: int
    uploading: int
    """Images whose data is on its way."""
    stored_bytes: int
    staged_bytes: int


def usage(c: Connection, project_id: str) -> Usage:
    size = func.coalesce(i.size, 0)
    query = select(
        func.count(),
        func.coalesce(func.sum(case((i.status.in_(_UNDER_WAY), 1), else_=0)), 0),
        func.coalesce(func.sum(size), 0),
        func.coalesce(func.sum(case((i.status.in_(_STAGED), size), else_=0)), 0),
    ).where(i.owner == project_id, i.status != "deleting")
    images, uploading, stored, staged = c.execute(query).one()
    return Usage(int(images), int(uploading), int(stored), int(staged))
