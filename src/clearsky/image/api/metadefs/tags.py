"""Tags of a namespace: words that resources may be tagged with."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.image.api.metadefs import shared
from clearsky.image.schema import metadefs as schema
from clearsky.image.store import metadefs as store
from clearsky.image.tables import metadefs as t

routes = Routes()
_ALL = shared.ONE + "/tags"
_ONE = _ALL + "/{name}"
SORT_KEYS = ("name", "created_at", "updated_at", "id")
_YES = ("1", "t", "true", "on", "y", "yes")


def view(row: Any) -> dict[str, Any]:
    return {"name": row.name} | shared.times(row)


@routes.get(_ALL, rule="get_metadef_tags", gate="get_metadef_namespace", response=schema.TAGS)
def list_tags(call: Call) -> Reply:
    """List the tags of a namespace."""
    sort, marker = shared.sorting(call, t.tags, SORT_KEYS), None
    with call.house.db.read() as c:
        namespace = shared.namespace(c, call, "get_metadef_tags")
        if "marker" in call.query:
            marker = store.part(c, t.tags, namespace, call.query["marker"])
        rows = store.parts(c, t.tags, namespace.id, sort, marker, shared.limit(call))
    where = shared.path(namespace.namespace, "tags")
    return Reply(shared.page(call, where, "tags", rows, lambda row: {"name": row.name}, "name"))


@routes.post(
    _ALL,
    rule="add_metadef_tags",
    gate="get_metadef_namespace",
    status=201,
    request=schema.TAGS_SET,
    response=schema.TAGS_MADE,
)
def create_tags(call: Call) -> Reply:
    """Replace the tags of a namespace, or with X-OpenStack-Append add to them; an empty list changes nothing."""
    append = call.headers.get("x-openstack-append", "").strip().lower() in _YES
    with call.house.db.write() as c:
        namespace = shared.changeable(c, call, "add_metadef_tags")
        if call.body["tags"] and not append:
            store.remove_parts(c, t.tags, namespace.id)
        for tag in call.body["tags"]:
            store.add_part(c, t.tags, namespace.id, tag)
    return Reply({"tags": call.body["tags"]})


@routes.post(_ONE, rule="add_metadef_tag", gate="get_metadef_namespace", status=201, response=schema.TAG)
def create_tag(call: Call) -> Reply:
    """Define a tag."""
    schema.TAG_SET.check({"name": call.params["name"]})
    with call.house.db.write() as c:
        namespace = shared.changeable(c, call, "add_metadef_tag")
        row = store.add_part(c, t.tags, namespace.id, {"name": call.params["name"]})
    return Reply(view(row))


@routes.get(_ONE, rule="get_metadef_tag", gate="get_metadef_namespace", response=schema.TAG)
def show_tag(call: Call) -> Reply:
    """Show a tag."""
    with call.house.db.read() as c:
        row = store.part(c, t.tags, shared.namespace(c, call, "get_metadef_tag"), call.params["name"])
    return Reply(view(row))


@routes.put(
    _ONE, rule="modify_metadef_tag", gate="get_metadef_namespace", request=schema.TAG_SET, response=schema.TAG
)
def update_tag(call: Call) -> Reply:
    """Give a tag another name."""
    shared.refuse_read_only(call.body)
    with call.house.db.write() as c:
        namespace = shared.changeable(c, call, "modify_metadef_tag")
        row = store.part(c, t.tags, namespace, call.params["name"])
        row = store.change_part(c, t.tags, row.id, {"name": call.body["name"]})
    return Reply(view(row))


@routes.delete(_ONE, rule="delete_metadef_tag", gate="get_metadef_namespace")
def delete_tag(call: Call) -> Reply:
    """Delete a tag."""
    with call.house.db.write() as c:
        namespace = shared.removable(c, call, "delete_metadef_tag")
        store.remove_part(c, t.tags, store.part(c, t.tags, namespace, call.params["name"]).id)
    return Reply()


@routes.delete(_ALL, rule="delete_metadef_tags", gate="get_metadef_namespace")
def delete_tags(call: Call) -> Reply:
    """Delete all tags of a namespace."""
    with call.house.db.write() as c:
        store.remove_parts(c, t.tags, shared.removable(c, call, "delete_metadef_tags").id)
    return Reply()
