"""Images: create, show, change, delete."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply, content_type
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, TooLarge
from clearsky.image import patch, quotas, schema, service, store
from clearsky.image.api.imports import methods
from clearsky.image.api.render import copies, url, view
from clearsky.image.store import locations
from clearsky.work.queue import enqueue

routes = Routes()


def owned(c: Any, call: Call, rule: str) -> Any:
    """Return the image if the caller's project may change it; an invisible one is not found."""
    row = store.get(c, call.scope, call.params["image_id"])
    call.authorize(rule, project_id=row.owner)
    return row


class CallerGuard:
    """What this caller may not change in an image; see `patch.Guard`."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def owner(self) -> None:
        if not self.call.caller.is_admin:
            raise Forbidden("Attribute 'owner' is for administrators only.")

    def visibility(self, wanted: str) -> None:
        if wanted == "public":
            self.call.authorize("publicize_image")
        elif wanted == "community":
            self.call.authorize("communitize_image", project_id=self.call.caller.project_id)

    def custom(self, name: str, action: str) -> None:
        protection = service.protection(self.call.house)
        if not protection.allows(name, action, self.call.caller, self.call.may):
            raise Forbidden(f"Property '{name}' is protected.")

    def location(self, rule: str) -> None:
        self.call.authorize(rule, project_id=self.call.caller.project_id)


def check_tags(call: Call, tags: list[str]) -> None:
    """Raise TooLarge where an image would have too many tags."""
    _check_count(len(tags), call.house.config.image.tag_limit, "tags")


def check_properties(call: Call, custom: dict[str, Any]) -> None:
    """Raise TooLarge where an image would have too many custom properties; the service's own do not count."""
    own = [name for name in custom if not name.startswith(patch.RESERVED_PREFIX)]
    _check_count(len(own), call.house.config.image.property_limit, "properties")


def _check_count(number: int, most: int, what: str) -> None:
    if 0 <= most < number:
        raise TooLarge(f"The image would have {number} {what}; at most {most} are allowed.")


def _split(call: Call, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separate columns from custom properties; what is not the caller's to set is refused."""
    guard = CallerGuard(call)
    for name in body:
        if name in schema.FIXED:
            raise Forbidden(f"Attribute '{name}' is read-only.")
        if name in patch.RESERVED or name.startswith(patch.RESERVED_PREFIX):
            raise Forbidden(f"Attribute '{name}' is reserved.")
    columns = {name: body[name] for name in schema.SETTABLE if name in body}
    custom = {name: value for name, value in body.items() if name not in schema.SETTABLE and name != "id"}
    guard.visibility(columns.get("visibility", ""))
    for name in custom:
        guard.custom(name, "create")
    return columns, custom


def draft(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a new image that a client describes; raises Forbidden, TooLarge."""
    columns, custom = _split(call, body)
    owner = columns.setdefault("owner", call.caller.project_id)
    if not call.may("add_image", project_id=owner):
        raise Forbidden(f"owner = {owner!r}: an image can only be made for one's own project")
    columns["tags"] = list(dict.fromkeys(columns.get("tags", [])))
    check_tags(call, columns["tags"])
    check_properties(call, custom)
    columns["id"] = body["id"].lower() if "id" in body else str(uuid.uuid4())
    return columns | {"properties": custom}


@routes.post("/v2/images", rule="add_image", status=201, request=schema.CREATE, response=schema.SHOW)
def create_image(call: Call) -> Reply:
    """Create an image without data."""
    columns = draft(call, call.body)
    owner = columns["owner"]
    allowed = quotas.limits(call.house, owner, [quotas.COUNT_TOTAL])
    with call.house.db.write() as c:
        quotas.enforce(c, owner, allowed, {quotas.COUNT_TOTAL: 1})
        row = store.create(c, columns)
    headers = {
        "Location": f"{call.base_url}/v2/images/{row.id}",
        "OpenStack-image-import-methods": ",".join(methods(call)),
        "OpenStack-image-store-ids": ",".join(service.stores(call.house).names),
    }
    # A header without a value is none.
    return Reply(view(call, row), headers={name: value for name, value in headers.items() if value})


@routes.get("/v2/images/{image_id}", rule="get_image", gate="get_image", response=schema.SHOW)
def show_image(call: Call) -> Reply:
    """Show an image."""
    with call.house.db.read() as c:
        row = store.get(c, call.scope, call.params["image_id"])
        places = copies(c, call, [row])
    return Reply(view(call, row, places.get(row.id, ())))


@routes.patch(
    "/v2/images/{image_id}",
    rule="modify_image",
    gate="get_image",
    accepts=patch.KINDS,
    request=schema.PATCH,
    response=schema.SHOW,
)
def update_image(call: Call) -> Reply:
    """Change an image by a JSON patch."""
    changes = patch.parse(content_type(call.headers), call.body)
    with call.house.db.write() as c:
        row = owned(c, call, "modify_image")
        if changes:
            row = store.change(c, row.id, _changed(c, call, row, changes))
        places = copies(c, call, [row])
    return Reply(view(call, row, places.get(row.id, ())))


def _changed(c: Connection, call: Call, row: Any, changes: list[patch.Change]) -> dict[str, Any]:
    """Return the columns that the patch gives other values; copies that it takes away are given up."""
    before = {name: getattr(row, name) for name in schema.SETTABLE} | {"properties": row.properties}
    hidden = service.protection(call.house).unreadable(row.properties, call.caller, call.may)
    draft = patch.Draft(
        row.status, {name: before[name] for name in schema.SETTABLE}, dict(row.properties), hidden
    )
    known = {}
    if call.house.config.image.show_multiple_locations:
        known = {url(call, copy): copy for copy in copies(c, call, [row]).get(row.id, ())}
        draft.locations = list(known)
    patch.apply(changes, draft, CallerGuard(call))
    draft.columns["tags"] = list(dict.fromkeys(draft.columns["tags"]))
    # Only what grows is counted: a lower limit must not keep an image from being changed.
    if set(draft.columns["tags"]) - set(row.tags):
        check_tags(call, draft.columns["tags"])
    if draft.custom.keys() - row.properties.keys():
        check_properties(call, draft.custom)
    after = draft.columns | {"properties": draft.custom}
    values = {name: value for name, value in after.items() if value != before[name]}
    gone = [copy for where, copy in known.items() if where not in (draft.locations or ())]
    return values | (_without(c, row, gone) if gone else {})


def _without(c: Connection, row: Any, gone: list[Any]) -> dict[str, Any]:
    """Give copies of an image up; returns the columns that this changes."""
    locations.give_up(c, locations.loc.name.in_([copy.name for copy in gone]))
    left = {copy.store for copy in locations.active(c, [row.id])}
    return {"stores": [name for name in row.stores if name in left]}


@routes.delete("/v2/images/{image_id}", rule="delete_image", gate="get_image")
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
