"""OS-EP-FILTER: which endpoints a project sees in its catalog, one by one or by groups of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, delete, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Invalid, NotFound
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api.catalog import view_endpoint
from clearsky.identity.api.plain import Body, Plain
from clearsky.identity.api.projects import project_list
from clearsky.identity.api.render import link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.common import ID, OBJECT
from clearsky.identity.schema.resources import INDEX
from clearsky.identity.store import catalog, kit, removal, resource

routes = Routes()
_BASE = "/v3/OS-EP-FILTER"
_OWN = ("name", "description", "filters")
_ASSOCIATION = Schema(
    {
        "type": "object",
        "properties": {
            "project_endpoint_group": {
                "type": "object",
                "properties": {"project_id": ID, "endpoint_group_id": ID, "links": OBJECT},
                "required": ["project_id", "endpoint_group_id", "links"],
            }
        },
        "required": ["project_endpoint_group"],
    }
)


# -- endpoint groups --------------------------------------------------------------------------------------------


def view_endpoint_group(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", *_OWN)}
    return shown | {"links": link(call, "OS-EP-FILTER/endpoint_groups", row.id)}


def _values(c: Connection, body: Body, _id: str, _before: Any) -> Body:
    service = (body.get("filters") or {}).get("service_id")
    if service and store.find(c, t.services, service) is None:
        raise Invalid(f"endpoint_group.filters.service_id = {service!r}: there is no such service")
    return {name: body[name] for name in _OWN if name in body}


_GROUP = Plain(
    "endpoint_group",
    "OS-EP-FILTER/endpoint_groups",
    t.endpoint_groups,
    view_endpoint_group,
    _values,
    removal.endpoint_group,
    filters=("name",),
)
_GROUP.register(routes)


@routes.get(
    f"{_BASE}/endpoint_groups/{{endpoint_group_id}}/endpoints",
    rule="identity:list_endpoints_associated_with_endpoint_group",
    response=INDEX["endpoint"],
)
def list_endpoints_of_group(call: Call) -> Reply:
    """List the endpoints that a group's filters fit."""
    with call.house.db.read() as c:
        fitting = catalog.in_group(_GROUP.row(call, c).filters)
    return listed(call, "endpoints", select(t.endpoints).where(fitting), t.endpoints, view_endpoint)


@routes.get(
    f"{_BASE}/endpoint_groups/{{endpoint_group_id}}/projects",
    rule="identity:list_projects_associated_with_endpoint_group",
    response=INDEX["project"],
)
def list_projects_of_group(call: Call) -> Reply:
    """List the projects that see the endpoints of a group."""
    with call.house.db.read() as c:
        row = _GROUP.row(call, c)
    own = t.project_endpoint_groups.c
    ids = select(own.project_id).where(own.endpoint_group_id == row.id)
    return project_list(call, select(t.projects).where(t.projects.c.id.in_(ids)))


# -- associations -----------------------------------------------------------------------------------------------


def _endpoint(call: Call, c: Connection) -> Any:
    return store.get(c, t.endpoints, call.params["endpoint_id"], "endpoint")


def _project(call: Call, c: Connection) -> Any:
    return resource.project(c, call.params["project_id"])


def _associated(c: Connection, table: Table, pair: dict[str, str]) -> bool:
    return c.execute(select(table).filter_by(**pair)).first() is not None


def _associate(c: Connection, table: Table, pair: dict[str, str]) -> None:
    if kit.ensure(c, table, pair):
        store.bump(c)


def _dissociate(c: Connection, table: Table, pair: dict[str, str]) -> None:
    if not c.execute(delete(table).filter_by(**pair)).rowcount:
        raise _missing(pair)
    store.bump(c)


def _missing(pair: dict[str, str]) -> NotFound:
    what = "endpoint group" if "endpoint_group_id" in pair else "endpoint"
    id = pair.get("endpoint_group_id") or pair["endpoint_id"]
    return NotFound(f"Could not find {what} {id} in project {pair['project_id']}.")


def _group_pair(call: Call, c: Connection) -> dict[str, str]:
    return {"project_id": _project(call, c).id, "endpoint_group_id": _GROUP.row(call, c).id}


def _endpoint_pair(call: Call, c: Connection) -> dict[str, str]:
    return {"project_id": _project(call, c).id, "endpoint_id": _endpoint(call, c).id}


