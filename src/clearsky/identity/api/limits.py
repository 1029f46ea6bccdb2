"""Unified limits: defaults that operators register, and what single projects and domains have instead."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, Invalid
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema import limits as schema
from clearsky.identity.store import limit, resource

routes = Routes()
MODEL = {
    "name": "flat",
    "description": "Limit enforcement and validation does not take project hierarchy into consideration.",
}
"""The only one: no service adds up what the projects of a domain use."""


@routes.get("/v3/limits/model", rule="identity:get_limit_model", response=schema.MODEL)
def show_model(call: Call) -> Reply:
    """Say how limits of projects and domains depend on each other."""
    return Reply({"model": MODEL})


# -- registered limits ------------------------------------------------------------------------------------------


def _view_registered(call: Call, row: Any) -> dict[str, Any]:
    shown = {
        name: getattr(row, name)
        for name in ("id", "service_id", "resource_name", "default_limit", "description")
    }
    return shown | {"region_id": row.region_id or None, "links": link(call, "registered_limits", row.id)}


def _checked(c: Connection, key: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of what a client sends; its service and region must exist."""
    values = dict(body)
    if (
        "service_id" in body
        and not c.execute(select(t.services.c.id).where(t.services.c.id == body["service_id"])).first()
    ):
        raise Invalid(f"{key}.service_id = {body['service_id']!r}: there is no such service")
    if "region_id" in body:
        values["region_id"] = body["region_id"] or ""
        if (
            values["region_id"]
            and not c.execute(select(t.regions.c.id).where(t.regions.c.id == values["region_id"])).first()
        ):
            raise Invalid(f"{key}.region_id = {body['region_id']!r}: there is no such region")
    return values


@routes.post(
    "/v3/registered_limits", rule="identity:create_registered_limits", status=201,
    request=schema.CREATE_REGISTERED, response=schema.MADE_REGISTERED,
)  # fmt: skip
def create_registered_limits(call: Call) -> Reply:
    """Register limits: what every project may use of a service's resources."""
    rows = []
    with writing(call) as c:
        for body in call.body["registered_limits"]:
            values = {"id": uuid.uuid4().hex, "region_id": ""} | _checked(c, "registered_limits", body)
            rows.append(store.create(c, t.registered_limits, values, "registered_limit"))
    return Reply({"registered_limits": [_view_registered(call, row) for row in rows]})


@routes.get("/v3/registered_limits", rule="identity:list_registered_limits", response=schema.INDEX_REGISTERED)
def list_registered_limits(call: Call) -> Reply:
    """List registered limits."""
    query = filtered(
        call, select(t.registered_limits), t.registered_limits, ("service_id", "region_id", "resource_name")
    )
    return listed(call, "registered_limits", query, t.registered_limits, _view_registered)


@routes.get(
    "/v3/registered_limits/{registered_limit_id}",
    rule="identity:get_registered_limit",
    response=schema.SHOW_REGISTERED,
)
def show_registered_limit(call: Call) -> Reply:
    """Show a registered limit."""
    with call.house.db.read() as c:
        row = store.get(c, t.registered_limits, call.params["registered_limit_id"], "registered limit for")
    return Reply({"registered_limit": _view_registered(call, row)})


@routes.patch(
    "/v3/registered_limits/{registered_limit_id}", rule="identity:update_registered_limit",
    request=schema.UPDATE_REGISTERED, response=schema.SHOW_REGISTERED,
)  # fmt: skip
def update_registered_limit(call: Call) -> Reply:
    """Update a registered limit; one that limits refer to keeps its service, region and resource."""
    body = call.body["registered_limit"]
    with writing(call) as c:
        row = store.get(c, t.registered_limits, call.params["registered_limit_id"], "registered limit for")
        values = _checked(c, "registered_limit", body)
        if any(
            name in values and values[name] != getattr(row, name)
            for name in ("service_id", "region_id", "resource_name")
        ):
            limit.refuse_in_use(c, row.id)
        row = store.change(c, t.registered_limits, row.id, values, "registered_limit")
    return Reply({"registered_limit": _view_registered(call, row)})


