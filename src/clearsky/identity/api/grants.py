"""Grants: a role of a user or group on a project, a domain or the system, also one to be inherited."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, NotFound
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api import guard
from clearsky.identity.api.render import enclose
from clearsky.identity.api.roles import view_role
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.resources import INDEX
from clearsky.identity.store import assignment, resource

routes = Routes()
_TARGETS = {"projects": "project", "domains": "domain", "system": assignment.SYSTEM}
_RULES = {
    "create": "create_system_grant_for_", "revoke": "revoke_system_grant_for_",
    "check": "check_system_grant_for_", "list": "list_system_grants_for_",
}  # fmt: skip


def _grant(call: Call, c: Connection, verb: str) -> dict[str, Any]:
    """Read actor, target and inheritance off the path; each must exist, and the caller may do `verb` to them."""
    parts = call.path.split("/")
    target_type = next(_TARGETS[part] for part in parts if part in _TARGETS)
    actor_type = "user" if "users" in parts else "group"
    actor = store.find(c, t.users if actor_type == "user" else t.groups, call.params["actor_id"])
    target_id = call.params.get("target_id", assignment.SYSTEM)
    place = store.find(c, t.projects, target_id) if target_type != assignment.SYSTEM else None
    role = store.find(c, t.roles, call.params["role_id"]) if "role_id" in call.params else None
    _authorize(call, verb, actor_type, actor, place, role)
    if actor is None:
        raise NotFound(f"Could not find {actor_type}: {call.params['actor_id']}.")
    grant = {
        "actor_type": actor_type,
        "actor_id": actor.id,
        "target_type": target_type,
        "target_id": target_id,
        "inherited": "OS-INHERIT" in parts,
    }
    if target_type != assignment.SYSTEM:
        (resource.project if target_type == "project" else resource.domain)(c, target_id)
    if "role_id" in call.params:
        if role is None:
            raise NotFound(f"Could not find role: {call.params['role_id']}.")
        grant["role_id"] = role.id
        if verb == "create":
            _refuse_foreign_role(role, place)
    return grant


def _authorize(call: Call, verb: str, actor_type: str, actor: Any, place: Any, role: Any) -> None:
    if call.path.startswith("/identity/v3/system/"):
        call.authorize(f"identity:{_RULES[verb]}{actor_type}")
        return
    target: guard.Target = {}
    if actor is not None:
        target |= (guard.of_user if actor_type == "user" else guard.of_group)(actor)
    if place is not None:
        target |= guard.of_domain(place) if place.is_domain else guard.of_project(place)
    if role is not None:
        target |= guard.of_role(role)
    call.authorize(f"identity:{verb}_grant{'s' if verb == 'list' else ''}", **target)


def _refuse_foreign_role(role: Any, place: Any) -> None:
    """Raise Forbidden where a domain's own role would be given elsewhere."""
    if not role.domain_id:
        return
    inside = None if place is None else place.id if place.is_domain else place.domain_id
    if inside != role.domain_id:
        where = "the system" if place is None else f"{'Domain' if place.is_domain else 'Project'} {place.id}"
        raise Forbidden(
            f"{where} must be in the same domain as the role {role.id} being assigned: {role.domain_id}."
        )


def _register(prefix: str, suffix: str = "", *, listed: bool = True) -> None:
    for actors in ("users", "groups"):
        base = f"{prefix}/{actors}/{{actor_id}}/roles"
        if listed:
            routes.get(base + suffix, rule="identity:any_token", response=INDEX["role"])(list_grants)
        one = base + "/{role_id}" + suffix
        routes.put(one, rule="identity:any_token", status=204)(create_grant)
        routes.get(one, rule="identity:any_token", status=204)(check_grant)
        routes.delete(one, rule="identity:any_token")(delete_grant)


def list_grants(call: Call) -> Reply:
    """List the roles that an actor was given on a target."""
    with call.house.db.read() as c:
        ids = [row.role_id for row in assignment.assigned(c, _grant(call, c, "list"))]
        rows = c.execute(select(t.roles).where(t.roles.c.id.in_(ids)).order_by(t.roles.c.id)).all()
    return enclose(call, "roles", [view_role(call, row) for row in rows])


def create_grant(call: Call) -> Reply:
    """Give an actor a role on a target."""
    with writing(call) as c:
        assignment.assign(c, _grant(call, c, "create"))
        store.bump(c)
    return Reply()


def check_grant(call: Call) -> Reply:
    """Say whether an actor was given a role on a target."""
    with call.house.db.read() as c:
        grant = _grant(call, c, "check")
        if not assignment.assigned(c, grant):
            raise NotFound(
                f"Could not find role assignment with role: {grant['role_id']}, {grant['actor_type']}: "
                f"{grant['actor_id']}, {grant['target_type']}: {grant['target_id']}."
            )
    return Reply()


def delete_grant(call: Call) -> Reply:
    """Take a role on a target from an actor."""
    with writing(call) as c:
        assignment.unassign(c, _grant(call, c, "revoke"))
        store.bump(c)
    return Reply()


_register("/v3/projects/{target_id}")
_register("/v3/domains/{target_id}")
_register("/v3/system")
_register("/v3/OS-INHERIT/projects/{target_id}", "/inherited_to_projects", listed=False)
_register("/v3/OS-INHERIT/domains/{target_id}", "/inherited_to_projects")
