"""Namespaces of metadata definitions."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid
from clearsky.image import metadefs
from clearsky.image.api.metadefs import objects, resource_types, shared
from clearsky.image.schema import metadefs as schema
from clearsky.image.store import metadefs as store
from clearsky.image.tables import metadefs as t

routes = Routes()
SORT_KEYS = (
    "namespace",
    "display_name",
    "visibility",
    "protected",
    "owner",
    "created_at",
    "updated_at",
    "id",
)


def view(row: Any, associations: list[Any]) -> dict[str, Any]:
    shown = shared.given(
        display_name=row.display_name,
        description=row.description,
        owner=row.owner,
        resource_type_associations=[resource_types.view(one.name, one) for one in associations] or None,
    )
    fixed = {"namespace": row.namespace, "visibility": row.visibility, "protected": row.protected}
    links = {"self": shared.path(row.namespace), "schema": "/v2/schemas/metadefs/namespace"}
    return shown | fixed | links | shared.times(row)


def _whole(c: Connection, row: Any, resource_type: str | None = None) -> dict[str, Any]:
    """Show a namespace with all that it holds; named as on a resource of `resource_type`, where one is given."""
    associations = store.associations(c, [row.id])
    prefix = next((one.prefix for one in associations if one.name == resource_type), None) or ""
    held: dict[str, Any] = {
        "objects": [
            _prefixed(objects.view(row.namespace, one), prefix) for one in store.parts(c, t.objects, row.id)
        ],
        "properties": {prefix + one.name: one.definition for one in store.parts(c, t.properties, row.id)},
        "tags": [{"name": one.name} for one in store.parts(c, t.tags, row.id)],
    }
    return view(row, associations) | {name: value for name, value in held.items() if value}


def _prefixed(shown: dict[str, Any], prefix: str) -> dict[str, Any]:
    shown["properties"] = {prefix + name: value for name, value in shown["properties"].items()}
    if "required" in shown:
        shown["required"] = [prefix + name for name in shown["required"]]
    return shown


@routes.get(shared.ROOT, rule="get_metadef_namespaces", response=schema.NAMESPACES)
def list_namespaces(call: Call) -> Reply:
    """List the namespaces that the caller may see, each with the resource types that it applies to."""
    visibility, types = call.query.get("visibility"), call.query.get("resource_types")
    if visibility not in (None, "public", "private"):
        raise Invalid(f"visibility={visibility!r:.80}: it must be public or private")
    sort, marker = shared.sorting(call, t.namespaces, SORT_KEYS), None
    by_namespace = defaultdict(list)
    with call.house.db.read() as c:
        if "marker" in call.query:
            marker = store.namespace(c, call.scope, call.query["marker"])
        wanted = None if types is None else types.split(",")
        rows = store.namespaces(c, call.scope, visibility, wanted, sort, marker, shared.limit(call))
        for one in store.associations(c, [row.id for row in rows]):
            by_namespace[one.namespace_id].append(one)
    return Reply(
        shared.page(
            call, shared.ROOT, "namespaces", rows, lambda row: view(row, by_namespace[row.id]), "namespace"
        )
    )


@routes.post(
    shared.ROOT,
    rule="add_metadef_namespace",
    status=201,
    request=schema.NAMESPACE_SET,
    response=schema.NAMESPACE,
)
def create_namespace(call: Call) -> Reply:
    """Define a namespace, with all that it holds."""
    shared.refuse_read_only(call.body)
    for held, rule in (
        ("resource_type_associations", "add_metadef_resource_type_association"),
        ("objects", "add_metadef_object"),
        ("properties", "add_metadef_property"),
        ("tags", "add_metadef_tag"),
    ):
        if call.body.get(held):
            call.authorize(rule, project_id=call.caller.project_id)
    with call.house.db.write() as c:
        row = metadefs.write(c, call.body, call.body.get("owner", call.caller.project_id))
        shown = _whole(c, row)
    return Reply(shown, headers={"Location": call.base_url + shared.path(row.namespace)})


@routes.get(shared.ONE, rule="get_metadef_namespace", gate="get_metadef_namespace", response=schema.NAMESPACE)
def show_namespace(call: Call) -> Reply:
    """Show a namespace with all that it holds; with ?resource_type=, named as on such a resource."""
    with call.house.db.read() as c:
        shown = _whole(c, shared.namespace(c, call, "get_metadef_namespace"), call.query.get("resource_type"))
    return Reply(shown)


@routes.put(
    shared.ONE,
    rule="modify_metadef_namespace",
    gate="get_metadef_namespace",
    request=schema.NAMESPACE_SET,
    response=schema.NAMESPACE,
)
def update_namespace(call: Call) -> Reply:
    """Replace a namespace's own attributes; what it holds stays."""
    shared.refuse_read_only(call.body)
    with call.house.db.write() as c:
        row = shared.changeable(c, call, "modify_metadef_namespace")
        owner = call.body.get("owner", call.caller.project_id)
        row = store.change_namespace(c, row.id, metadefs.attributes(call.body, owner))
        associations = store.associations(c, [row.id])
    return Reply(view(row, associations))


@routes.delete(shared.ONE, rule="delete_metadef_namespace", gate="get_metadef_namespace")
def delete_namespace(call: Call) -> Reply:
    """Delete a namespace and all that it holds, unless it is protected."""
    with call.house.db.write() as c:
        store.remove_namespace(c, shared.removable(c, call, "delete_metadef_namespace").id)
    return Reply()
