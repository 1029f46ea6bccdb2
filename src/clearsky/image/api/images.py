"""Images: create, list, show, update, delete, tags, deactivate."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import or_, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.db.paging import limit_of, page
from clearsky.errors import Conflict, Forbidden, Invalid, NotFound
from clearsky.image import schema, store
from clearsky.image.tables import images
from clearsky.work.queue import enqueue

routes = Routes()
_PLAIN = ("name", "status", "visibility", "disk_format", "container_format", "min_disk", "min_ram", "protected",
          "os_hidden", "size", "virtual_size", "checksum", "os_hash_value", "owner", "tags")  # fmt: skip
READ_ONLY = {"id", "status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "created_at",
             "updated_at", "self", "file", "schema", "direct_url", "locations", "stores"}  # fmt: skip
SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
_VALUES = {
    name: Schema({"type": "object", "properties": {"value": item}}) for name, item in schema.SETTABLE.items()
}
_CUSTOM = Schema({"type": "object", "properties": {"value": schema.CUSTOM}})


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def view(row: Any) -> dict[str, Any]:
    shown = dict(row.properties) | {name: getattr(row, name) for name in _PLAIN}
    return shown | {
        "id": row.id,
        "os_hash_algo": "sha512" if row.os_hash_value else None,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "self": f"/v2/images/{row.id}",
        "file": f"/v2/images/{row.id}/file",
        "schema": "/v2/schemas/image",
    }


def owned(c: Any, call: Call, rule: str) -> Any:
    """Return the image if the caller's project may change it; an invisible one is not found."""
    row = store.get(c, call.scope, call.params["image_id"])
    call.authorize(rule, project_id=row.owner)
    return row


