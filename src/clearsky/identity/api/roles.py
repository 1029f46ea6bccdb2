"""Roles, and which roles imply others."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, Invalid, NotFound
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api import attributes, guard
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.resources import CREATE, INDEX, SHOW, UPDATE
from clearsky.identity.schema.roles import INFERENCE, INFERENCES
from clearsky.identity.store import assignment, removal, resource

routes = Routes()
_KNOWN = {"id", "name", "description", "domain_id", "options", "links"}
NEVER_IMPLIED = ("admin",)
"""No role may bring these with it."""


def view_role(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", "name", "description", "options")}
    return (
        (row.extra or {}) | shown | {"domain_id": row.domain_id or None, "links": link(call, "roles", row.id)}
    )


def _columns(body: dict[str, Any], before: Any = None) -> dict[str, Any]:
    values: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    if before is None or "options" in body:
        values["options"] = attributes.options(body, before)
    return values | {"extra": attributes.others(body, _KNOWN, before)}


@routes.post(
    "/v3/roles", rule="identity:any_token", status=201, request=CREATE["role"], response=SHOW["role"]
)
def create_role(call: Call) -> Reply:
    """Create a role: for the whole cloud, or a domain's own."""
    body = call.body["role"]
    domain_id = body.get("domain_id") or ""
    call.authorize(f"identity:create_{'domain_' if domain_id else ''}role")
    with writing(call) as c:
        if domain_id:
            resource.domain(c, domain_id)
        values = {"id": uuid.uuid4().hex, "domain_id": domain_id} | _columns(body)
        row = store.create(c, t.roles, values, "role")
    return Reply({"role": view_role(call, row)})


@routes.get("/v3/roles", rule="identity:any_token", response=INDEX["role"])
def list_roles(call: Call) -> Reply:
    """List roles: the global ones, or those of one domain."""
    domain_id = call.query.get("domain_id", "")
    call.authorize(
        "identity:list_domain_roles" if domain_id else "identity:list_roles", **guard.of_list(call)
    )
    query = filtered(call, select(t.roles), t.roles, ("name",)).where(t.roles.c.domain_id == domain_id)
    if domain_id and call.caller.domain_id:
        query = query.where(t.roles.c.domain_id == call.caller.domain_id)
    return listed(call, "roles", query, t.roles, view_role)


@routes.get("/v3/roles/{role_id}", rule="identity:any_token", response=SHOW["role"])
def show_role(call: Call) -> Reply:
    """Show a role."""
    with call.house.db.read() as c:
        return Reply({"role": view_role(call, guard.role(call, c, "get"))})


@routes.patch("/v3/roles/{role_id}", rule="identity:any_token", request=UPDATE["role"], response=SHOW["role"])
def update_role(call: Call) -> Reply:
    """Update a role."""
    body = call.body["role"]
    with writing(call) as c:
        row = guard.role(call, c, "update")
        attributes.refuse_immutable(row, "role", body)
        if "domain_id" in body and (body["domain_id"] or "") != row.domain_id:
            raise Invalid(
                f"Cannot change Domain ID: role.domain_id is {row.domain_id or None!r} for role {row.id}."
            )
        row = store.change(c, t.roles, row.id, _columns(body, row), "role")
        store.bump(c)
    return Reply({"role": view_role(call, row)})


@routes.delete("/v3/roles/{role_id}", rule="identity:any_token")
def delete_role(call: Call) -> Reply:
    """Delete a role with every assignment of it."""
    with writing(call) as c:
        row = guard.role(call, c, "delete")
        attributes.refuse_immutable(row, "role")
        removal.role(c, row.id)
        store.bump(c)
    return Reply()


# -- implied roles ----------------------------------------------------------------------------------------------


def _short(call: Call, row: Any) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "links": link(call, "roles", row.id)}


def _inference(call: Call, prior: Any, implied: Any) -> Reply:
    """Answer one rule; `implied` is one role, or a list of them."""
    shown = [_short(call, row) for row in implied] if isinstance(implied, list) else _short(call, implied)
    links = {"next": None, "previous": None, "self": f"{call.base_url}{call.path.partition('/identity')[2]}"}
    return Reply({"role_inference": {"prior_role": _short(call, prior), "implies": shown}, "links": links})


def _pair(call: Call, c: Connection) -> tuple[Any, Any]:
    prior = store.get(c, t.roles, call.params["role_id"], "role")
    return prior, store.get(c, t.roles, call.params["implied_role_id"], "role")


@routes.get("/v3/role_inferences", rule="identity:list_role_inference_rules", response=INFERENCES)
def list_inferences(call: Call) -> Reply:
    """List every rule by which one role implies others."""
    rules: dict[str, list[Any]] = {}
    with call.house.db.read() as c:
        roles = {row.id: row for row in c.execute(select(t.roles))}
        for prior, implied in assignment.implications(c):
            rules.setdefault(prior, []).append(_short(call, roles[implied]))
    found = [
        {"prior_role": _short(call, roles[prior]), "implies": implied} for prior, implied in rules.items()
    ]
    links = {"next": None, "previous": None, "self": f"{call.base_url}/v3/role_inferences"}
    return Reply({"role_inferences": found, "links": links})


@routes.get("/v3/roles/{role_id}/implies", rule="identity:list_implied_roles", response=INFERENCE)
def list_implied(call: Call) -> Reply:
    """List what a role implies."""
    with call.house.db.read() as c:
        prior = store.get(c, t.roles, call.params["role_id"], "role")
        return _inference(call, prior, list(assignment.implied_by(c, prior.id)))


@routes.put(
    "/v3/roles/{role_id}/implies/{implied_role_id}",
    rule="identity:create_implied_role",
    status=201,
    response=INFERENCE,
)
def create_implied(call: Call) -> Reply:
    """Let one role imply another."""
    with writing(call) as c:
        prior, implied = _pair(call, c)
        if implied.name in NEVER_IMPLIED:
            raise Forbidden(f"{implied.id} cannot be an implied role: no role may imply {implied.name!r}.")
        if not prior.domain_id and implied.domain_id:
            raise Forbidden(
                f"{implied.id} cannot be an implied role: it belongs to domain {implied.domain_id} only."
            )
        assignment.imply(c, prior.id, implied.id)
        store.bump(c)
    return _inference(call, prior, implied)


@routes.get(
    "/v3/roles/{role_id}/implies/{implied_role_id}", rule="identity:get_implied_role", response=INFERENCE
)
def show_implied(call: Call) -> Reply:
    """Say whether one role implies another."""
    with call.house.db.read() as c:
        prior, implied = _pair(call, c)
        if (prior.id, implied.id) not in assignment.implications(c):
            raise NotFound(f"Role {prior.id} does not imply role {implied.id}.")
    return _inference(call, prior, implied)


@routes.add(
    "HEAD", "/v3/roles/{role_id}/implies/{implied_role_id}", rule="identity:check_implied_role", status=204
)
def check_implied(call: Call) -> Reply:
    """Say whether one role implies another, without showing them."""
    show_implied(call)
    return Reply()


@routes.delete("/v3/roles/{role_id}/implies/{implied_role_id}", rule="identity:delete_implied_role")
def delete_implied(call: Call) -> Reply:
    """Let one role no longer imply another."""
    with writing(call) as c:
        prior, implied = _pair(call, c)
        assignment.unimply(c, prior.id, implied.id)
        store.bump(c)
    return Reply()
