"""Objects of a namespace: properties that belong together."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.image import metadefs
from clearsky.image.api.metadefs import shared
from clearsky.image.schema import metadefs as schema
from clearsky.image.store import metadefs as store
from clearsky.image.tables import metadefs as t

routes = Routes()
_ALL = shared.ONE + "/objects"
_ONE = _ALL + "/{name}"
SORT_KEYS = ("name", "created_at", "updated_at", "id")


def view(namespace: str, row: Any) -> dict[str, Any]:
    shown = shared.given(description=row.description, required=row.required or None)
    links = {"self": shared.path(namespace, "objects", row.name), "schema": "/v2/schemas/metadefs/object"}
    return shown | {"name": row.name, "properties": row.properties} | links | shared.times(row)


@routes.get(_ALL, rule="get_metadef_objects", gate="get_metadef_namespace", response=schema.OBJECTS)
def list_objects(call: Call) -> Reply:
    """List the objects of a namespace."""
    sort, marker = shared.sorting(call, t.objects, SORT_KEYS), None
    with call.house.db.read() as c:
        namespace = shared.namespace(c, call, "get_metadef_objects")
        if "marker" in call.query:
            marker = store.part(c, t.objects, namespace, call.query["marker"])
        rows = store.parts(c, t.objects, namespace.id, sort, marker, shared.limit(call))
    where, name = shared.path(namespace.namespace, "objects"), namespace.namespace
    return Reply(shared.page(call, where, "objects", rows, lambda row: view(name, row), "name"))


@routes.post(
    _ALL,
    rule="add_metadef_object",
    gate="get_metadef_namespace",
    status=201,
    request=schema.OBJECT_SET,
    response=schema.OBJECT,
)
def create_object(call: Call) -> Reply:
    """Define an object."""
    shared.refuse_read_only(call.body)
    with call.house.db.write() as c:
        namespace = shared.changeable(c, call, "add_metadef_object")
        row = store.add_part(c, t.objects, namespace.id, metadefs.object_columns(call.body))
    return Reply(view(namespace.namespace, row))


@routes.get(_ONE, rule="get_metadef_object", gate="get_metadef_namespace", response=schema.OBJECT)
def show_object(call: Call) -> Reply:
    """Show an object."""
    with call.house.db.read() as c:
        namespace = shared.namespace(c, call, "get_metadef_object")
        row = store.part(c, t.objects, namespace, call.params["name"])
    return Reply(view(namespace.namespace, row))


@routes.put(
    _ONE,
    rule="modify_metadef_object",
    gate="get_metadef_namespace",
    request=schema.OBJECT_SET,
    response=schema.OBJECT,
)
def update_object(call: Call) -> Reply:
    """Replace an object; its name may change."""
    shared.refuse_read_only(call.body)
    with call.house.db.write() as c:
        namespace = shared.changeable(c, call, "modify_metadef_object")
        row = store.part(c, t.objects, namespace, call.params["name"])
        row = store.change_part(c, t.objects, row.id, metadefs.object_columns(call.body))
    return Reply(view(namespace.namespace, row))


@routes.delete(_ONE, rule="delete_metadef_object", gate="get_metadef_namespace")
def delete_object(call: Call) -> Reply:
    """Delete an object."""
    with call.house.db.write() as c:
        namespace = shared.removable(c, call, "delete_metadef_object")
        store.remove_part(c, t.objects, store.part(c, t.objects, namespace, call.params["name"]).id)
    return Reply()


@routes.delete(_ALL, rule="delete_metadef_namespace", gate="get_metadef_namespace")
def delete_objects(call: Call) -> Reply:
    """Delete all objects of a namespace."""
    with call.house.db.write() as c:
        store.remove_parts(c, t.objects, shared.removable(c, call, "delete_metadef_namespace").id)
    return Reply()