@routes.delete("/v3/registered_limits/{registered_limit_id}", rule="identity:delete_registered_limit")
def delete_registered_limit(call: Call) -> Reply:
    """Delete a registered limit that no limit refers to."""
    with writing(call) as c:
        row = store.get(c, t.registered_limits, call.params["registered_limit_id"], "registered limit for")
        limit.refuse_in_use(c, row.id)
        c.execute(t.registered_limits.delete().where(t.registered_limits.c.id == row.id))
    return Reply()


# -- limits -----------------------------------------------------------------------------------------------------


def _view(call: Call, row: Any) -> dict[str, Any]:
    shown = {
        name: getattr(row, name)
        for name in ("id", "service_id", "resource_name", "resource_limit", "description")
    }
    optional = {name: getattr(row, name) or None for name in ("region_id", "project_id", "domain_id")}
    return shown | optional | {"links": link(call, "limits", row.id)}


@routes.post(
    "/v3/limits", rule="identity:create_limits", status=201, request=schema.CREATE, response=schema.MADE
)
def create_limits(call: Call) -> Reply:
    """Give projects or domains limits of their own, instead of the registered defaults."""
    ids = [uuid.uuid4().hex for _ in call.body["limits"]]
    with writing(call) as c:
        for id, body in zip(ids, call.body["limits"], strict=True):
            checked = _checked(c, "limits", {"region_id": None} | body)
            registered = limit.registered(
                c, checked["service_id"], checked["region_id"], checked["resource_name"]
            )
            owner = {name: body.get(name) or "" for name in ("project_id", "domain_id")}
            if owner["project_id"]:
                resource.project(c, owner["project_id"])
            if owner["domain_id"]:
                resource.domain(c, owner["domain_id"])
            values = {name: body[name] for name in ("resource_limit", "description") if name in body}
            store.create(
                c, t.limits, values | owner | {"id": id, "registered_limit_id": registered.id}, "limit"
            )
        rows = {row.id: row for row in c.execute(limit.all_limits().where(t.limits.c.id.in_(ids)))}
    return Reply({"limits": [_view(call, rows[id]) for id in ids]})


@routes.get("/v3/limits", rule="identity:list_limits", response=schema.INDEX)
def list_limits(call: Call) -> Reply:
    """List limits: of the token's own project or domain; operators see all."""
    query = filtered(call, limit.all_limits(), t.limits, ("project_id", "domain_id"))
    query = filtered(call, query, t.registered_limits, ("service_id", "region_id", "resource_name"))
    caller = call.caller
    if not (caller.system or caller.is_admin):
        query = query.where(limit.in_scope(project_id=caller.project_id, domain_id=caller.domain_id))
    return listed(call, "limits", query, t.limits, _view)


@routes.get("/v3/limits/{limit_id}", rule="identity:any_token", response=schema.SHOW)
def show_limit(call: Call) -> Reply:
    """Show a limit."""
    with call.house.db.read() as c:
        row = c.execute(limit.all_limits().where(t.limits.c.id == call.params["limit_id"])).first()
        target = {}
        if row is not None and row.domain_id:
            target["target.limit.domain.id"] = row.domain_id
        if row is not None and row.project_id:
            target["target.limit.project_id"] = row.project_id
            target["target.limit.project.domain_id"] = resource.project(c, row.project_id).domain_id
        if not call.may("identity:get_limit", **target):
            raise Forbidden("You are not authorized to perform the requested action: identity:get_limit.")
        row = limit.limit(c, call.params["limit_id"])
    return Reply({"limit": _view(call, row)})


@routes.patch(
    "/v3/limits/{limit_id}", rule="identity:update_limit", request=schema.UPDATE, response=schema.SHOW
)
def update_limit(call: Call) -> Reply:
    """Change how much a limit allows."""
    body = call.body["limit"]
    with writing(call) as c:
        row = limit.limit(c, call.params["limit_id"])
        store.change(c, t.limits, row.id, dict(body), "limit")
        row = limit.limit(c, row.id)
    return Reply({"limit": _view(call, row)})


@routes.delete("/v3/limits/{limit_id}", rule="identity:delete_limit")
def delete_limit(call: Call) -> Reply:
    """Delete a limit: the registered default counts again."""
    with writing(call) as c:
        row = limit.limit(c, call.params["limit_id"])
        c.execute(t.limits.delete().where(t.limits.c.id == row.id))
    return Reply()
