"""Domains and projects."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, Invalid
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api.render import enclose, filtered, link, listed
from clearsky.identity.schema.resources import CREATE, INDEX, SHOW, UPDATE
from clearsky.identity.store import assignment, removal, resource

routes = Routes()
_OWN = ("name", "description", "enabled", "tags", "options")
_KNOWN = {*_OWN, "id", "domain_id", "parent_id", "is_domain", "links"}


def view_project(call: Call, row: Any) -> dict[str, Any]:
    return (row.extra or {}) | {
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "parent_id": row.parent_id,
        "is_domain": row.is_domain,
        "enabled": row.enabled,
        "description": row.description,
        "tags": row.tags,
        "options": row.options,
        "links": link(call, "projects", row.id),
    }


def view_domain(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", *_OWN)}
    return (row.extra or {}) | shown | {"links": link(call, "domains", row.id)}


def _values(body: dict[str, Any], before: Any = None) -> dict[str, Any]:
    """Split what a client sends into columns and `extra`."""
    values = {name: body[name] for name in _OWN if name in body}
    if "description" in values:
        values["description"] = values["description"] or ""
    extra = {name: value for name, value in body.items() if name not in _KNOWN}
    return values | {"extra": ((before.extra or {}) if before is not None else {}) | extra}


def _new(body: dict[str, Any]) -> dict[str, Any]:
    return {"id": uuid.uuid4().hex, "tags": [], "options": {}} | _values(body)


@routes.post(
    "/v3/domains",
    rule="identity:create_domain",
    status=201,
    request=CREATE["domain"],
    response=SHOW["domain"],
)
def create_domain(call: Call) -> Reply:
    """Create a domain."""
    values = _new(call.body["domain"]) | {"domain_id": resource.DOMAIN_ROOT, "is_domain": True}
    with call.house.db.write() as c:
        row = store.create(c, t.projects, values, "domain")
    return Reply({"domain": view_domain(call, row)})


@routes.get("/v3/domains", rule="identity:list_domains", response=INDEX["domain"])
def list_domains(call: Call) -> Reply:
    """List domains."""
    query = filtered(call, select(t.projects).where(t.projects.c.is_domain), t.projects, ("name", "enabled"))
    return listed(call, "domains", query, t.projects, view_domain)


@routes.get("/v3/domains/{domain_id}", rule="identity:any_token", response=SHOW["domain"])
def show_domain(call: Call) -> Reply:
    """Show a domain: to its own users, and to those who may read all."""
    if call.params["domain_id"] not in (
        call.caller.user_domain_id,
        call.caller.domain_id,
        call.caller.project_domain_id,
    ):
        call.authorize("identity:get_domain")
    with call.house.db.read() as c:
        row = resource.domain(c, call.params["domain_id"])
    return Reply({"domain": view_domain(call, row)})


@routes.patch(
    "/v3/domains/{domain_id}",
    rule="identity:update_domain",
    request=UPDATE["domain"],
    response=SHOW["domain"],
)
def update_domain(call: Call) -> Reply:
    """Update a domain; disabling it voids every token in it."""
    with call.house.db.write() as c:
        row = resource.domain(c, call.params["domain_id"])
        row = store.change(c, t.projects, row.id, _values(call.body["domain"], row), "domain")
        store.bump(c)
    return Reply({"domain": view_domain(call, row)})


@routes.delete("/v3/domains/{domain_id}", rule="identity:delete_domain")
def delete_domain(call: Call) -> Reply:
    """Delete a disabled domain with everything in it."""
    with call.house.db.write() as c:
        row = resource.domain(c, call.params["domain_id"])
        if row.enabled:
            raise Forbidden(f"Cannot delete domain {row.name!r}: it is enabled. Disable it first.")
        removal.domain(c, row.id)
        store.bump(c)
    return Reply()


@routes.post(
    "/v3/projects",
    rule="identity:create_project",
    status=201,
    request=CREATE["project"],
    response=SHOW["project"],
)
def create_project(call: Call) -> Reply:
    """Create a project in a domain, below another one where `parent_id` says so."""
    body = call.body["project"]
    if body.get("is_domain"):
        raise Invalid("project.is_domain = True: domains are created with POST /v3/domains")
    with call.house.db.write() as c:
        domain_id, parent_id = body.get("domain_id"), body.get("parent_id")
        if parent_id:
            parent = store.get(c, t.projects, parent_id, "project")
            above = parent.id if parent.is_domain else parent.domain_id
            if domain_id and domain_id != above:
                raise Invalid(
                    f"project.domain_id = {domain_id!r}: its parent {parent_id} is in domain {above}"
                )
            domain_id = above
        domain_id = resource.domain(
            c, domain_id or call.caller.domain_id or call.caller.project_domain_id or "default"
        ).id
        values = _new(body) | {"domain_id": domain_id, "parent_id": parent_id or domain_id}
        row = store.create(c, t.projects, values, "project")
    return Reply({"project": view_project(call, row)})


@routes.get("/v3/projects", rule="identity:list_projects", response=INDEX["project"])
def list_projects(call: Call) -> Reply:
    """List projects."""
    wants_domains = call.query.get("is_domain", "").lower() in ("1", "true")
    query = select(t.projects).where(t.projects.c.is_domain.is_(wants_domains))
    query = filtered(call, query, t.projects, ("name", "domain_id", "parent_id", "enabled"))
    reply = listed(call, "projects", query, t.projects, view_project)
    tags = [name for name in ("tags", "tags-any", "not-tags", "not-tags-any") if name in call.query]
    for name in tags:
        wanted = set(call.query[name].split(","))
        reply.body["projects"] = [p for p in reply.body["projects"] if _tagged(name, wanted, set(p["tags"]))]
    return reply


def _tagged(name: str, wanted: set[str], tags: set[str]) -> bool:
    found = bool(wanted & tags) if name.endswith("any") else wanted <= tags
    return found != name.startswith("not")


@routes.get("/v3/projects/{project_id}", rule="identity:any_token", response=SHOW["project"])
def show_project(call: Call) -> Reply:
    """Show a project, with the projects above or below it where asked."""
    call.authorize("identity:get_project", project_id=call.params["project_id"])
    with call.house.db.read() as c:
        row = store.get(c, t.projects, call.params["project_id"], "project")
        body = view_project(call, row)
        if "parents_as_list" in call.query:
            body["parents"] = [{"project": view_project(call, up)} for up in resource.ancestors(c, row)]
        if "subtree_as_list" in call.query:
            body["subtree"] = [{"project": view_project(call, down)} for down in resource.subtree(c, row.id)]
        if "parents_as_ids" in call.query:
            chain: Any = None
            for up in reversed(resource.ancestors(c, row)):
                chain = {up.id: chain}
            body["parents"] = chain
        if "subtree_as_ids" in call.query:
            body["subtree"] = _tree(resource.subtree(c, row.id), row.id)
    return Reply({"project": body})


def _tree(rows: list[Any], above: str) -> dict[str, Any] | None:
    return {row.id: _tree(rows, row.id) for row in rows if row.parent_id == above} or None


@routes.patch(
    "/v3/projects/{project_id}",
    rule="identity:update_project",
    request=UPDATE["project"],
    response=SHOW["project"],
)
def update_project(call: Call) -> Reply:
    """Update a project; disabling it voids its tokens."""
    body = call.body["project"]
    with call.house.db.write() as c:
        row = resource.project(c, call.params["project_id"])
        for name in ("domain_id", "parent_id", "is_domain"):
            if name in body and body[name] != getattr(row, name):
                raise Invalid(f"project.{name} cannot be changed (it is {getattr(row, name)!r})")
        row = store.change(c, t.projects, row.id, _values(body, row), "project")
        store.bump(c)
    return Reply({"project": view_project(call, row)})


@routes.delete("/v3/projects/{project_id}", rule="identity:delete_project")
def delete_project(call: Call) -> Reply:
    """Delete a project and the assignments on it."""
    with call.house.db.write() as c:
        removal.project(c, resource.project(c, call.params["project_id"]).id)
        store.bump(c)
    return Reply()


@routes.get("/v3/users/{user_id}/projects", rule="identity:any_token", response=INDEX["project"])
def list_projects_of_user(call: Call) -> Reply:
    """List the projects on which a user has a role."""
    call.authorize("identity:list_user_projects", user_id=call.params["user_id"])
    with call.house.db.read() as c:
        store.get(c, t.users, call.params["user_id"], "user")
        ids, _, _ = assignment.scopes_of(c, call.params["user_id"])
        rows = c.execute(select(t.projects).where(t.projects.c.id.in_(ids))).all()
    return enclose(call, "projects", [view_project(call, row) for row in rows])