def _split(call: Call, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Separate columns from custom properties; reserved names are refused."""
    if wrong := sorted(READ_ONLY & body.keys() - {"id"}):
        raise Forbidden(f"Attribute '{wrong[0]}' is read-only.")
    if reserved := [name for name in body if name.startswith("os_glance_")]:
        raise Forbidden(f"Attribute '{reserved[0]}' is reserved.")
    columns = {name: body[name] for name in schema.SETTABLE if name in body}
    custom = {name: body[name] for name in body if name not in schema.SETTABLE and name != "id"}
    _may_show(call, columns)
    return columns, custom


def _may_show(call: Call, columns: dict[str, Any]) -> None:
    if columns.get("visibility") == "public":
        call.authorize("publicize_image")


@routes.post("/v2/images", rule="add_image", status=201, request=schema.CREATE, response=schema.SHOW)
def create_image(call: Call) -> Reply:
    """Create an image without data."""
    columns, custom = _split(call, call.body)
    owner = columns.pop("owner", None) or call.caller.project_id or ""
    if owner != call.caller.project_id and not call.caller.is_admin:
        raise Forbidden(f"owner = {owner!r}: an image can only be made for one's own project")
    id = str(uuid.UUID(call.body["id"])) if "id" in call.body else str(uuid.uuid4())
    columns["tags"] = list(dict.fromkeys(columns.get("tags") or []))
    with call.house.db.write() as c:
        row = store.create(c, {"id": id, "owner": owner, "properties": custom} | columns)
    return Reply(view(row), headers={"Location": f"{call.base_url}/v2/images/{id}"})


def _filters(call: Call) -> list[Any]:
    i, wanted = images.c, []
    visibility = call.query.get("visibility")
    if visibility not in (None, "all", "public", "private", "shared", "community"):
        raise Invalid(f"Invalid visibility value: {visibility}")
    status = call.query.get("member_status", "accepted")
    if status not in ("accepted", "pending", "rejected", "all"):
        raise Invalid(f"Invalid status value: {status}: must be accepted, pending, rejected or all")
    if call.scope is not None or visibility == "shared":
        mine = call.caller.project_id or ""
        known = [i.owner == mine, i.visibility == "public", store.shared_with(mine, status)]
        if visibility in ("community", "all"):
            known.append(i.visibility == "community")
        wanted.append(or_(*known))
    elif visibility is None:
        wanted.append(or_(i.visibility != "community", i.owner == call.caller.project_id))
    if visibility not in (None, "all"):
        wanted.append(i.visibility == visibility)
    hidden = call.query.get("os_hidden", "false").lower()
    if hidden not in ("true", "false"):
        raise Invalid(f"os_hidden={hidden!r} is not true or false")
    wanted.append(i.os_hidden.is_(hidden == "true"))
    for name in ("name", "status", "disk_format", "container_format", "owner", "id", "checksum"):
        if name in call.query:
            wanted.append(i[name].in_(_choices(call.query[name])))
    for name in ("min_disk", "min_ram", "size"):
        for suffix, compare in (("", "__eq__"), ("_min", "__ge__"), ("_max", "__le__")):
            if name + suffix in call.query and not (name.startswith("min") and suffix):
                wanted.append(getattr(i[name], compare)(limit_of(call.query[name + suffix], 2**62)))
    if "protected" in call.query:
        wanted.append(i.protected.is_(call.query["protected"].lower() == "true"))
    for name in ("created_at", "updated_at"):
        if name in call.query:
            wanted.append(_when(name, call.query[name]))
    return wanted


def _choices(text: str) -> list[str]:
    if not text.startswith("in:"):
        return [text]
    return [part.strip('"') for part in text[3:].split(",")]


def _when(name: str, text: str) -> Any:
    operator, _, value = text.partition(":") if text.partition(":")[0].isalpha() else ("eq", "", text)
    compare = {
        "gt": "__gt__",
        "gte": "__ge__",
        "lt": "__lt__",
        "lte": "__le__",
        "eq": "__eq__",
        "neq": "__ne__",
    }
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise Invalid(f"{name}={text!r} holds no time such as gt:2026-01-31T12:00:00Z") from error
    if operator not in compare:
        raise Invalid(f"{name}={text!r}: the comparison must be one of {', '.join(compare)}")
    seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return getattr(images.c[name], compare[operator])(seconds)


def _sort(call: Call) -> list[tuple[Any, bool]]:
    if "sort" in call.query:
        if "sort_key" in call.query or "sort_dir" in call.query:
            raise Invalid("Give either sort, or sort_key and sort_dir.")
        pairs = [part.partition(":")[::2] for part in call.query["sort"].split(",")]
    else:
        keys, ways = call.query.getlist("sort_key"), call.query.getlist("sort_dir")
        if len(ways) > max(1, len(keys)):
            raise Invalid("There are more sort_dir than sort_key.")
        pairs = [(key, ways[n] if n < len(ways) else ways[0] if ways else "") for n, key in enumerate(keys)]
        if not keys and ways:
            pairs = [("created_at", ways[0])]
    for key, way in pairs:
        if key not in SORT_KEYS or way not in ("", "asc", "desc"):
            raise Invalid(
                f"sort by {key!r} {way!r}: keys are {', '.join(SORT_KEYS)}, directions asc and desc"
            )
    if not any(key == "created_at" for key, _ in pairs):
        pairs = [*pairs, ("created_at", "")]
    if not any(key == "id" for key, _ in pairs):
        pairs = [*pairs, ("id", "")]
    return [(images.c[key], way == "asc") for key, way in pairs]


@routes.get("/v2/images", rule="get_images", response=schema.INDEX)
def list_images(call: Call) -> Reply:
    """List images by any attribute."""
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    sort, marker = _sort(call), None
    query = select(images).where(images.c.status != "deleting", *_filters(call))
    tags = call.query.getlist("tag")
    custom = {k: v for k, v in call.query.multi_items() if k not in images.c and k not in _RESERVED}
    with call.house.db.read() as c:
        if "marker" in call.query:
            try:
                row = store.get(c, call.scope, call.query["marker"])
            except NotFound as error:
                raise Invalid(f"marker={call.query['marker']!r} is no image that you can see") from error
            marker = [getattr(row, column.name) for column, _ in sort]
        rows = store.listing(c, page(query, sort, marker, None if tags or custom else limit))
    rows = [row for row in rows if set(tags) <= set(row.tags) and custom.items() <= row.properties.items()][
        :limit
    ]
    items = [("limit", call.query["limit"])] if "limit" in call.query else []
    rest = [(key, value) for key, value in call.query.multi_items() if key not in ("marker", "limit")]
    body: dict[str, Any] = {"images": [view(row) for row in rows], "schema": "/v2/schemas/images"}
    body["first"] = f"/v2/images?{urlencode(rest)}" if rest else "/v2/images"
    if rows and len(rows) == limit:
        body["next"] = f"/v2/images?{urlencode([*rest, *items, ('marker', rows[-1].id)])}"
    return Reply(body)


_RESERVED = {"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "visibility", "tag", "size_min",
             "size_max", "os_hidden", "include_stores"}  # fmt: skip


@routes.get("/v2/images/{image_id}", rule="get_image", response=schema.SHOW)
def show_image(call: Call) -> Reply:
    """Show an image."""
    with call.house.db.read() as c:
        row = store.get(c, call.scope, call.params["image_id"])
    return Reply(view(row))


@routes.patch("/v2/images/{image_id}", rule="modify_image", request=schema.PATCH, response=schema.SHOW)
def update_image(call: Call) -> Reply:
    """Change an image by a JSON patch."""
    with call.house.db.write() as c:
        row = owned(c, call, "modify_image")
        columns = {name: getattr(row, name) for name in schema.SETTABLE}
        custom = dict(row.properties)
        for operation in call.body:
            _patch(operation, columns, custom)
        if columns["visibility"] != row.visibility:
            _may_show(call, columns)
        if columns["owner"] != row.owner and not call.caller.is_admin:
            raise Forbidden("Attribute 'owner' is for administrators only.")
        if row.status != "queued":
            for name in ("disk_format", "container_format"):
                if columns[name] != getattr(row, name):
                    raise Forbidden(f"Attribute {name} can be only replaced for a queued image.")
        columns["tags"] = list(dict.fromkeys(columns["tags"]))
        row = store.change(c, row.id, columns | {"properties": custom})
    return Reply(view(row))


def _operation(operation: dict[str, Any]) -> tuple[str, str]:
    """Return (kind, path) of a patch's operation, also in the form of the first drafts: `{"replace": "/name"}`."""
    if "op" in operation:
        return operation["op"], operation["path"]
    kind = next(name for name in ("add", "replace", "remove") if name in operation)
    return kind, operation[kind]


def _patch(operation: dict[str, Any], columns: dict[str, Any], custom: dict[str, Any]) -> None:
    kind, path = _operation(operation)
    name = path[1:].replace("~1", "/").replace("~0", "~")
    if name in READ_ONLY or name.startswith("os_glance_"):
        raise Forbidden(f"Attribute '{name}' is read-only.")
    if "/" in path[1:] or not name or len(name) > 255:
        raise Invalid(f"path {path!r:.100} does not name one attribute of the image")
    if kind == "remove":
        if name in columns:
            raise Forbidden(f"Property {name} may not be removed.")
        if custom.pop(name, None) is None:
            raise Conflict(f"Property {name} does not exist.")
        return
    if "value" not in operation:
        raise Invalid(f"The operation {kind} of {name} needs a value")
    (_VALUES.get(name) or _CUSTOM).check({"value": operation["value"]})
    if kind == "replace" and name not in columns and name not in custom:
        raise Conflict(f"Property {name} does not exist.")
    (columns if name in columns else custom)[name] = operation["value"]


@routes.delete("/v2/images/{image_id}", rule="delete_image")
def delete_image(call: Call) -> Reply:
    """Delete an image from any state, unless it is protected."""
    with call.house.db.write() as c:
        row = owned(c, call, "delete_image")
        if row.protected:
            raise Forbidden(
                f"Image {row.id} is protected and cannot be deleted: set protected to false first."
            )
        store.change(c, row.id, {"status": "deleting"})
        enqueue(c, "image", row.id, request_id=call.request_id)
    return Reply()


@routes.put("/v2/images/{image_id}/tags/{tag}", rule="modify_image", status=204)
def add_tag(call: Call) -> Reply:
    """Add a tag."""
    tag = call.params["tag"]
    if len(tag) > 255:
        raise Invalid(f"A tag has at most 255 characters; this one has {len(tag)}")
    with call.house.db.write() as c:
        row = owned(c, call, "modify_image")
        store.change(c, row.id, {"tags": list(dict.fromkeys([*row.tags, tag]))})
    return Reply()


@routes.delete("/v2/images/{image_id}/tags/{tag}", rule="modify_image")
def remove_tag(call: Call) -> Reply:
    """Remove a tag."""
    with call.house.db.write() as c:
        row = owned(c, call, "modify_image")
        if call.params["tag"] not in row.tags:
            raise NotFound(f"Image {row.id} has no tag {call.params['tag']!r}")
        store.change(c, row.id, {"tags": [tag for tag in row.tags if tag != call.params["tag"]]})
    return Reply()


@routes.post("/v2/images/{image_id}/actions/deactivate", rule="deactivate", status=204)
def deactivate(call: Call) -> Reply:
    """Keep an image's data from being downloaded and booted."""
    return _switch(call, "deactivate", "active", "deactivated")


@routes.post("/v2/images/{image_id}/actions/reactivate", rule="reactivate", status=204)
def reactivate(call: Call) -> Reply:
    """Let a deactivated image be used again."""
    return _switch(call, "reactivate", "deactivated", "active")


def _switch(call: Call, rule: str, before: str, after: str) -> Reply:
    with call.house.db.write() as c:
        row = owned(c, call, rule)
        if not store.move(c, row.id, (before, after), after):
            raise Forbidden(f"Image {row.id} is {row.status}: only an {before} one can be {after}")
    return Reply()
