"""Roles, implied roles, grants, and the list of assignments."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import and_, or_, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Forbidden, NotFound
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api.render import enclose, filtered, link, listed
from clearsky.identity.schema.resources import ASSIGNMENTS, CREATE, INDEX, ROLES_OF_GRANT, SHOW, UPDATE
from clearsky.identity.store import assignment, identity, removal, resource

routes = Routes()
_INFERENCE = Schema(
    {"type": "object", "properties": {"role_inference": {"type": "object"}}, "required": ["role_inference"]}
)
_INFERENCES = Schema(
    {"type": "object", "properties": {"role_inferences": {"type": "array"}}, "required": ["role_inferences"]}
)


def view_role(call: Call, row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id or None,
        "description": row.description,
        "options": row.options,
        "links": link(call, "roles", row.id),
    }


def _mutable(c: Any, call: Call, *, may_unlock: bool = False) -> Any:
    row = store.get(c, t.roles, call.params["role_id"], "role")
    unlocking = may_unlock and (call.body["role"].get("options") or {}).get("immutable") in (False, None)
    if (row.options or {}).get("immutable") and not (unlocking and "options" in call.body["role"]):
        raise Forbidden(f"Role {row.name!r} is immutable: set its option `immutable` to false first.")
    return row


@routes.post(
    "/v3/roles", rule="identity:create_role", status=201, request=CREATE["role"], response=SHOW["role"]
)
def create_role(call: Call) -> Reply:
    """Create a role."""
    body = call.body["role"]
    values = {name: body[name] for name in ("name", "description", "options") if name in body}
    values = {"id": uuid.uuid4().hex, "options": {}, "domain_id": body.get("domain_id") or ""} | values
    with call.house.db.write() as c:
        row = store.create(c, t.roles, values, "role")
    return Reply({"role": view_role(call, row)})


@routes.get("/v3/roles", rule="identity:list_roles", response=INDEX["role"])
def list_roles(call: Call) -> Reply:
    """List roles: the global ones, or those of one domain."""
    query = filtered(call, select(t.roles), t.roles, ("name",))
    query = query.where(t.roles.c.domain_id == call.query.get("domain_id", ""))
    return listed(call, "roles", query, t.roles, view_role)


@routes.get("/v3/roles/{role_id}", rule="identity:get_role", response=SHOW["role"])
def show_role(call: Call) -> Reply:
    """Show a role."""
    with call.house.db.read() as c:
        row = store.get(c, t.roles, call.params["role_id"], "role")
    return Reply({"role": view_role(call, row)})


@routes.patch(
    "/v3/roles/{role_id}", rule="identity:update_role", request=UPDATE["role"], response=SHOW["role"]
)
def update_role(call: Call) -> Reply:
    """Update a role."""
    values = {
        name: call.body["role"][name]
        for name in ("name", "description", "options")
        if name in call.body["role"]
    }
    with call.house.db.write() as c:
        row = store.change(c, t.roles, _mutable(c, call, may_unlock=True).id, values, "role")
        store.bump(c)
    return Reply({"role": view_role(call, row)})


@routes.delete("/v3/roles/{role_id}", rule="identity:delete_role")
def delete_role(call: Call) -> Reply:
    """Delete a role with every assignment of it."""
    with call.house.db.write() as c:
        removal.role(c, _mutable(c, call).id)
        store.bump(c)
    return Reply()


# -- implied roles ----------------------------------------------------------------------------------------------


def _short(call: Call, row: Any) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "links": link(call, "roles", row.id)}


def _pair(c: Any, call: Call) -> tuple[Any, Any]:
    prior = store.get(c, t.roles, call.params["role_id"], "role")
    return prior, store.get(c, t.roles, call.params["implied_role_id"], "role")


@routes.get("/v3/role_inferences", rule="identity:list_roles", response=_INFERENCES)
def list_inferences(call: Call) -> Reply:
    """List every rule by which one role implies others."""
    with call.house.db.read() as c:
        roles = {row.id: row for row in c.execute(select(t.roles))}
        rules: dict[str, list[Any]] = {}
        for prior, implied in assignment.implications(c):
            rules.setdefault(prior, []).append(_short(call, roles[implied]))
    found = [
        {"prior_role": _short(call, roles[prior]), "implies": implied} for prior, implied in rules.items()
    ]
    return Reply({"role_inferences": found, "links": {"self": f"{call.base_url}/v3/role_inferences"}})


@routes.get("/v3/roles/{role_id}/implies", rule="identity:list_roles", response=_INFERENCE)
def list_implied(call: Call) -> Reply:
    """List what a role implies."""
    with call.house.db.read() as c:
        prior = store.get(c, t.roles, call.params["role_id"], "role")
        ids = [implied for held, implied in assignment.implications(c) if held == prior.id]
        rows = c.execute(select(t.roles).where(t.roles.c.id.in_(ids))).all()
    inference = {"prior_role": _short(call, prior), "implies": [_short(call, row) for row in rows]}
    return Reply({"role_inference": inference, "links": link(call, "roles", f"{prior.id}/implies")})


@routes.put(
    "/v3/roles/{role_id}/implies/{implied_role_id}",
    rule="identity:update_role",
    status=201,
    response=_INFERENCE,
)
def create_implied(call: Call) -> Reply:
    """Let one role imply another."""
    with call.house.db.write() as c:
        prior, implied = _pair(c, call)
        if prior.id in assignment.with_implied(c, [implied.id]):
            raise Forbidden(f"Role {implied.name!r} implies {prior.name!r} already: that would be a circle.")
        if (prior.id, implied.id) not in assignment.implications(c):
            c.execute(t.implied_roles.insert().values(prior_role_id=prior.id, implied_role_id=implied.id))
        store.bump(c)
    return Reply(
        {"role_inference": {"prior_role": _short(call, prior), "implies": _short(call, implied)}, "links": {}}
    )


@routes.get("/v3/roles/{role_id}/implies/{implied_role_id}", rule="identity:list_roles", response=_INFERENCE)
def show_implied(call: Call) -> Reply:
    """Say whether one role implies another."""
    with call.house.db.read() as c:
        prior, implied = _pair(c, call)
        if (prior.id, implied.id) not in assignment.implications(c):
            raise NotFound(f"Role {prior.name!r} does not imply {implied.name!r}.")
    return Reply(
        {"role_inference": {"prior_role": _short(call, prior), "implies": _short(call, implied)}, "links": {}}
    )


@routes.delete("/v3/roles/{role_id}/implies/{implied_role_id}", rule="identity:update_role")
def delete_implied(call: Call) -> Reply:
    """Let one role no longer imply another."""
    rules = t.implied_roles.c
    with call.house.db.write() as c:
        prior, implied = _pair(c, call)
        rule = and_(rules.prior_role_id == prior.id, rules.implied_role_id == implied.id)
        if not c.execute(t.implied_roles.delete().where(rule)).rowcount:
            raise NotFound(f"Role {prior.name!r} does not imply {implied.name!r}.")
        store.bump(c)
    return Reply()


# -- grants -----------------------------------------------------------------------------------------------------


def _grant(call: Call) -> dict[str, Any]:
    """Read actor, target and inheritance off the path; each must exist."""
    parts = call.path.split("/")
    kind = next(kind for kind in ("projects", "domains", "system") if kind in parts)
    actor = "user" if "users" in parts else "group"
    target = {"projects": "project", "domains": "domain", "system": "system"}[kind]
    grant: dict[str, Any] = {
        "actor_type": actor,
        "actor_id": call.params["actor_id"],
        "target_type": target,
        "target_id": call.params.get("target_id", assignment.SYSTEM),
        "inherited": "OS-INHERIT" in parts,
    }
    with call.house.db.read() as c:
        store.get(c, t.users if actor == "user" else t.groups, grant["actor_id"], actor)
        if target != "system":
            (resource.project if target == "project" else resource.domain)(c, grant["target_id"])
        if "role_id" in call.params:
            grant["role_id"] = store.get(c, t.roles, call.params["role_id"], "role").id
    return grant


def _register(prefix: str, suffix: str = "") -> None:
    for actors in ("users", "groups"):
        base = f"{prefix}/{actors}/{{actor_id}}/roles"
        routes.get(base + suffix, rule="identity:list_role_assignments", response=ROLES_OF_GRANT)(list_grants)
        one = base + "/{role_id}" + suffix
        routes.put(one, rule="identity:manage_grants", status=204)(create_grant)
        routes.get(one, rule="identity:list_role_assignments", status=204)(check_grant)
        routes.delete(one, rule="identity:manage_grants")(delete_grant)


def list_grants(call: Call) -> Reply:
    """List the roles that an actor was given on a target."""
    with call.house.db.read() as c:
        ids = [row.role_id for row in assignment.assigned(c, _grant(call))]
        rows = c.execute(select(t.roles).where(t.roles.c.id.in_(ids))).all()
    return enclose(call, "roles", [view_role(call, row) for row in rows])


def create_grant(call: Call) -> Reply:
    """Give an actor a role on a target."""
    grant = _grant(call)
    with call.house.db.write() as c:
        assignment.assign(c, grant)
        store.bump(c)
    return Reply()


def check_grant(call: Call) -> Reply:
    """Say whether an actor was given a role on a target."""
    grant = _grant(call)
    with call.house.db.read() as c:
        if not assignment.assigned(c, grant):
            raise NotFound(f"Could not find role assignment with role: {grant['role_id']}.")
    return Reply()


def delete_grant(call: Call) -> Reply:
    """Take a role on a target from an actor."""
    grant = _grant(call)
    with call.house.db.write() as c:
        assignment.unassign(c, grant)
        store.bump(c)
    return Reply()


_register("/v3/projects/{target_id}")
_register("/v3/domains/{target_id}")
_register("/v3/system")
_register("/v3/OS-INHERIT/projects/{target_id}", "/inherited_to_projects")
_register("/v3/OS-INHERIT/domains/{target_id}", "/inherited_to_projects")


# -- the list of assignments ------------------------------------------------------------------------------------


@routes.get("/v3/role_assignments", rule="identity:any_token", response=ASSIGNMENTS)
def list_role_assignments(call: Call) -> Reply:
    """List assignments by actor, role and scope; `effective` follows groups, inheritance and implied roles."""
    call.authorize("identity:list_role_assignments")
    effective = _flag(call, "effective")
    with call.house.db.read() as c:
        found = [row._asdict() for row in c.execute(select(t.assignments).where(_wanted(call, c, effective)))]
        if effective:
            found = _effective(c, call, found)
        if role := call.query.get("role.id"):
            found = [item for item in found if item["role_id"] == role]
        names = _names(c, found) if _flag(call, "include_names") else {}
    return enclose(call, "role_assignments", [_view(call, item, names) for item in found])


def _flag(call: Call, name: str) -> bool:
    return name in call.query and call.query[name].lower() not in ("0", "false")


def _wanted(call: Call, c: Any, effective: bool) -> Any:
    a, query, wanted = t.assignments.c, call.query, []
    if user := query.get("user.id"):
        actors = [and_(a.actor_type == "user", a.actor_id == user)]
        if effective:
            actors.append(and_(a.actor_type == "group", a.actor_id.in_(identity.groups_of(c, user))))
        wanted.append(or_(*actors))
    if group := query.get("group.id"):
        wanted.append(and_(a.actor_type == "group", a.actor_id == group))
    if project := query.get("scope.project.id"):
        targets = [project]
        if _flag(call, "include_subtree"):
            targets += [row.id for row in resource.subtree(c, project)]
        place: Any = a.target_id.in_(targets)
        if effective:
            row = resource.project(c, project)
            above = [row.domain_id, *(up.id for up in resource.ancestors(c, row))]
            place = or_(place, and_(a.inherited.is_(True), a.target_id.in_(above)))
        wanted.append(place)
    if domain := query.get("scope.domain.id"):
        wanted.append(and_(a.target_type == "domain", a.target_id == domain))
    if "scope.system" in query:
        wanted.append(a.target_type == "system")
    if query.get("scope.OS-INHERIT:inherited_to"):
        wanted.append(a.inherited.is_(True))
    return and_(True, *wanted)


def _effective(c: Any, call: Call, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted_user, wanted_project = call.query.get("user.id"), call.query.get("scope.project.id")
    result: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for item in found:
        users = [item["actor_id"]]
        if item["actor_type"] == "group":
            member = select(t.memberships.c.user_id).where(t.memberships.c.group_id == item["actor_id"])
            users = list(c.execute(member).scalars())
        targets = [(item["target_type"], item["target_id"])]
        if item["inherited"]:
            if item["target_type"] == "domain":
                inside = select(t.projects.c.id).where(t.projects.c.domain_id == item["target_id"])
                ids = list(c.execute(inside).scalars())
            else:
                ids = [row.id for row in resource.subtree(c, item["target_id"])]
            targets = [("project", id) for id in ids if not wanted_project or id == wanted_project]
        for role_id in assignment.with_implied(c, [item["role_id"]]):
            for user in users:
                if wanted_user and user != wanted_user:
                    continue
                for kind, target in targets:
                    result[user, kind, target, role_id] = {
                        "actor_type": "user", "actor_id": user, "target_type": kind, "target_id": target,
                        "role_id": role_id, "inherited": False,
                    }  # fmt: skip
    return list(result.values())


def _names(c: Any, found: list[dict[str, Any]]) -> dict[str, Any]:
    domains = {row.id: row.name for row in c.execute(select(t.projects).where(t.projects.c.is_domain))}
    names: dict[str, Any] = {}
    for table, key in (
        (t.users, "actor_id"),
        (t.groups, "actor_id"),
        (t.projects, "target_id"),
        (t.roles, "role_id"),
    ):
        ids = {item[key] for item in found}
        for row in c.execute(select(table).where(table.c.id.in_(ids))):
            names[row.id] = {"id": row.id, "name": row.name}
            if row.domain_id in domains:
                names[row.id]["domain"] = {"id": row.domain_id, "name": domains[row.domain_id]}
    return names


def _view(call: Call, item: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    def named(id: str) -> dict[str, Any]:
        found: dict[str, Any] = names.get(id, {"id": id})
        return found

    kind = item["target_type"]
    scope: dict[str, Any] = (
        {"system": {"all": True}} if kind == "system" else {kind: named(item["target_id"])}
    )
    place = "system" if kind == "system" else f"{kind}s/{item['target_id']}"
    path = f"{place}/{item['actor_type']}s/{item['actor_id']}/roles/{item['role_id']}"
    if item["inherited"]:
        scope["OS-INHERIT:inherited_to"] = "projects"
        path = f"OS-INHERIT/{path}/inherited_to_projects"
    return {
        item["actor_type"]: named(item["actor_id"]),
        "role": named(item["role_id"]),
        "scope": scope,
        "links": {"assignment": f"{call.base_url}/v3/{path}"},
    }
