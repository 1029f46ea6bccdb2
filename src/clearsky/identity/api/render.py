"""Rows to JSON, lists with links, and the filters that every list understands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Connection, Select, Table, func

from clearsky.api.call import Call, Reply
from clearsky.db.paging import limit_of
from clearsky.errors import Invalid
from clearsky.identity.store.kit import paged

_COMPARISONS = ("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "iexact")
_NO_LIMIT = 2**31
View = Callable[[Call, Any], dict[str, Any]]
More = Callable[[Connection, Select[Any]], Mapping[str, dict[str, Any]]]
"""(connection, query of ids) -> id -> what other tables add to each item of a list, read once for all of them."""


def link(call: Call, plural: str, id: str) -> dict[str, str]:
    return {"self": f"{call.base_url}/v3/{plural}/{id}"}


def is_true(value: str) -> bool:
    """Read a flag of a query: present is true, unless it says no."""
    return value.lower() not in ("0", "false", "no", "off", "n", "f")


def flag(call: Call, name: str) -> bool:
    return name in call.query and is_true(call.query[name])


def filtered(call: Call, query: Select[Any], table: Table, names: Sequence[str]) -> Select[Any]:
    """Narrow `query` by the request's parameters: `name=`, `name__contains=` and the like, `enabled=`."""
    for key, value in call.query.multi_items():
        name, _, comparison = key.partition("__")
        if name not in names or name not in table.c:
            continue
        column = table.c[name]
        if name == "enabled":
            query = query.where(column.is_(is_true(value)))
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
    call: Call,
    plural: str,
    query: Select[Any],
    table: Table,
    view: View,
    *,
    more: More | None = None,
    sortable: Sequence[str] = (),
    list_limit: int | None = None,
) -> Reply:
    """Answer one page of `query`, with links to itself and the next one.

    Without `limit` everything is answered, up to the setting `list_limit`; what that cuts off is said by `truncated`.
    """
    asked = limit_of(call.query.get("limit"), _NO_LIMIT)
    most = call.house.config.identity.list_limit if list_limit is None else list_limit
    limit = min(asked, most or _NO_LIMIT)
    sort = _sort(call, table, sortable)
    with call.house.db.read() as c:
        one_more = paged(c, query, table, call.query.get("marker"), min(limit + 1, _NO_LIMIT), sort)
        rows = c.execute(one_more).all()
        added: Mapping[str, dict[str, Any]] = {}
        if more is not None and rows:
            added = more(c, one_more.with_only_columns(table.c.id))
    items = [view(call, row) | added.get(row.id, {}) for row in rows[:limit]]
    reply = enclose(call, plural, items, follows=bool(items) and len(rows) > limit)
    if limit < asked and len(rows) > limit:
        reply.body["truncated"] = True
    return reply


def _sort(call: Call, table: Table, sortable: Sequence[str]) -> list[tuple[ColumnElement[Any], bool]]:
    key = call.query.get("sort_key")
    if not sortable or not key:
        return []
    if key not in sortable:
        raise Invalid(f"sort_key={key!r:.80} is not one of {', '.join(sortable)}")
    direction = call.query.get("sort_dir", "asc")
    if direction not in ("asc", "desc"):
        raise Invalid(f"sort_dir={direction!r:.80} is not one of asc, desc")
    return [(table.c[key], direction == "asc")]


def enclose(call: Call, plural: str, items: list[dict[str, Any]], *, follows: bool = False) -> Reply:
    """Answer a list; `follows` says that there is more of it after the last item."""
    here = f"{call.base_url}{call.path.partition('/identity')[2]}"
    asked = urlencode(call.query.multi_items())
    next_page = None
    if follows:
        rest = [(key, value) for key, value in call.query.multi_items() if key != "marker"]
        next_page = f"{here}?{urlencode([*rest, ('marker', items[-1]['id'])])}"
    links = {"self": f"{here}?{asked}" if asked else here, "previous": None, "next": next_page}
    return Reply({plural: items, "links": links})
