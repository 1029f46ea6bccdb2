"""The SQL of an image list: who sees what, and every filter.

Which images a list shows is another question than which a project may see by id: community images of others are
listed only where they are asked for, and shared ones only with the member status that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from clearsky.caller import Caller
from clearsky.db.paging import page
from clearsky.image import tables as t
from clearsky.image.store import terms
from clearsky.image.store.images import shared_with

i = t.images.c
Sort = Sequence[tuple[ColumnElement[Any], bool]]


@dataclass(slots=True)
class Wanted:
    """What a list is to show; everything that is given must be true of an image."""

    visibility: str | None = None
    """None: all but others' community images. `all`: these too."""
    member_status: str = "accepted"
    hidden: bool = False
    among: dict[str, list[Any]] = field(default_factory=dict)
    """Column -> values, one of which it has."""
    at_least: dict[str, int] = field(default_factory=dict)
    at_most: dict[str, int] = field(default_factory=dict)
    moments: list[tuple[str, str, float]] = field(default_factory=list)
    """(column, operator, seconds since the epoch): see `_moment`."""
    tags: list[str] = field(default_factory=list)
    properties: list[tuple[str, str]] = field(default_factory=list)


def search(
    c: Connection, caller: Caller, wanted: Wanted, sort: Sort, marker: Any | None, limit: int
) -> list[Any]:
    """Return the images that the caller may see and wants, sorted, after the row `marker`."""
    query = select(t.images).where(i.status != "deleting", i.os_hidden.is_(wanted.hidden))
    query = query.where(*_seen(caller, wanted), *_filters(wanted))
    after = None if marker is None else [getattr(marker, column.name) for column, _ in sort]
    return list(c.execute(page(query, sort, after, limit)))


def _seen(caller: Caller, wanted: Wanted) -> list[ColumnElement[bool]]:
    found = []
    if caller.scope is not None:
        mine = caller.project_id or ""
        found.append(
            or_(
                i.owner == mine,
                i.visibility.in_(("public", "community")),
                shared_with(mine, wanted.member_status),
            )
        )
    if wanted.visibility is None:
        found.append(or_(i.visibility != "community", i.owner == (caller.project_id or "")))
    elif wanted.visibility != "all":
        found.append(i.visibility == wanted.visibility)
    return found


def _filters(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [i[name].in_(values) for name, values in wanted.among.items()]
    found += [i[name] >= value for name, value in wanted.at_least.items()]
    found += [i[name] <= value for name, value in wanted.at_most.items()]
    found += [_moment(*moment) for moment in wanted.moments]
    found += [terms.has(i.id, terms.of_tag(tag)) for tag in wanted.tags]
    found += [terms.has(i.id, terms.of_property(name, value)) for name, value in wanted.properties]
    return found


def _moment(name: str, operator: str, seconds: float) -> ColumnElement[bool]:
    """Compare in whole seconds: so are times shown, and clients ask for what they were shown."""
    column, start = i[name], float(math.floor(seconds))
    end = start + 1
    conditions: dict[str, ColumnElement[bool]] = {
        "lt": column < start,
        "lte": column < end,
        "gt": column >= end,
        "gte": column >= start,
        "eq": and_(column >= start, column < end),
        "neq": or_(column < start, column >= end),
    }
    return conditions[operator]
