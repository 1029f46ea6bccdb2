"""Members: the projects that a shared image is shared with."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, NotFound
from clearsky.image import schema, store
from clearsky.image.api.images import owned
from clearsky.image.api.render import iso

routes = Routes()
_ALL = "/v2/images/{image_id}/members"
_ONE = _ALL + "/{member_id}"


def view(row: Any) -> dict[str, Any]:
    return {
        "image_id": row.image_id,
        "member_id": row.member_id,
        "status": row.status,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "schema": "/v2/schemas/member",
    }


def _shared(row: Any) -> None:
    if row.visibility != "shared":
        raise Forbidden(f"Image {row.id} is {row.visibility}: only a shared one has members")


@routes.get(_ALL, rule="get_members", gate="get_image", response=schema.MEMBERS)
def list_members(call: Call) -> Reply:
    """List the members: all for the owner, oneself for a member."""
    with call.house.db.read() as c:
        image = store.get(c, call.scope, call.params["image_id"])
        _shared(image)
        rows = store.members(c, call.scope, image)
    return Reply({"members": [view(row) for row in rows], "schema": "/v2/schemas/members"})


@routes.post(_ALL, rule="add_member", gate="get_image", request=schema.MEMBER_CREATE, response=schema.MEMBER)
def create_member(call: Call) -> Reply:
    """Share the image with a project."""
    with call.house.db.write() as c:
        image = owned(c, call, "add_member")
        _shared(image)
        row = store.add_member(c, image.id, call.body["member"], call.house.config.image.member_limit)
    return Reply(view(row))


@routes.get(_ONE, rule="get_member", gate="get_image", response=schema.MEMBER)
def show_member(call: Call) -> Reply:
    """Show one member."""
    member_id = call.params["member_id"]
    with call.house.db.read() as c:
        image = store.get(c, call.scope, call.params["image_id"])
        if image.visibility != "shared":
            raise NotFound(f"{member_id} is not a member of image {image.id}")
        row = store.member(c, call.scope, image, member_id)
    return Reply(view(row))


@routes.put(
    _ONE, rule="modify_member", gate="get_image", request=schema.MEMBER_UPDATE, response=schema.MEMBER
)
def update_member(call: Call) -> Reply:
    """Accept or reject an image: the member's own decision, and not the owner's."""
    with call.house.db.write() as c:
        image = store.get(c, call.scope, call.params["image_id"])
        _shared(image)
        row = store.member(c, call.scope, image, call.params["member_id"])
        call.authorize("modify_member", project_id=row.member_id)
        row = store.set_member(c, image.id, row.member_id, call.body["status"])
    return Reply(view(row))


@routes.delete(_ONE, rule="delete_member", gate="get_image")
def delete_member(call: Call) -> Reply:
    """Stop sharing the image with a project."""
    with call.house.db.write() as c:
        image = owned(c, call, "delete_member")
        _shared(image)
        store.remove_member(c, image.id, call.params["member_id"])
    return Reply()
