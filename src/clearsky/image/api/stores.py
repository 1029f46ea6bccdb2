"""Stores: which there are, and the removal of one of several copies of an image."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Forbidden, NotFound
from clearsky.image import service, store
from clearsky.image.schema import stores as shapes
from clearsky.image.store import locations

routes = Routes()


def _view(call: Call, name: str) -> dict[str, Any]:
    known = service.stores(call.house)
    settings = known.settings[name]
    shown: dict[str, Any] = {"id": name, "weight": settings.weight}
    if settings.description:
        shown["description"] = settings.description
    # A string, and only where it is true: that is how clients know it.
    return shown | ({"default": "true"} if name == known.default else {})


@routes.get("/v2/info/stores", rule="get_images", response=shapes.STORES)
def list_stores(call: Call) -> Reply:
    """List the stores that an image's data can be put into."""
    return Reply({"stores": [_view(call, name) for name in service.stores(call.house).names]})


@routes.get("/v2/info/stores/detail", rule="stores_info_detail", response=shapes.STORES_DETAIL)
def list_stores_in_detail(call: Call) -> Reply:
    """List the stores with what they stand on."""
    known = service.stores(call.house)
    return Reply(
        {
            "stores": [
                _view(call, name)
                | {"type": known.settings[name].type, "properties": known[name].properties()}
                for name in known.names
            ]
        }
    )


@routes.delete("/v2/stores/{store_id}/{image_id}", rule="delete_image_location")
def delete_from_store(call: Call) -> Reply:
    """Remove an image's data from one store; another one must have it."""
    name = call.params["store_id"]
    if name not in service.stores(call.house):
        raise NotFound(f"There is no store {name!r}")
    with call.house.db.write() as c:
        row = store.get(c, call.scope, call.params["image_id"])
        call.authorize("delete_image_location", project_id=row.owner)
        if row.status != "active":
            raise Conflict(f"Image {row.id} is {row.status}: only an active one's data can leave a store")
        if name not in row.stores:
            raise NotFound(f"Image {row.id} is not stored in store {name!r}")
        if len(row.stores) == 1:
            raise Forbidden(f"Store {name!r} has the only copy of image {row.id}: delete the image instead")
        store.change(c, row.id, {"stores": [one for one in row.stores if one != name]})
        where = (locations.loc.image_id == row.id, locations.loc.store == name)
        locations.give_up(c, *where, locations.loc.status == "active")
    return Reply()
