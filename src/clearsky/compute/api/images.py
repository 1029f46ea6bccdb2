"""Images as Compute showed them before clients asked the Image service: passed on, until 2.35 (metadata: 2.38)."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute.api.render import links, next_link
from clearsky.compute.schema import servers as schema
from clearsky.compute.schema.servers import holding
from clearsky.db.paging import limit_of
from clearsky.errors import Forbidden, Invalid, NotFound
from clearsky.image import service as image

routes = Routes()
_IMAGES, _META = "/v2.1/images", "/v2.1/images/{id}/metadata"
_UNTIL, _META_UNTIL = (2, 35), (2, 38)
_RULE = "os_compute_api:any_token"
_STATUS = {
    "queued": ("SAVING", 25), "saving": ("SAVING", 50), "importing": ("SAVING", 50), "uploading": ("SAVING", 50),
    "active": ("ACTIVE", 100), "deleted": ("DELETED", 0), "pending_delete": ("DELETED", 0),
}  # fmt: skip
_PLAIN = {
    "status", "name", "tags", "container_format", "created_at", "size", "disk_format", "updated_at", "visibility", "self",
    "min_disk", "protected", "id", "file", "checksum", "owner", "virtual_size", "min_ram", "schema", "os_hidden",
    "os_hash_algo", "os_hash_value", "stores", "direct_url", "locations",
}  # fmt: skip


def _properties(row: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in row.items() if name not in _PLAIN}


def _view(call: Call, row: dict[str, Any], *, detail: bool) -> dict[str, Any]:
    alternate = {
        "rel": "alternate",
        "type": "application/vnd.openstack.image",
        "href": f"{call.base_url.removesuffix('/compute')}/image/images/{row['id']}",
    }
    shown: dict[str, Any] = {
        "id": row["id"],
        "name": row["name"],
        "links": [*links(call, "images", row["id"]), alternate],
    }
    if not detail:
        return shown
    status, progress = _STATUS.get(row["status"], ("UNKNOWN", 0))
    properties = _properties(row)
    shown |= {
        "status": status,
        "progress": progress,
        "minDisk": row["min_disk"],
        "minRam": row["min_ram"],
        "created": row["created_at"],
        "updated": row["updated_at"],
        "metadata": properties,
        "OS-EXT-IMG-SIZE:size": row.get("size") or 0,
        "OS-DCF:diskConfig": "MANUAL",
    }
    if server_id := properties.get("instance_uuid"):
        shown["server"] = {"id": server_id, "links": links(call, "servers", server_id)}
    return shown


def _listed(call: Call, *, detail: bool) -> Reply:
    query = []
    for ours, theirs in (("name", "name"), ("marker", "marker")):
        if ours in call.query:
            query.append((theirs, call.query[ours]))
    if "changes-since" in call.query:
        query.append(("updated_at", f"gte:{call.query['changes-since']}"))
    if "status" in call.query:
        wanted = call.query["status"].upper()
        states = [theirs for theirs, (ours, _) in _STATUS.items() if ours == wanted]
        query.append(("status", states[-1] if states else "none"))
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    query.append(("limit", str(limit)))
    kind, server = call.query.get("type"), call.query.get("server")
    found = image.ask(call, "GET", "/v2/images", query=query)["images"]
    if kind is not None:
        found = [one for one in found if one.get("image_type", "base") == kind]
    if server is not None:
        id = server.rstrip("/").rpartition("/")[2]
        found = [one for one in found if one.get("instance_uuid") == id]
    shown = [_view(call, one, detail=detail) for one in found]
    return Reply({"images": shown} | next_link(call, "images", shown, limit))


def _one(call: Call) -> dict[str, Any]:
    try:
        found: dict[str, Any] = image.ask(call, "GET", f"/v2/images/{call.params['id']}")
    except NotFound as error:
        raise NotFound("Image not found.") from error
    return found


@routes.get(_IMAGES, rule=_RULE, response=holding("images"), until=_UNTIL)
def list_images(call: Call) -> Reply:
    """List images by name."""
    return _listed(call, detail=False)


@routes.get(_IMAGES + "/detail", rule=_RULE, response=holding("images"), until=_UNTIL)
def list_images_detail(call: Call) -> Reply:
    """List images in full."""
    return _listed(call, detail=True)


@routes.get(_IMAGES + "/{id}", rule=_RULE, response=holding("image"), until=_UNTIL)
def show_image(call: Call) -> Reply:
    """Show an image."""
    return Reply({"image": _view(call, _one(call), detail=True)})


@routes.delete(_IMAGES + "/{id}", rule=_RULE, until=_UNTIL)
def delete_image(call: Call) -> Reply:
    """Delete an image."""
    try:
        image.ask(call, "DELETE", f"/v2/images/{call.params['id']}")
    except NotFound as error:
        raise NotFound("Image not found.") from error
    return Reply()


# -- metadata ---------------------------------------------------------------------------------------------------


def _changed(call: Call, wanted: dict[str, str], *, replace: bool) -> dict[str, str]:
    """Set properties of an image, and remove the others where the whole is replaced."""
    row = _one(call)
    have = _properties(row)
    allowed = call.house.config.quota.metadata_items
    if len(wanted if replace else have | wanted) > allowed:
        raise Forbidden(f"Quota exceeded: image metadata has at most {allowed} items")
    if taken := sorted(wanted.keys() & _PLAIN):
        raise Invalid(f"metadata: {taken[0]!r} is an attribute of the image, not metadata")
    patch: list[dict[str, Any]] = [
        {"op": "replace" if key in have else "add", "path": f"/{_escaped(key)}", "value": value}
        for key, value in wanted.items()
    ]
    if replace:
        patch += [{"op": "remove", "path": f"/{_escaped(key)}"} for key in have.keys() - wanted.keys()]
    if patch:
        row = image.ask(call, "PATCH", f"/v2/images/{row['id']}", patch)
    return _properties(row)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


@routes.get(_META, rule=_RULE, response=holding("metadata"), until=_META_UNTIL)
def list_metadata(call: Call) -> Reply:
    """List an image's metadata."""
    return Reply({"metadata": _properties(_one(call))})


