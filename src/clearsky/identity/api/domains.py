"""Domains: the roots of projects, users and groups."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api import attributes, guard
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.resources import CREATE, INDEX, SHOW, UPDATE
from clearsky.identity.store import removal, resource

routes = Routes()
DEFAULT = "default"
_KNOWN = {
    "id", "name", "description", "enabled", "tags", "options", "links", "explicit_domain_id", "domain_id", "parent_id",
    "is_domain",
}  # fmt: skip


def view_domain(call: Call, row: Any) -> dict[str, Any]:
    """Render a domain without its tags, which lists read for all of them at once."""
    shown = {name: getattr(row, name) for name in ("id", "name", "description", "enabled", "options")}
    return (row.extra or {}) | shown | {"tags": [], "links": link(call, "domains", row.id)}


def domain_list(call: Call, query: Select[Any]) -> Reply:
    """Answer a list of the domains that a query finds."""
    return listed(call, "domains", query, t.projects, view_domain, more=tags_by_id)


def tags_by_id(c: Connection, ids: Select[Any]) -> Mapping[str, dict[str, Any]]:
    return {id: {"tags": tags} for id, tags in resource.tags_of(c, ids).items()}


def columns(body: dict[str, Any], known: set[str], before: Any = None) -> dict[str, Any]:
    """Split what a client sends about a domain or project into columns and `extra`."""
    values: dict[str, Any] = {name: body[name] for name in ("name", "enabled") if name in body}
    if "description" in body:
        values["description"] = body["description"] or ""
    if before is None or "options" in body:
        values["options"] = attributes.options(body, before)
    return values | {"extra": attributes.others(body, known, before)}


@routes.post(
    "/v3/domains",
    rule="identity:create_domain",
    status=201,
    request=CREATE["domain"],
    response=SHOW["domain"],
)
def create_domain(call: Call) -> Reply:
    """Create a domain."""
    return Reply({"domain": new_domain(call, call.body["domain"])})


def new_domain(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Create a domain and render it."""
    id = body.get("explicit_domain_id") or uuid.uuid4().hex
    values = {"id": id, "domain_id": resource.DOMAIN_ROOT, "is_domain": True} | columns(body, _KNOWN)
    with writing(call) as c:
        row = store.create(c, t.projects, values, "domain")
        resource.set_tags(c, row.id, body.get("tags") or ())
    return view_domain(call, row) | {"tags": sorted(body.get("tags") or ())}


@routes.get("/v3/domains", rule="identity:any_token", response=INDEX["domain"])
def list_domains(call: Call) -> Reply:
    """List domains: a token of a domain sees that one."""
    call.authorize("identity:list_domains", **guard.of_list(call))
    query = select(t.projects).where(t.projects.c.is_domain)
    if call.caller.domain_id:
        query = query.where(t.projects.c.id == call.caller.domain_id)
    return domain_list(call, filtered(call, query, t.projects, ("name", "enabled")))


@routes.get("/v3/domains/{domain_id}", rule="identity:any_token", response=SHOW["domain"])
def show_domain(call: Call) -> Reply:
    """Show a domain: to its own users, and to those who may read all."""
    with call.house.db.read() as c:
        row = guard.domain(call, c, "identity:get_domain")
        tags = resource.tags(c, row.id)
    return Reply({"domain": view_domain(call, row) | {"tags": tags}})


@routes.patch(
    "/v3/domains/{domain_id}",
    rule="identity:update_domain",
    request=UPDATE["domain"],
    response=SHOW["domain"],
)
def update_domain(call: Call) -> Reply:
    """Update a domain; disabling it voids every token in it."""
    body = call.body["domain"]
    with writing(call) as c:
        row = guard.domain(call, c, "identity:update_domain")
        attributes.refuse_immutable(row, "domain", body)
        row = store.change(c, t.projects, row.id, columns(body, _KNOWN, row), "domain")
        if "tags" in body:
            resource.set_tags(c, row.id, body["tags"])
        tags = resource.tags(c, row.id)
        store.bump(c)
    return Reply({"domain": view_domain(call, row) | {"tags": tags}})


@routes.delete("/v3/domains/{domain_id}", rule="identity:delete_domain")
def delete_domain(call: Call) -> Reply:
    """Delete a disabled domain with everything in it."""
    with writing(call) as c:
        resource.lock_trees(c)
        remove_domain(c, guard.domain(call, c, "identity:delete_domain"))
    return Reply()


def remove_domain(c: Connection, row: Any) -> None:
    """Remove a domain; raises Forbidden for one that is enabled, immutable, or the default one."""
    attributes.refuse_immutable(row, "domain")
    if row.id == DEFAULT:
        raise Forbidden("You are not authorized to perform the requested action: delete the default domain.")
    if row.enabled:
        raise Forbidden(
            f"Cannot delete a domain that is enabled, please disable it first: {row.name!r} ({row.id})."
        )
    removal.domain(c, row.id)
    store.bump(c)
