"""Keyset paging: sort by any columns, continue after a marker row, constant cost at any depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, or_

from clearsky.errors import Invalid


def page(
    query: Select[Any],
    sort: Sequence[tuple[ColumnElement[Any], bool]],
    marker: Sequence[Any] | None,
    limit: int | None,
) -> Select[Any]:
    """Sort `query` by (column, ascending) pairs, start after the `marker`'s values, and take `limit` rows.

    The last sort column must be unique, or rows with equal keys are lost between pages. NULLs sort first.
    """
    if marker is not None:
        query = query.where(_after(sort, marker))
    for column, ascending in sort:
        if getattr(column, "nullable", True):
            # `IS NOT NULL` first gives both dialects the same place for NULLs; an index cannot help then.
            present = column.is_not(None)
            query = query.order_by(present if ascending else present.desc())
        query = query.order_by(column if ascending else column.desc())
    return query if limit is None else query.limit(limit)


def _after(sort: Sequence[tuple[ColumnElement[Any], bool]], marker: Sequence[Any]) -> ColumnElement[bool]:
    alternatives: list[ColumnElement[bool]] = []
    for index, ((column, ascending), value) in enumerate(zip(sort, marker, strict=True)):
        equal = [_same(c, v) for (c, _), v in zip(sort[:index], marker[:index], strict=True)]
        alternatives.append(and_(*equal, _beyond(column, value, ascending)))
    return or_(*alternatives)


def _same(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def _beyond(column: ColumnElement[Any], value: Any, ascending: bool) -> ColumnElement[bool]:
    if ascending:
        return column.is_not(None) if value is None else column > value
    if value is None:
        return false()
    return or_(column < value, column.is_(None))


def limit_of(text: str | None, maximum: int) -> int:
    """Parse a `limit` parameter; None is the maximum. Raises Invalid for anything but a whole number from 0."""
    if text is None or text == "":
        return maximum
    if not text.isascii() or not text.isdigit():
        raise Invalid(f"limit={text!r} is not a whole number of 0 or more")
    return min(int(text), maximum) if len(text) < 10 else maximum