@routes.post(_META, rule=_RULE, request=schema.METADATA_BODY, response=holding("metadata"), until=_META_UNTIL)
def update_metadata(call: Call) -> Reply:
    """Add to an image's metadata."""
    return Reply({"metadata": _changed(call, call.body["metadata"], replace=False)})


@routes.put(_META, rule=_RULE, request=schema.METADATA_BODY, response=holding("metadata"), until=_META_UNTIL)
def replace_metadata(call: Call) -> Reply:
    """Replace an image's metadata."""
    return Reply({"metadata": _changed(call, call.body["metadata"], replace=True)})


@routes.get(_META + "/{key}", rule=_RULE, response=holding("meta"), until=_META_UNTIL)
def show_metadata_item(call: Call) -> Reply:
    """Show one item of an image's metadata."""
    have, key = _properties(_one(call)), call.params["key"]
    if key not in have:
        raise NotFound("Metadata item was not found")
    return Reply({"meta": {key: have[key]}})


@routes.put(
    _META + "/{key}", rule=_RULE, request=schema.METADATA_ITEM, response=holding("meta"), until=_META_UNTIL
)
def set_metadata_item(call: Call) -> Reply:
    """Set one item of an image's metadata."""
    if call.params["key"] not in call.body["meta"]:
        raise Invalid("Request body and URI mismatch: meta must hold the key of the path")
    _changed(call, call.body["meta"], replace=False)
    return Reply({"meta": call.body["meta"]})


@routes.delete(_META + "/{key}", rule=_RULE, until=_META_UNTIL)
def delete_metadata_item(call: Call) -> Reply:
    """Remove one item of an image's metadata."""
    have, key = _properties(_one(call)), call.params["key"]
    if key not in have:
        raise NotFound("Metadata item was not found")
    del have[key]
    _changed(call, have, replace=True)
    return Reply()
