"""Rows to JSON, lists with links, and the filters that every list understands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Select, Table, func

from clearsky.api.call import Call, Reply
from clearsky.db.paging import limit_of
from clearsky.identity import store

_COMPARISONS = ("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "iexact")
NEVER = ("id", "tags", "options", "extra", "password", "links")


def iso(seconds: float | None) -> str | None:
    """Render a time as Identity does: microseconds and a Z."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def link(call: Call, plural: str, id: str) -> dict[str, str]:
    return {"self": f"{call.base_url}/v3/{plural}/{id}"}


def filtered(call: Call, query: Select[Any], table: Table, names: Sequence[str]) -> Select[Any]:
    """Narrow `query` by the request's parameters: `name=`, `name__contains=` and the like, `enabled=`."""
    for key, value in call.query.multi_items():
        name, _, comparison = key.partition("__")
        if name not in names or name not in table.c:
            continue
        column = table.c[name]
        if name == "enabled":
            query = query.where(column.is_(value.lower() not in ("0", "false", "no", "off")))
        elif not comparison:
            query = query.where(column == value)
        elif comparison in _COMPARISONS:
            query = query.where(_compare(column, comparison, value))
    return query


def _compare(column: Any, comparison: str, value: str) -> Any:
    if comparison.startswith("i"):
        column, value, comparison = func.lower(column), value.lower(), comparison[1:]
    if comparison == "exact":
        return column == value
    return getattr(column, comparison)(value, autoescape=True)


def listed(
    call: Call, plural: str, query: Select[Any], table: Table, view: Callable[[Call, Any], dict[str, Any]]
) -> Reply:
    """Answer one page of `query`, with links to itself and the next one."""
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    with call.house.db.read() as c:
        rows = store.listing(c, query, table, call.query.get("marker"), limit)
    return enclose(call, plural, [view(call, row) for row in rows], limit)


def enclose(call: Call, plural: str, items: list[dict[str, Any]], limit: int = 0) -> Reply:
    here = f"{call.base_url}{call.path.partition('/identity')[2]}"
    asked = urlencode(call.query.multi_items())
    next_page = None
    if limit and len(items) == limit and call.query.get("limit"):
        rest = [(key, value) for key, value in call.query.multi_items() if key != "marker"]
        next_page = f"{here}?{urlencode([*rest, ('marker', items[-1]['id'])])}"
    links = {"self": f"{here}?{asked}" if asked else here, "previous": None, "next": next_page}
    return Reply({plural: items, "links": links})
