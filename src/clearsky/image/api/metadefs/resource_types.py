"""Resource types, and which namespaces apply to them."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.image import metadefs
from clearsky.image.api.metadefs import shared
from clearsky.image.schema import metadefs as schema
from clearsky.image.store import metadefs as store

routes = Routes()
_ALL = shared.ONE + "/resource_types"


def view(name: str, row: Any) -> dict[str, Any]:
    shown = shared.given(prefix=row.prefix, properties_target=row.properties_target)
    return {"name": name} | shown | shared.times(row)


@routes.get("/v2/metadefs/resource_types", rule="list_metadef_resource_types", response=schema.RESOURCE_TYPES)
def list_resource_types(call: Call) -> Reply:
    """List every resource type that a namespace has been associated with."""
    with call.house.db.read() as c:
        rows = store.resource_types(c)
    return Reply({"resource_types": [{"name": row.name} | shared.times(row) for row in rows]})


@routes.get(
    _ALL, rule="list_metadef_resource_types", gate="get_metadef_namespace", response=schema.ASSOCIATIONS
)
def list_associations(call: Call) -> Reply:
    """List the resource types that a namespace applies to."""
    with call.house.db.read() as c:
        rows = store.associations(c, [shared.namespace(c, call, "list_metadef_resource_types").id])
    return Reply({"resource_type_associations": [view(row.name, row) for row in rows]})


@routes.post(
    _ALL,
    rule="add_metadef_resource_type_association",
    gate="get_metadef_namespace",
    status=201,
    request=schema.ASSOCIATION_SET,
    response=schema.ASSOCIATION,
)
def create_association(call: Call) -> Reply:
    """Let a namespace apply to a resource type."""
    shared.refuse_read_only(call.body)
    with call.house.db.write() as c:
        namespace = shared.changeable(c, call, "add_metadef_resource_type_association")
        row = store.associate(c, namespace.id, call.body["name"], metadefs.association_columns(call.body))
    return Reply(view(call.body["name"], row))


@routes.delete(
    _ALL + "/{resource_type}", rule="remove_metadef_resource_type_association", gate="get_metadef_namespace"
)
def delete_association(call: Call) -> Reply:
    """Let a namespace no longer apply to a resource type."""
    with call.house.db.write() as c:
        namespace = shared.removable(c, call, "remove_metadef_resource_type_association")
        store.dissociate(c, namespace, call.params["resource_type"])
    return Reply()
