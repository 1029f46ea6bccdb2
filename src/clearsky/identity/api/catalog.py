"""Regions, services and endpoints: what the catalog is made of."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, Invalid
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api import attributes
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.resources import CREATE, INDEX, SHOW, UPDATE
from clearsky.identity.store import catalog, removal

routes = Routes()


def _exists(c: Connection, table: Any, id: str) -> bool:
    return c.execute(select(table.c.id).where(table.c.id == id)).first() is not None


# -- regions ----------------------------------------------------------------------------------------------------

_REGION = {"id", "description", "parent_region_id", "links"}


def view_region(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", "description", "parent_region_id")}
    return (row.extra or {}) | shown | {"links": link(call, "regions", row.id)}


def _region(c: Connection, body: dict[str, Any], id: str, before: Any = None) -> dict[str, Any]:
    values: dict[str, Any] = {"extra": attributes.others(body, _REGION, before)}
    if "description" in body:
        values["description"] = body["description"] or ""
    if "parent_region_id" in body:
        parent = body["parent_region_id"]
        if parent is not None and not _exists(c, t.regions, parent):
            raise Invalid(f"region.parent_region_id = {parent!r}: there is no such region")
        if parent is not None and (parent == id or id in catalog.regions_above(c, parent)):
            raise Forbidden(f"The specified parent region {parent} would create a circular region hierarchy.")
        values["parent_region_id"] = parent
    return values


@routes.post(
    "/v3/regions",
    rule="identity:create_region",
    status=201,
    request=CREATE["region"],
    response=SHOW["region"],
)
def create_region(call: Call) -> Reply:
    """Create a region."""
    return _create_region(call, call.body["region"].get("id") or uuid.uuid4().hex)


@routes.put(
    "/v3/regions/{region_id}",
    rule="identity:create_region",
    status=201,
    request=CREATE["region"],
    response=SHOW["region"],
)
def create_region_named(call: Call) -> Reply:
    """Create a region with the id in the path."""
    id, given = call.params["region_id"], call.body["region"].get("id")
    if given and given != id:
        raise Invalid(f"region.id = {given!r} is not the id in the path, {id!r}")
    return _create_region(call, id)


def _create_region(call: Call, id: str) -> Reply:
    if len(id) > 255:
        raise Invalid(f"region.id has {len(id)} characters; at most 255 are taken")
    with writing(call) as c:
        row = store.create(c, t.regions, {"id": id} | _region(c, call.body["region"], id), "region")
    return Reply({"region": view_region(call, row)})


@routes.get("/v3/regions", rule="identity:list_regions", response=INDEX["region"])
def list_regions(call: Call) -> Reply:
    """List regions."""
    query = filtered(call, select(t.regions), t.regions, ("parent_region_id",))
    return listed(call, "regions", query, t.regions, view_region)


@routes.get("/v3/regions/{region_id}", rule="identity:get_region", response=SHOW["region"])
def show_region(call: Call) -> Reply:
    """Show a region."""
    with call.house.db.read() as c:
        row = store.get(c, t.regions, call.params["region_id"], "region")
    return Reply({"region": view_region(call, row)})


@routes.patch(
    "/v3/regions/{region_id}",
    rule="identity:update_region",
    request=UPDATE["region"],
    response=SHOW["region"],
)
def update_region(call: Call) -> Reply:
    """Update a region."""
    with writing(call) as c:
        row = store.get(c, t.regions, call.params["region_id"], "region")
        values = _region(c, call.body["region"], row.id, row)
        row = store.change(c, t.regions, row.id, values, "region")
    return Reply({"region": view_region(call, row)})


@routes.delete("/v3/regions/{region_id}", rule="identity:delete_region")
def delete_region(call: Call) -> Reply:
    """Delete a region and those below it, where no endpoint is in any of them."""
    with writing(call) as c:
        row = store.get(c, t.regions, call.params["region_id"], "region")
        ids = catalog.regions_below(c, row.id)
        catalog.refuse_region_in_use(c, ids)
        removal.regions(c, ids)
    return Reply()


# -- services ---------------------------------------------------------------------------------------------------

_SERVICE = {"id", "type", "name", "enabled", "links"}


def view_service(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", "type", "name", "enabled")}
    return (row.extra or {}) | shown | {"links": link(call, "services", row.id)}


def _service(body: dict[str, Any], before: Any = None) -> dict[str, Any]:
    values: dict[str, Any] = {name: body[name] for name in ("type", "enabled") if name in body}
    if "name" in body:
        values["name"] = body["name"] or ""
    return values | {"extra": attributes.others(body, _SERVICE, before)}


@routes.post(
    "/v3/services",
    rule="identity:create_service",
    status=201,
    request=CREATE["service"],
    response=SHOW["service"],
)
def create_service(call: Call) -> Reply:
    """Create a service."""
    with writing(call) as c:
        values = {"id": uuid.uuid4().hex} | _service(call.body["service"])
        row = store.create(c, t.services, values, "service")
        store.bump(c)  # tokens show the catalog
    return Reply({"service": view_service(call, row)})


@routes.get("/v3/services", rule="identity:list_services", response=INDEX["service"])
def list_services(call: Call) -> Reply:
    """List services."""
    query = filtered(call, select(t.services), t.services, ("type", "name"))
    return listed(call, "services", query, t.services, view_service)


@routes.get("/v3/services/{service_id}", rule="identity:get_service", response=SHOW["service"])
def show_service(call: Call) -> Reply:
    """Show a service."""
    with call.house.db.read() as c:
        row = store.get(c, t.services, call.params["service_id"], "service")
    return Reply({"service": view_service(call, row)})


@routes.patch(
    "/v3/services/{service_id}",
    rule="identity:update_service",
    request=UPDATE["service"],
    response=SHOW["service"],
)
def update_service(call: Call) -> Reply:
    """Update a service."""
    with writing(call) as c:
        row = store.get(c, t.services, call.params["service_id"], "service")
        row = store.change(c, t.services, row.id, _service(call.body["service"], row), "service")
        store.bump(c)
    return Reply({"service": view_service(call, row)})


@routes.delete("/v3/services/{service_id}", rule="identity:delete_service")
def delete_service(call: Call) -> Reply:
    """Delete a service with its endpoints and limits."""
    with writing(call) as c:
        removal.service(c, call.params["service_id"])
        store.bump(c)
    return Reply()


# -- endpoints --------------------------------------------------------------------------------------------------

_ENDPOINT = {
    "id",
    "service_id",
    "interface",
    "url",
    "region_id",
    "region",
    "enabled",
    "links",
    "legacy_endpoint_id",
}


def view_endpoint(call: Call, row: Any) -> dict[str, Any]:
    names = ("id", "service_id", "interface", "url", "region_id", "enabled")
    shown = {name: getattr(row, name) for name in names} | {"region": row.region_id}
    return (row.extra or {}) | shown | {"links": link(call, "endpoints", row.id)}


def _endpoint(c: Connection, body: dict[str, Any], before: Any = None) -> dict[str, Any]:
    values = {
        name: body[name]
        for name in ("service_id", "interface", "url", "enabled", "region_id")
        if name in body
    }
    if "service_id" in values and not _exists(c, t.services, values["service_id"]):
        raise Invalid(f"endpoint.service_id = {values['service_id']!r}: there is no such service")
    if "region" in body and "region_id" not in body:
        # The older name: what does not exist is made.
        values["region_id"] = body["region"]
        if body["region"] and not _exists(c, t.regions, body["region"]):
            store.create(c, t.regions, {"id": body["region"]}, "region")
    elif values.get("region_id") and not _exists(c, t.regions, values["region_id"]):
        raise Invalid(f"endpoint.region_id = {values['region_id']!r}: there is no such region")
    _refuse_template(values.get("url", ""))
    return values | {"extra": attributes.others(body, _ENDPOINT, before)}


def _refuse_template(url: str) -> None:
    """Raise Invalid for a URL with something to be filled in that nobody fills in."""
    rest = catalog.VARIABLE.sub("", url)
    unknown = [name for name in catalog.VARIABLE.findall(url) if name not in catalog.VARIABLES]
    if unknown or "$(" in rest or "%(" in rest:
        known = ", ".join(f"$({name})s" for name in catalog.VARIABLES)
        raise Invalid(f"endpoint.url = {url!r:.200} holds a variable that is not known; known are: {known}")


@routes.post(
    "/v3/endpoints",
    rule="identity:create_endpoint",
    status=201,
    request=CREATE["endpoint"],
    response=SHOW["endpoint"],
)
def create_endpoint(call: Call) -> Reply:
    """Create an endpoint of a service."""
    with writing(call) as c:
        values = {"id": uuid.uuid4().hex} | _endpoint(c, call.body["endpoint"])
        row = store.create(c, t.endpoints, values, "endpoint")
        store.bump(c)
    return Reply({"endpoint": view_endpoint(call, row)})


@routes.get("/v3/endpoints", rule="identity:list_endpoints", response=INDEX["endpoint"])
def list_endpoints(call: Call) -> Reply:
    """List endpoints."""
    query = filtered(
        call, select(t.endpoints), t.endpoints, ("service_id", "interface", "region_id", "enabled")
    )
    return listed(call, "endpoints", query, t.endpoints, view_endpoint)


@routes.get("/v3/endpoints/{endpoint_id}", rule="identity:get_endpoint", response=SHOW["endpoint"])
def show_endpoint(call: Call) -> Reply:
    """Show an endpoint."""
    with call.house.db.read() as c:
        row = store.get(c, t.endpoints, call.params["endpoint_id"], "endpoint")
    return Reply({"endpoint": view_endpoint(call, row)})


@routes.patch(
    "/v3/endpoints/{endpoint_id}",
    rule="identity:update_endpoint",
    request=UPDATE["endpoint"],
    response=SHOW["endpoint"],
)
def update_endpoint(call: Call) -> Reply:
    """Update an endpoint."""
    with writing(call) as c:
        row = store.get(c, t.endpoints, call.params["endpoint_id"], "endpoint")
        values = _endpoint(c, call.body["endpoint"], row)
        row = store.change(c, t.endpoints, row.id, values, "endpoint")
        store.bump(c)
    return Reply({"endpoint": view_endpoint(call, row)})


@routes.delete("/v3/endpoints/{endpoint_id}", rule="identity:delete_endpoint")
def delete_endpoint(call: Call) -> Reply:
    """Delete an endpoint."""
    with writing(call) as c:
        row = store.get(c, t.endpoints, call.params["endpoint_id"], "endpoint")
        removal.endpoints(c, row.id)
        store.bump(c)
    return Reply()
