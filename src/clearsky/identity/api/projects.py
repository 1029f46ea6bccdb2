"""Projects: trees below a domain."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, Select, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, Invalid
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api import attributes, guard
from clearsky.identity.api.domains import columns, new_domain, remove_domain, tags_by_id
from clearsky.identity.api.render import filtered, flag, is_true, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.resources import CREATE, INDEX, SHOW, UPDATE
from clearsky.identity.store import assignment, effective, limit, removal, resource

routes = Routes()
_KNOWN = {
    "id",
    "name",
    "description",
    "enabled",
    "tags",
    "options",
    "links",
    "domain_id",
    "parent_id",
    "is_domain",
}
_FILTERS = ("name", "domain_id", "parent_id", "enabled")


def view_project(call: Call, row: Any) -> dict[str, Any]:
    """Render a project without its tags, which lists read for all of them at once."""
    shown = {
        name: getattr(row, name)
        for name in ("id", "name", "parent_id", "is_domain", "enabled", "description", "options")
    }
    domain_id = None if row.is_domain else row.domain_id
    more: dict[str, Any] = {"domain_id": domain_id, "tags": [], "links": link(call, "projects", row.id)}
    return (row.extra or {}) | shown | more


def _with_tags(call: Call, c: Connection, row: Any) -> dict[str, Any]:
    return view_project(call, row) | {"tags": resource.tags(c, row.id)}


def project_list(call: Call, query: Select[Any]) -> Reply:
    """Answer a list of the projects that a query finds."""
    return listed(call, "projects", query, t.projects, view_project, more=tags_by_id)


# -- create -----------------------------------------------------------------------------------------------------


@routes.post(
    "/v3/projects",
    rule="identity:any_token",
    status=201,
    request=CREATE["project"],
    response=SHOW["project"],
)
def create_project(call: Call) -> Reply:
    """Create a project in a domain, below another one where `parent_id` says so."""
    body = call.body["project"]
    if body.get("is_domain"):
        return _create_as_domain(call, body)
    with writing(call) as c:
        resource.lock_trees(c)
        domain_id, parent_id = _place(call, c, body)
        call.authorize("identity:create_project", **{"target.project.domain_id": domain_id})
        domain = resource.domain(c, domain_id)
        parent = domain if parent_id == domain_id else resource.project(c, parent_id)
        _refuse_parent(call, c, parent)
        values = {"id": uuid.uuid4().hex, "domain_id": domain_id, "parent_id": parent_id} | columns(
            body, _KNOWN
        )
        row = store.create(c, t.projects, values, "project")
        resource.set_tags(c, row.id, body.get("tags") or ())
        shown = _with_tags(call, c, row)
    return Reply({"project": shown})


def _create_as_domain(call: Call, body: dict[str, Any]) -> Reply:
    call.authorize("identity:create_domain")
    for name in ("domain_id", "parent_id"):
        if body.get(name):
            raise Invalid(f"project.{name} = {body[name]!r}: a project that acts as a domain is in no other")
    made = new_domain(call, body)
    with call.house.db.read() as c:
        return Reply({"project": _with_tags(call, c, resource.domain(c, made["id"]))})


def _place(call: Call, c: Connection, body: dict[str, Any]) -> tuple[str, str]:
    """Return domain and parent of a new project: as the body says, else where the token is."""
    domain_id, parent_id = body.get("domain_id"), body.get("parent_id")
    if parent_id:
        parent = store.get(c, t.projects, parent_id, "project")
        above = parent.id if parent.is_domain else parent.domain_id
        if domain_id and domain_id != above:
            raise Invalid(f"project.domain_id = {domain_id!r}: its parent {parent_id} is in domain {above}")
        return above, parent_id
    domain_id = domain_id or default_domain(call)
    return domain_id, domain_id


def default_domain(call: Call) -> str:
    """Return where something is made for which the body names no domain: where the token is."""
    return call.caller.domain_id or call.caller.project_domain_id or "default"


def _refuse_parent(call: Call, c: Connection, parent: Any) -> None:
    """Raise Forbidden where nothing may be made below `parent`: its branch is too deep, or part of it disabled."""
    line = [parent, *resource.path(c, parent)]
    deepest = call.house.config.identity.max_project_tree_depth
    if len(line) > deepest:
        raise Forbidden(
            f"Max hierarchy depth reached for {parent.id} branch: {deepest} projects below each other."
        )
    if disabled := [row.id for row in line if not row.enabled]:
        raise Forbidden(
            f"Cannot create a project in a branch containing a disabled project: {', '.join(disabled)}."
        )


# -- read -------------------------------------------------------------------------------------------------------


@routes.get("/v3/projects", rule="identity:any_token", response=INDEX["project"])
def list_projects(call: Call) -> Reply:
    """List projects: a token of a domain sees those of the domain."""
    call.authorize("identity:list_projects", **guard.of_list(call))
    domains = is_true(call.query["is_domain"]) if "is_domain" in call.query else False
    query = select(t.projects).where(t.projects.c.is_domain.is_(domains))
    if call.caller.domain_id:
        own = t.projects.c.id if domains else t.projects.c.domain_id
        query = query.where(own == call.caller.domain_id)
    query = filtered(call, query.where(*resource.tagged(call.query)), t.projects, _FILTERS)
    return project_list(call, query)


@routes.get("/v3/projects/{project_id}", rule="identity:any_token", response=SHOW["project"])
def show_project(call: Call) -> Reply:
    """Show a project, with the projects above or below it where asked."""
    for name in ("parents", "subtree"):
        if flag(call, f"{name}_as_list") and flag(call, f"{name}_as_ids"):
            raise Invalid(f"Specify {name}_as_list or {name}_as_ids, not both.")
    with call.house.db.read() as c:
        row = guard.project(call, c, "identity:get_project")
        shown = _with_tags(call, c, row)
        if flag(call, "parents_as_list"):
            shown["parents"] = _those_with_a_role(call, c, resource.ancestors(c, row))
        if flag(call, "subtree_as_list"):
            shown["subtree"] = _those_with_a_role(call, c, resource.subtree(c, row.id))
        if flag(call, "parents_as_ids"):
            chain: dict[str, Any] | None = None
            for up in reversed(resource.path(c, row)):
                chain = {up.id: chain}
            shown["parents"] = chain
        if flag(call, "subtree_as_ids"):
            shown["subtree"] = _tree(resource.subtree(c, row.id), row.id)
    return Reply({"project": shown})


def _those_with_a_role(call: Call, c: Connection, rows: list[Any]) -> list[dict[str, Any]]:
    """Render of these projects the ones on which the caller has a role, with their limits where asked."""
    mine, _, _ = assignment.scopes_of(c, call.caller.user_id)
    seen = [row for row in rows if row.id in mine]
    tags = resource.tags_of(c, select(t.projects.c.id).where(t.projects.c.id.in_([row.id for row in seen])))
    shown = [view_project(call, row) | {"tags": tags.get(row.id, [])} for row in seen]
    if flag(call, "include_limits"):
        limits = limit.of_projects(c, [row.id for row in seen])
        shown = [one | {"limits": limits.get(one["id"], [])} for one in shown]
    return [{"project": one} for one in shown]


def _tree(rows: list[Any], above: str) -> dict[str, Any] | None:
    below: dict[str, list[str]] = {}
    for row in rows:
        below.setdefault(row.parent_id, []).append(row.id)

    def grow(id: str) -> dict[str, Any] | None:
        return {child: grow(child) for child in below.get(id, ())} or None

    return grow(above)


@routes.get("/v3/users/{user_id}/projects", rule="identity:any_token", response=INDEX["project"])
def list_projects_of_user(call: Call) -> Reply:
    """List the projects on which a user has a role."""
    with call.house.db.read() as c:
        user = guard.user(call, c, "identity:list_user_projects")
    held = effective.query(effective.Wanted(user_id=user.id)).c
    ids = select(held.target_id).where(held.target_type == "project")
    query = select(t.projects).where(t.projects.c.id.in_(ids), t.projects.c.is_domain.is_(False))
    return project_list(call, filtered(call, query, t.projects, _FILTERS))


# -- change and delete ------------------------------------------------------------------------------------------


@routes.patch(
    "/v3/projects/{project_id}",
    rule="identity:any_token",
    request=UPDATE["project"],
    response=SHOW["project"],
)
def update_project(call: Call) -> Reply:
    """Update a project; disabling it voids its tokens."""
    body = call.body["project"]
    with writing(call) as c:
        if "enabled" in body:
            resource.lock_trees(c)
        row = guard.project(
            call, c, "identity:update_domain" if _is_domain(call, c) else "identity:update_project"
        )
        _refuse_move(row, body)
        attributes.refuse_immutable(row, "project", body)
        if "enabled" in body and not row.is_domain:
            _refuse_switch(c, row, enable=body["enabled"])
        row = store.change(c, t.projects, row.id, columns(body, _KNOWN, row), "project")
        if "tags" in body:
            resource.set_tags(c, row.id, body["tags"])
        shown = _with_tags(call, c, row)
        store.bump(c)
    return Reply({"project": shown})


def _is_domain(call: Call, c: Connection) -> bool:
    row = store.find(c, t.projects, call.params["project_id"])
    return row is not None and bool(row.is_domain)


def _refuse_move(row: Any, body: dict[str, Any]) -> None:
    if "parent_id" in body and body["parent_id"] != row.parent_id:
        raise Forbidden(
            f"Update of `parent_id` is not allowed: project {row.id} stays below {row.parent_id}."
        )
    now = {"is_domain": row.is_domain, "domain_id": None if row.is_domain else row.domain_id}
    for name, value in now.items():
        if name in body and body[name] != value:
            raise Invalid(f"Update of `{name}` is not allowed: it is {value!r} for project {row.id}.")


def _refuse_switch(c: Connection, row: Any, *, enable: bool) -> None:
    """Raise Forbidden where a project would be enabled below a disabled one, or disabled above an enabled one."""
    if enable:
        if disabled := [up.id for up in resource.path(c, row) if not up.enabled]:
            raise Forbidden(
                f"Cannot enable project {row.id} since it has disabled parents: {', '.join(disabled)}."
            )
    elif enabled := [down.id for down in resource.subtree(c, row.id) if down.enabled]:
        raise Forbidden(
            f"Cannot disable project {row.id} since its subtree contains enabled projects: {', '.join(enabled[:5])}."
        )


@routes.delete("/v3/projects/{project_id}", rule="identity:any_token")
def delete_project(call: Call) -> Reply:
    """Delete a project with everything that hangs on it."""
    with writing(call) as c:
        resource.lock_trees(c)
        if _is_domain(call, c):
            remove_domain(c, guard.project(call, c, "identity:delete_domain"))
            return Reply()
        row = guard.project(call, c, "identity:delete_project")
        attributes.refuse_immutable(row, "project")
        removal.project(c, row.id)
        store.bump(c)
    return Reply()
