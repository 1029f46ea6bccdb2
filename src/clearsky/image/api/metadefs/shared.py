"""What all routes of metadata definitions share: finding the namespace, links, sorting and paging."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import ColumnElement, Connection, Table

from clearsky.api.call import Call
from clearsky.db.paging import limit_of
from clearsky.errors import Forbidden, Invalid
from clearsky.image.api.render import iso
from clearsky.image.store import metadefs as store

ROOT = "/v2/metadefs/namespaces"
ONE = ROOT + "/{namespace}"
_READ_ONLY = ("self", "schema", "created_at", "updated_at")


def namespace(c: Connection, call: Call, rule: str) -> Any:
    """Return the path's namespace: it is not found where the caller may not see it. Raises Forbidden by `rule`."""
    row = store.namespace(c, call.scope, call.params["namespace"])
    call.authorize(rule, project_id=row.owner)
    return row


def changeable(c: Connection, call: Call, rule: str) -> Any:
    """Do what `namespace` does, in a transaction that changes it or what it holds."""
    store.queue(c)
    return namespace(c, call, rule)


def removable(c: Connection, call: Call, rule: str) -> Any:
    """Do what `changeable` does, where nothing protects what is to be deleted."""
    row = changeable(c, call, rule)
    if row.protected:
        raise Forbidden(
            f"Namespace {row.namespace!r} is protected: neither it nor what it holds can be deleted."
        )
    return row


def refuse_read_only(body: dict[str, Any]) -> None:
    for name in _READ_ONLY:
        if name in body:
            raise Forbidden(f"Attribute '{name}' is read-only.")


def path(*parts: str) -> str:
    """Return the path of a namespace, or of what is below it."""
    return "/".join((ROOT, *(quote(part, safe=":") for part in parts)))


def times(row: Any) -> dict[str, str]:
    return {"created_at": iso(row.created_at), "updated_at": iso(row.updated_at)}


def given(**values: Any) -> dict[str, Any]:
    """Leave out what has no value: the API has no null here."""
    return {name: value for name, value in values.items() if value is not None}


def sorting(call: Call, table: Table, keys: tuple[str, ...]) -> list[tuple[ColumnElement[Any], bool]]:
    """Read sort_key and sort_dir: newest first where they are not given."""
    key, way = call.query.get("sort_key", "created_at"), call.query.get("sort_dir", "desc")
    if key not in keys:
        raise Invalid(f"sort_key={key!r:.80}: it must be one of {', '.join(keys)}")
    if way not in ("asc", "desc"):
        raise Invalid(f"sort_dir={way!r:.80}: it must be asc or desc")
    return [(table.c[name], way == "asc") for name in dict.fromkeys((key, "created_at", "id"))]


def limit(call: Call) -> int:
    return limit_of(call.query.get("limit"), call.house.config.api.page_limit)


def page(
    call: Call, where: str, name: str, rows: list[Any], view: Callable[[Any], Any], marker: str
) -> dict[str, Any]:
    """Return one page of a list at the path `where`; `marker` is the attribute that a row is named by."""
    rest = [pair for pair in call.query.multi_items() if pair[0] != "marker"]
    body = {
        name: [view(row) for row in rows],
        "first": f"{where}?{urlencode(rest)}" if rest else where,
        "schema": f"/v2/schemas/metadefs/{name}",
    }
    if rows and len(rows) == limit(call):
        body["next"] = f"{where}?{urlencode([*rest, ('marker', getattr(rows[-1], marker))])}"
    return body