@routes.put(
    f"{_BASE}/endpoint_groups/{{endpoint_group_id}}/projects/{{project_id}}",
    rule="identity:add_endpoint_group_to_project",
    status=204,
)
def add_group_to_project(call: Call) -> Reply:
    """Let a project see the endpoints of a group."""
    with writing(call) as c:
        _associate(c, t.project_endpoint_groups, _group_pair(call, c))
    return Reply()


@routes.get(
    f"{_BASE}/endpoint_groups/{{endpoint_group_id}}/projects/{{project_id}}",
    rule="identity:get_endpoint_group_in_project",
    response=_ASSOCIATION,
)
def show_group_in_project(call: Call) -> Reply:
    """Show that a project sees the endpoints of a group."""
    with call.house.db.read() as c:
        pair = _group_pair(call, c)
        if not _associated(c, t.project_endpoint_groups, pair):
            raise _missing(pair)
    path = f"OS-EP-FILTER/endpoint_groups/{pair['endpoint_group_id']}/projects"
    return Reply({"project_endpoint_group": pair | {"links": link(call, path, pair["project_id"])}})


@routes.delete(
    f"{_BASE}/endpoint_groups/{{endpoint_group_id}}/projects/{{project_id}}",
    rule="identity:remove_endpoint_group_from_project",
)
def remove_group_from_project(call: Call) -> Reply:
    """Let a project no longer see the endpoints of a group."""
    with writing(call) as c:
        _dissociate(c, t.project_endpoint_groups, _group_pair(call, c))
    return Reply()


@routes.get(
    f"{_BASE}/projects/{{project_id}}/endpoint_groups",
    rule="identity:list_endpoint_groups_for_project",
    response=INDEX["endpoint_group"],
)
def list_groups_of_project(call: Call) -> Reply:
    """List the endpoint groups of a project."""
    with call.house.db.read() as c:
        query = catalog.groups_of_project(_project(call, c).id)
    return listed(call, "endpoint_groups", query, t.endpoint_groups, view_endpoint_group)


@routes.get(
    f"{_BASE}/endpoints/{{endpoint_id}}/projects",
    rule="identity:list_projects_for_endpoint",
    response=INDEX["project"],
)
def list_projects_of_endpoint(call: Call) -> Reply:
    """List the projects that are associated with an endpoint."""
    with call.house.db.read() as c:
        row = _endpoint(call, c)
    own = t.project_endpoints.c
    ids = select(own.project_id).where(own.endpoint_id == row.id)
    return project_list(call, select(t.projects).where(t.projects.c.id.in_(ids)))


@routes.get(
    f"{_BASE}/projects/{{project_id}}/endpoints",
    rule="identity:list_endpoints_for_project",
    response=INDEX["endpoint"],
)
def list_endpoints_of_project(call: Call) -> Reply:
    """List the endpoints that are associated with a project, also by groups."""
    with call.house.db.read() as c:
        chosen = catalog.of_project(c, _project(call, c).id)
    return listed(call, "endpoints", select(t.endpoints).where(chosen), t.endpoints, view_endpoint)


@routes.put(
    f"{_BASE}/projects/{{project_id}}/endpoints/{{endpoint_id}}",
    rule="identity:add_endpoint_to_project",
    status=204,
)
def add_endpoint_to_project(call: Call) -> Reply:
    """Let a project see an endpoint."""
    with writing(call) as c:
        _associate(c, t.project_endpoints, _endpoint_pair(call, c))
    return Reply()


@routes.get(
    f"{_BASE}/projects/{{project_id}}/endpoints/{{endpoint_id}}",
    rule="identity:check_endpoint_in_project",
    status=204,
)
def check_endpoint_in_project(call: Call) -> Reply:
    """Say whether a project is associated with an endpoint."""
    with call.house.db.read() as c:
        pair = _endpoint_pair(call, c)
        if not _associated(c, t.project_endpoints, pair):
            raise _missing(pair)
    return Reply()


@routes.delete(
    f"{_BASE}/projects/{{project_id}}/endpoints/{{endpoint_id}}",
    rule="identity:remove_endpoint_from_project",
)
def remove_endpoint_from_project(call: Call) -> Reply:
    """Let a project no longer see an endpoint."""
    with writing(call) as c:
        _dissociate(c, t.project_endpoints, _endpoint_pair(call, c))
    return Reply()
