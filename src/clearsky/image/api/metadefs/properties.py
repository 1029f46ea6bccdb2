"""Properties of a namespace: keys, with the type and the meaning of their values."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import NotFound
from clearsky.image import metadefs
from clearsky.image.api.metadefs import shared
from clearsky.image.schema import metadefs as schema
from clearsky.image.store import metadefs as store
from clearsky.image.tables import metadefs as t

routes = Routes()
_ALL = shared.ONE + "/properties"
_ONE = _ALL + "/{name}"


def view(row: Any) -> dict[str, Any]:
    return {"name": row.name, **row.definition}


@routes.get(_ALL, rule="get_metadef_properties", gate="get_metadef_namespace", response=schema.PROPERTIES)
def list_properties(call: Call) -> Reply:
    """List the properties of a namespace, by name."""
    with call.house.db.read() as c:
        rows = store.parts(c, t.properties, shared.namespace(c, call, "get_metadef_properties").id)
    return Reply({"properties": {row.name: row.definition for row in rows}})


@routes.post(
    _ALL,
    rule="add_metadef_property",
    gate="get_metadef_namespace",
    status=201,
    request=schema.PROPERTY_SET,
    response=schema.PROPERTY,
)
def create_property(call: Call) -> Reply:
    """Define a property."""
    shared.refuse_read_only(call.body)
    with call.house.db.write() as c:
        namespace = shared.changeable(c, call, "add_metadef_property")
        row = store.add_part(
            c, t.properties, namespace.id, metadefs.property_columns(call.body["name"], call.body)
        )
    return Reply(view(row))


@routes.get(_ONE, rule="get_metadef_property", gate="get_metadef_namespace", response=schema.PROPERTY)
def show_property(call: Call) -> Reply:
    """Show a property; with ?resource_type=, by the name that it has on such a resource."""
    name = call.params["name"]
    with call.house.db.read() as c:
        namespace = shared.namespace(c, call, "get_metadef_property")
        if wanted := call.query.get("resource_type"):
            name = _without_prefix(c, call, namespace, wanted, name)
        row = store.part(c, t.properties, namespace, name)
    return Reply(view(row))


def _without_prefix(c: Any, call: Call, namespace: Any, resource_type: str, name: str) -> str:
    call.authorize("get_metadef_resource_type")
    found = [one for one in store.associations(c, [namespace.id]) if one.name == resource_type]
    if not found:
        raise NotFound(
            f"Namespace {namespace.namespace!r} is not associated with the resource type {resource_type!r:.120}"
        )
    prefix = found[0].prefix or ""
    if not prefix or not name.startswith(prefix):
        raise NotFound(
            f"Property {name!r:.120} does not start with {prefix!r}, as properties of {resource_type!r} do here"
        )
    return name.removeprefix(prefix)


@routes.put(
    _ONE,
    rule="modify_metadef_property",
    gate="get_metadef_namespace",
    request=schema.PROPERTY_SET,
    response=schema.PROPERTY,
)
def update_property(call: Call) -> Reply:
    """Replace a property; its name may change."""
    shared.refuse_read_only(call.body)
    with call.house.db.write() as c:
        namespace = shared.changeable(c, call, "modify_metadef_property")
        row = store.part(c, t.properties, namespace, call.params["name"])
        row = store.change_part(
            c, t.properties, row.id, metadefs.property_columns(call.body["name"], call.body)
        )
    return Reply(view(row))


@routes.delete(_ONE, rule="remove_metadef_property", gate="get_metadef_namespace")
def delete_property(call: Call) -> Reply:
    """Delete a property."""
    with call.house.db.write() as c:
        namespace = shared.removable(c, call, "remove_metadef_property")
        store.remove_part(c, t.properties, store.part(c, t.properties, namespace, call.params["name"]).id)
    return Reply()


@routes.delete(_ALL, rule="delete_metadef_namespace", gate="get_metadef_namespace")
def delete_properties(call: Call) -> Reply:
    """Delete all properties of a namespace."""
    with call.house.db.write() as c:
        store.remove_parts(c, t.properties, shared.removable(c, call, "delete_metadef_namespace").id)
    return Reply()
