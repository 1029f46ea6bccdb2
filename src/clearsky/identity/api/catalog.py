"""Regions, services and endpoints: what the catalog is made of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, Invalid
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api import attributes
from clearsky.identity.api.plain import Body, Plain
from clearsky.identity.api.render import link
from clearsky.identity.schema.resources import CREATE, SHOW
from clearsky.identity.store import catalog, removal

routes = Routes()


def _exists(c: Connection, table: Any, id: str) -> bool:
    return c.execute(select(table.c.id).where(table.c.id == id)).first() is not None


# -- regions ----------------------------------------------------------------------------------------------------

_REGION = {"id", "description", "parent_region_id", "links"}


def view_region(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", "description", "parent_region_id")}
    return (row.extra or {}) | shown | {"links": link(call, "regions", row.id)}


def _region(c: Connection, body: Body, id: str, before: Any) -> Body:
    if len(id) > 255:
        raise Invalid(f"region.id has {len(id)} characters; at most 255 are taken")
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


def _remove_region(c: Connection, id: str) -> None:
    """Take a region and those below it away, where no endpoint is in any of them."""
    ids = catalog.regions_below(c, id)
    catalog.refuse_region_in_use(c, ids)
    removal.regions(c, ids)


REGION = Plain(
    "region",
    "regions",
    t.regions,
    view_region,
    _region,
    _remove_region,
    filters=("parent_region_id",),
    in_catalog=False,
    own_ids=True,
)
REGION.register(routes)


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
    return REGION.create(call, id)


# -- services ---------------------------------------------------------------------------------------------------

_SERVICE = {"id", "type", "name", "enabled", "links"}


def view_service(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", "type", "name", "enabled")}
    return (row.extra or {}) | shown | {"links": link(call, "services", row.id)}


def _service(_c: Connection, body: Body, _id: str, before: Any) -> Body:
    values: dict[str, Any] = {name: body[name] for name in ("type", "enabled") if name in body}
    if "name" in body:
        values["name"] = body["name"] or ""
    return values | {"extra": attributes.others(body, _SERVICE, before)}


Plain(
    "service", "services", t.services, view_service, _service, removal.service, filters=("type", "name")
).register(routes)


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


def _endpoint(c: Connection, body: Body, _id: str, before: Any) -> Body:
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


Plain(
    "endpoint",
    "endpoints",
    t.endpoints,
    view_endpoint,
    _endpoint,
    removal.endpoints,
    filters=("service_id", "interface", "region_id", "enabled"),
).register(routes)
