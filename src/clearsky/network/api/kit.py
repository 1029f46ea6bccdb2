"""What every resource of the Network API shares: filters, sorting, pages, `fields`, bulk bodies, standard attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, Select, Table, select, update

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
DOMAIN = {
    "type": "string",
    "maxLength": 255,
    "pattern": "^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\\.)*([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\\.?)?$",
}
"""A DNS name, with or without the dot at its end, or nothing."""
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
TAGS = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 255},
    "uniqueItems": True,
    "maxItems": 50,
}
OWNER = {"project_id": PROJECT, "tenant_id": PROJECT}


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
    words: tuple[str, ...] = ("name", "description")
    """What it is called by."""
    object_type: str = ""
    """Its name in RBAC policies, where it can be shared."""
    derived: tuple[str, ...] = ()
    """Attributes without a column that can be filtered by, after the view has made them."""
    clauses: dict[str, Callable[[list[str]], Any]] = field(default_factory=dict)
    """Filters that are conditions of their own: values -> condition."""

    def creation(self) -> Schema:
        """A body with one, or with a list of them."""
        tags = {"tags": TAGS} if "tags" in self.table.c else {}
        one = self._body(tags | OWNER | dict.fromkeys(self.words, TEXT) | self.create, self.required)
        several = {"type": "array", "items": one, "minItems": 1, "maxItems": 1000}
        single = {"properties": {self.name: one}, "required": [self.name], "additionalProperties": False}
        bulk = {
            "properties": {self.plural: several},
            "required": [self.plural],
            "additionalProperties": False,
        }
        return Schema({"type": "object", "if": {"required": [self.plural]}, "then": bulk, "else": single})

    def changing(self) -> Schema:
        body = self._body(dict.fromkeys(self.words, TEXT) | self.update, ())
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


def shared(c: Connection, rows: list[Any], call: Call) -> set[str]:
    """Return which of these are shared with the caller's project, by a grant to it or to everybody."""
    return store.shared_with(c, [row.id for row in rows], call.caller.project_id)


def share(c: Connection, resource: Resource, row: Any, wanted: Any) -> None:
    """Let everybody use the object, or nobody by that right any more."""
    if truth(wanted):
        store.grant(c, row, resource.object_type, store.SHARED, store.EVERYBODY)
    else:
        store.revoke(c, row.id, store.SHARED, store.EVERYBODY)


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
        rows = [_tag(c, resource, make(c, body), body) for body in bodies]
        shown = resource.view(c, rows, call)
        if sync:
            store.sync(c, call.request_id)
    return Reply({resource.plural: shown} if several else {resource.name: shown[0]})


def _tag(c: Connection, resource: Resource, row: Any, body: dict[str, Any]) -> Any:
    if not body.get("tags"):
        return row
    statement = update(resource.table).where(resource.table.c.id == row.id).values(tags=body["tags"])
    return c.execute(statement.returning(resource.table)).one()


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
        if key in resource.clauses:
            query = query.where(resource.clauses[key](values))
        elif key == "shared" and resource.object_type:
            query = query.where(_shared(table, call, values))
        elif column in table.c:
            query = query.where(_matches(table.c[column], values, key))
        elif key in resource.derived:
            later[key] = values
        else:
            raise Invalid(f"['{key}'] is invalid attribute for filtering", kind="HTTPBadRequest")
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


def _shared(table: Table, call: Call, values: list[str]) -> Any:
    condition = table.c.id.in_(store.granted(call.caller.project_id, store.SHARED))
    return condition if values[0].lower() in ("1", "true", "yes") else ~condition


def _matches(column: Any, values: list[str], name: str) -> Any:
    kind = column.type.python_type
    if kind is bool:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if unknown := [value for value in values if value.lower() not in words]:
            raise Invalid(
                f"Invalid input for {name}. Reason: '{unknown[0]}' cannot be converted to boolean.",
                kind="HTTPBadRequest",
            )
        return column.in_([words[value.lower()] for value in values])
    if kind is int:
        return column.in_([int(value) for value in values if value.lstrip("-").isdigit() and len(value) < 18])
    if column.nullable and "" in values:
        return column.in_(values) | column.is_(None)
    return column.in_(values)


def _later(item: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    for key, values in filters.items():
        if str(item.get(key, "")).lower() not in [value.lower() for value in values]:
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
