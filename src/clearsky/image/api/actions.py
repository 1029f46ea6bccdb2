"""What is done to an image beside changing its attributes: tags, deactivate, reactivate."""

from __future__ import annotations

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, Invalid, NotFound
from clearsky.image import store
from clearsky.image.api.images import check_tags, owned

routes = Routes()
_TAG = "/v2/images/{image_id}/tags/{tag}"


@routes.put(_TAG, rule="modify_image", gate="get_image", status=204)
def add_tag(call: Call) -> Reply:
    """Add a tag."""
    tag = call.params["tag"]
    if len(tag) > 255:
        raise Invalid(f"A tag has at most 255 characters; this one has {len(tag)}")
    with call.house.db.write() as c:
        row = owned(c, call, "modify_image")
        if tag not in row.tags:
            tags = [*row.tags, tag]
            check_tags(call, tags)
            store.change(c, row.id, {"tags": tags})
    return Reply()


@routes.delete(_TAG, rule="modify_image", gate="get_image")
def remove_tag(call: Call) -> Reply:
    """Remove a tag."""
    tag = call.params["tag"]
    with call.house.db.write() as c:
        row = owned(c, call, "modify_image")
        if tag not in row.tags:
            raise NotFound(f"Image {row.id} has no tag {tag!r:.300}")
        store.change(c, row.id, {"tags": [one for one in row.tags if one != tag]})
    return Reply()


@routes.post("/v2/images/{image_id}/actions/deactivate", rule="deactivate", gate="get_image", status=204)
def deactivate(call: Call) -> Reply:
    """Keep an image's data from being downloaded and booted."""
    return _switch(call, "deactivate", "active", "deactivated")


@routes.post("/v2/images/{image_id}/actions/reactivate", rule="reactivate", gate="get_image", status=204)
def reactivate(call: Call) -> Reply:
    """Let a deactivated image be used again."""
    return _switch(call, "reactivate", "deactivated", "active")


def _switch(call: Call, rule: str, before: str, after: str) -> Reply:
    with call.house.db.write() as c:
        row = owned(c, call, rule)
        if row.status != after and not store.move(c, row.id, (before,), after):
            raise Forbidden(f"Not allowed to {rule} an image in status '{row.status}'")
    return Reply()
