"""The list of role assignments: as they were given, or what is in effect."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Subquery, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid, NotFound
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api import guard
from clearsky.identity.api.render import enclose, flag
from clearsky.identity.schema.roles import ASSIGNMENTS
from clearsky.identity.store import assignment, effective

routes = Routes()
Item = dict[str, Any]


@routes.get("/v3/role_assignments", rule="identity:any_token", response=ASSIGNMENTS)
def list_role_assignments(call: Call) -> Reply:
    """List assignments by actor, role and scope; `effective` follows groups, inheritance and implied roles."""
    _refuse_contradictions(call)
    in_effect = flag(call, "effective")
    with call.house.db.read() as c:
        _authorize(call, c)
        rules = assignment.implications(c) if in_effect else []
        wanted = _wanted(call, rules)
        found = effective.query(wanted) if in_effect else effective.given(wanted)
        roles = {row.id: row for row in c.execute(select(t.roles))}
        query: Any = _with_names(found) if flag(call, "include_names") else select(found)
        rows = c.execute(query).all()
    items = _followed(call, rows, rules, roles) if in_effect else [(row, row.role_id, None) for row in rows]
    names = flag(call, "include_names")
    domains = _domain_names(call) if names else {}
    shown = [_view(call, row, _role(roles[role_id], domains, names=names), prior, names=names)
             for row, role_id, prior in items]  # fmt: skip
    return enclose(call, "role_assignments", shown)


def _refuse_contradictions(call: Call) -> None:
    """Raise Invalid for filters that exclude each other."""
    query = call.query
    scopes = [name for name in ("scope.project.id", "scope.domain.id", "scope.system") if query.get(name)]
    if len(scopes) > 1:
        raise Invalid(f"Specify one scope, not several: {', '.join(scopes)}.")
    if query.get("user.id") and query.get("group.id"):
        raise Invalid("Specify a user or group, not both: user.id, group.id.")
    inherited = query.get("scope.OS-INHERIT:inherited_to")
    if inherited and inherited != "projects":
        raise Invalid(f"scope.OS-INHERIT:inherited_to={inherited!r:.80}: the only value is projects.")
    if flag(call, "effective"):
        if query.get("group.id"):
            raise Invalid("Combining effective and group filter will always result in an empty list.")
        if inherited and query.get("scope.domain.id"):
            raise Invalid(
                "Combining effective, domain and inherited filters will always result in an empty list."
            )
    if flag(call, "include_subtree") and not query.get("scope.project.id"):
        raise Invalid("scope.project.id must be specified if include_subtree is also specified.")


def _authorize(call: Call, c: Connection) -> None:
    if not flag(call, "include_subtree"):
        call.authorize("identity:list_role_assignments", **guard.of_list(call))
        return
    id = call.query["scope.project.id"]
    row = store.find(c, t.projects, id)
    call.authorize(
        "identity:list_role_assignments_for_tree", **(guard.of_project(row) if row is not None else {})
    )
    if row is None:
        raise NotFound(f"Could not find project: {id}.")


def _wanted(call: Call, rules: list[tuple[str, str]]) -> effective.Wanted:
    query = call.query
    role_ids = None
    if role_id := query.get("role.id"):
        # A role is in effect also where another one is held that implies it.
        role_ids = tuple(effective.closure([(implied, prior) for prior, implied in rules], [role_id]))
    return effective.Wanted(
        user_id=query.get("user.id", ""),
        group_id=query.get("group.id", ""),
        role_ids=role_ids,
        project_id=query.get("scope.project.id", ""),
        subtree=flag(call, "include_subtree"),
        domain_id=query.get("scope.domain.id", ""),
        system=bool(query.get("scope.system")),
        inherited=True if query.get("scope.OS-INHERIT:inherited_to") else None,
        within_domain=call.caller.domain_id or "",
    )


def _followed(
    call: Call, rows: Any, rules: list[tuple[str, str]], roles: dict[str, Any]
) -> list[tuple[Any, str, str | None]]:
    """Return (assignment, role, the role that implies it) for each role in effect, each but once."""
    wanted, inherited = call.query.get("role.id"), bool(call.query.get("scope.OS-INHERIT:inherited_to"))
    closures: dict[str, dict[str, str | None]] = {}
    found: dict[tuple[str, ...], tuple[Any, str, str | None]] = {}
    for row in rows:
        if inherited and not row.inherited:
            continue
        if row.role_id not in closures:
            closures[row.role_id] = effective.closure(rules, [row.role_id])
        for role_id, prior in closures[row.role_id].items():
            # A domain's own role stands only for those that it implies.
            if (wanted and role_id != wanted) or roles[role_id].domain_id:
                continue
            key = (row.actor_id, row.target_type, row.target_id, role_id, row.group_id, row.from_id)
            found.setdefault(key, (row, role_id, prior))
    return list(found.values())


def _with_names(found: Subquery) -> Any:
    """Return the query for assignments with the names of actors and targets and of their domains."""
    user, group = t.users.alias("users"), t.groups.alias("groups")
    place, user_domain, group_domain, place_domain = (
        t.projects.alias(name) for name in ("place", "user_domain", "group_domain", "place_domain")
    )
    f = found.c
    return (
        select(
            found, user.c.name.label("user_name"), user.c.domain_id.label("user_domain_id"),
            user_domain.c.name.label("user_domain_name"), group.c.name.label("group_name"),
            group.c.domain_id.label("group_domain_id"), group_domain.c.name.label("group_domain_name"),
            place.c.name.label("target_name"), place.c.domain_id.label("target_domain_id"),
            place_domain.c.name.label("target_domain_name"),
        )
        .outerjoin(user, (f.actor_type == "user") & (user.c.id == f.actor_id))
        .outerjoin(user_domain, user_domain.c.id == user.c.domain_id)
        .outerjoin(group, (f.actor_type == "group") & (group.c.id == f.actor_id))
        .outerjoin(group_domain, group_domain.c.id == group.c.domain_id)
        .outerjoin(place, place.c.id == f.target_id)
        .outerjoin(place_domain, place_domain.c.id == place.c.domain_id)
    )  # fmt: skip


def _domain_names(call: Call) -> dict[str, str]:
    p = t.projects.c
    with call.house.db.read() as c:
        own = select(t.roles.c.domain_id)
        return {row.id: row.name for row in c.execute(select(p.id, p.name).where(p.is_domain, p.id.in_(own)))}


def _role(row: Any, domains: dict[str, str], *, names: bool) -> Item:
    if not names:
        return {"id": row.id}
    shown: Item = {"id": row.id, "name": row.name}
    if row.domain_id:
        shown["domain"] = {"id": row.domain_id, "name": domains.get(row.domain_id, "")}
    return shown


def _named(id: str, row: Any, prefix: str) -> Item:
    """Return an actor or target with its name and domain; without a name where it is none of ours."""
    if getattr(row, f"{prefix}_name") is None:
        return {"id": id}
    shown: Item = {"id": id, "name": getattr(row, f"{prefix}_name")}
    if getattr(row, f"{prefix}_domain_name") is not None:
        shown["domain"] = {
            "id": getattr(row, f"{prefix}_domain_id"),
            "name": getattr(row, f"{prefix}_domain_name"),
        }
    return shown


def _view(call: Call, row: Any, role: Item, prior: str | None, *, names: bool) -> Item:
    kind = row.target_type
    actor = _named(row.actor_id, row, row.actor_type) if names else {"id": row.actor_id}
    if kind == assignment.SYSTEM:
        scope: Item = {"system": {"all": True}}
    else:
        scope = {kind: _named(row.target_id, row, "target") if names else {"id": row.target_id}}
    if row.inherited:
        scope["OS-INHERIT:inherited_to"] = "projects"
    return {
        row.actor_type: actor,
        "role": role,
        "scope": scope,
        "links": _links(call, row, role["id"], prior),
    }


def _links(call: Call, row: Any, role_id: str, prior: str | None) -> dict[str, str]:
    """Return where the assignment is that this one comes from, and by what it does."""
    base = f"{call.base_url}/v3"
    place = {"project": "projects", "domain": "domains"}.get(row.from_type or row.target_type)
    path = f"{place}/{row.from_id or row.target_id}" if place else assignment.SYSTEM
    actor = f"groups/{row.group_id}" if row.group_id else f"{row.actor_type}s/{row.actor_id}"
    path = f"{path}/{actor}/roles/{row.role_id}"
    if row.inherited:
        path = f"OS-INHERIT/{path}/inherited_to_projects"
    links = {"assignment": f"{base}/{path}"}
    if row.group_id:
        links["membership"] = f"{base}/groups/{row.group_id}/users/{row.actor_id}"
    if prior is not None:
        links["prior_role"] = f"{base}/prior_role/{prior}/implies/{role_id}"
    return links
