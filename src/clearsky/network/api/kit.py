"""What every resource of the Network API shares: filters, sorting, pages, `fields`, bulk bodies, standard attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, Select, Table, select

from clearsky.api.call import Call, Reply
from clearsky.api.schema import Schema
from clearsky.db.paging import limit_of, page
from clearsky.errors import Forbidden, Invalid, NotFound, PreconditionFailed
from clearsky.network import store

View = Callable[[Connection, list[Any], Call], list[dict[str, Any]]]
TEXT = {"type": "string", "maxLength": 255}
UUID = {"type": "string", "pattern": "^[0-9a-fA-F-]{32,36}$"}
OPTIONAL_UUID = {"type": ["string", "null"], "pattern": "^[0-9a-fA-F-]{32,36}$"}
FLAG = {
    "type": ["boolean", "string", "integer"],
    "enum": [True, False, "true", "false", "True", "False", 0, 1],
}
PROJECT = {"type": ["string", "null"], "maxLength": 64}
ROUTES = {
    "type": "array",
    "maxItems": 100,
    "items": {
        "type": "object",
        "properties": {"destination": TEXT, "nexthop": TEXT},
        "required": ["destination", "nexthop"],
        "additionalProperties": False,
    },
}
_OWN = {"name": TEXT, "description": TEXT, "project_id": PROJECT, "tenant_id": PROJECT}


def truth(value: Any) -> bool:
    return value in (True, 1, "true", "True")


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of resource: its names, its table, how rows are shown, and what may be sent."""

    name: str
    plural: str
    table: Table
    view: View
    create: dict[str, Any]
    update: dict[str, Any]
    required: tuple[str, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)
    """Attribute -> column, where they differ and can be filtered by."""

    def creation(self) -> Schema:
        """A body with one, or with a list of them."""
        one = self._body(_OWN | self.create, self.required)
        several = {"type": "array", "items": one, "minItems": 1, "maxItems": 1000}
        single = {"properties": {self.name: one}, "required": [self.name], "additionalProperties": False}
        bulk = {
            "properties": {self.plural: several},
            "required": [self.plural],
            "additionalProperties": False,
        }
        return Schema({"type": "object", "if": {"required": [self.plural]}, "then": bulk, "else": single})

    def changing(self) -> Schema:
        body = self._body({"name": TEXT, "description": TEXT} | self.update, ())
        return Schema(
            {
                "type": "object",
                "properties": {self.name: body},
                "required": [self.name],
                "additionalProperties": False,
            }
        )

    @staticmethod
    def _body(properties: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        }

    def shown(self) -> Schema:
        one = {"type": "object", "required": ["id"]}
        several = {"type": "array", "items": {"type": "object"}}
        properties = {self.name: one, self.plural: several, f"{self.plural}_links": {"type": "array"}}
        return Schema(
            {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
        )


def standard(row: Any) -> dict[str, Any]:
    """The attributes that every resource has."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "project_id": row.project_id,
        "tenant_id": row.project_id,
        "tags": row.tags,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision_number,
    }


def owner_of(call: Call, body: dict[str, Any]) -> str:
    """Return the project that a new resource is for; only administrators choose another than their own."""
    wanted = body.get("project_id") or body.get("tenant_id") or call.caller.project_id or ""
    if wanted != call.caller.project_id and not call.caller.is_admin:
        raise Forbidden(
            f"project_id = {wanted!r}: only administrators create for another project",
            kind="PolicyNotAuthorized",
        )
    return str(wanted)


def only_admins(call: Call, body: dict[str, Any], *names: str) -> None:
    """Raise Forbidden where a body sets attributes that are for administrators."""
    given = [name for name in names if name in body]
    if given and not call.may("network:admin_attributes"):
        raise Forbidden(f"{', '.join(given)}: only administrators set this", kind="PolicyNotAuthorized")


def writable(c: Connection, resource: Resource, call: Call, verb: str, id: str) -> Any:
    """Return the row if the caller may change it; what may be seen but not changed is forbidden or not found."""
    row = store.get(c, resource.table, call.scope, id)
    if not call.may(f"{verb}_{resource.name}", project_id=row.project_id):
        if call.scope is not None and row.project_id != call.scope:
            what, kind = store.KINDS[resource.table]
            raise NotFound(f"{what} {id} could not be found.", kind=kind)
        call.authorize(f"{verb}_{resource.name}", project_id=row.project_id)
    match = call.headers.get("if-match", "")
    if match and match != f"revision_number={row.revision_number}":
        raise PreconditionFailed(
            f"Constrained to revision_number={match.removeprefix('revision_number=')}, "
            f"but current revision is {row.revision_number}",
            kind="RevisionNumberConstraintFailed",
        )
    return row


def create_all(
    resource: Resource, call: Call, make: Callable[[Connection, dict[str, Any]], Any], *, sync: bool = True
) -> Reply:
    """Create one or many in one transaction: all or none."""
    several = resource.plural in call.body
    bodies = call.body[resource.plural] if several else [call.body[resource.name]]
    with call.house.db.write() as c:
        rows = [make(c, body) for body in bodies]
        shown = resource.view(c, rows, call)
        if sync:
            store.sync(c, call.request_id)
    return Reply({resource.plural: shown} if several else {resource.name: shown[0]})


def show(resource: Resource, call: Call) -> Reply:
    with call.house.db.read() as c:
        row = store.get(c, resource.table, call.scope, call.params["id"])
        shown = resource.view(c, [row], call)[0]
    return Reply({resource.name: _fields(call, shown)})


def _fields(call: Call, shown: dict[str, Any]) -> dict[str, Any]:
    wanted = call.query.getlist("fields")
    return {name: value for name, value in shown.items() if name in wanted} if wanted else shown


_PAGING = {
    "limit",
    "marker",
    "page_reverse",
    "sort_key",
    "sort_dir",
    "fields",
    "tags",
    "tags-any",
    "not-tags",
    "not-tags-any",
}


def listed(resource: Resource, call: Call, query: Select[Any] | None = None) -> Reply:
    """List with filters on every attribute, sorting, pages by marker, and chosen fields."""
    table = resource.table
    query = select(table) if query is None else query
    query = query.where(store.visible(table, call.scope))
    later: dict[str, list[str]] = {}
    for key in dict.fromkeys(call.query.keys()):
        if key in _PAGING:
            continue
        values = call.query.getlist(key)
        column = resource.aliases.get(key, "project_id" if key == "tenant_id" else key)
        if column in table.c:
            query = query.where(_matches(table.c[column], values))
        else:
            later[key] = values
    reverse = call.query.get("page_reverse", "").lower() in ("1", "true")
    sort = _sort(resource, call, reverse)
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    after_view = bool(later) or any(
        name in call.query for name in ("tags", "tags-any", "not-tags", "not-tags-any")
    )
    with call.house.db.read() as c:
        marker = None
        if "marker" in call.query:
            row = store.get(c, table, call.scope, call.query["marker"])
            marker = [getattr(row, column.name) for column, _ in sort]
        rows = list(c.execute(page(query, sort, marker, None if after_view else limit)))
        shown = resource.view(c, rows, call)
    if after_view:
        shown = [item for item in shown if _later(item, later) and _tagged(item, call)][:limit]
    if reverse:
        shown.reverse()
    body: dict[str, Any] = {resource.plural: [_fields(call, item) for item in shown]}
    if "limit" in call.query and limit:
        body[f"{resource.plural}_links"] = _links(call, shown, limit, reverse)
    return Reply(body)


def _matches(column: Any, values: list[str]) -> Any:
    kind = column.type.python_type
    if kind is bool:
        return column.in_([value.lower() in ("1", "true", "yes") for value in values])
    if kind is int:
        return column.in_([int(value) for value in values if value.lstrip("-").isdigit() and len(value) < 18])
    return column.in_(values)


def _later(item: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    """Filter by what is not a column; a name that no attribute has filters nothing, as upstream does."""
    for key, values in filters.items():
        if key in item and str(item[key]).lower() not in [value.lower() for value in values]:
            return False
    return True


def _tagged(item: dict[str, Any], call: Call) -> bool:
    tags = set(item.get("tags", ()))
    for name in ("tags", "tags-any", "not-tags", "not-tags-any"):
        if name in call.query:
            wanted = set(call.query[name].split(","))
            found = bool(wanted & tags) if name.endswith("any") else wanted <= tags
            if found == name.startswith("not"):
                return False
    return True


def _sort(resource: Resource, call: Call, reverse: bool) -> list[tuple[Any, bool]]:
    keys, ways = call.query.getlist("sort_key"), call.query.getlist("sort_dir")
    if ways and len(keys) != len(ways):
        raise Invalid("The number of sort_keys and sort_dirs must be same", kind="HTTPBadRequest")
    pairs = []
    for key, way in zip(keys, ways or ["asc"] * len(keys), strict=True):
        column = resource.aliases.get(key, "project_id" if key == "tenant_id" else key)
        if column not in resource.table.c or way not in ("asc", "desc"):
            raise Invalid(
                f"['{key}'] is invalid attribute for sort_key, or {way!r} for sort_dir", kind="HTTPBadRequest"
            )
        pairs.append((resource.table.c[column], (way == "asc") != reverse))
    if "id" not in keys:
        pairs.append((resource.table.c.id, not reverse))
    return pairs


def _links(call: Call, shown: list[dict[str, Any]], limit: int, reverse: bool) -> list[dict[str, str]]:
    rest = [(key, value) for key, value in call.query.multi_items() if key not in ("marker", "page_reverse")]
    here = f"{call.base_url}{call.path.partition('/network')[2]}"
    links = []
    if shown and (len(shown) == limit or reverse):
        links.append({"rel": "next", "href": f"{here}?{urlencode([*rest, ('marker', shown[-1]['id'])])}"})
    if shown and ("marker" in call.query or reverse):
        back = [*rest, ("marker", shown[0]["id"]), ("page_reverse", "True")]
        links.append({"rel": "previous", "href": f"{here}?{urlencode(back)}"})
    return links
