"""Groups, and who is in them."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid, NotFound
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api import attributes, guard
from clearsky.identity.api.domain_config import own_list_limit
from clearsky.identity.api.projects import default_domain
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.api.users import user_list
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.resources import CREATE, INDEX, SHOW, UPDATE
from clearsky.identity.store import identity, removal, resource
from clearsky.identity.times import iso

routes = Routes()
_KNOWN = {"id", "name", "description", "domain_id", "links"}
_SORTABLE = ("id", "name")


def view_group(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", "name", "description", "domain_id")}
    return (row.extra or {}) | shown | {"links": link(call, "groups", row.id)}


def _columns(body: dict[str, Any], before: Any = None) -> dict[str, Any]:
    values = {"name": body["name"]} if "name" in body else {}
    if "description" in body:
        values["description"] = body["description"] or ""
    return values | {"extra": attributes.others(body, _KNOWN, before)}


@routes.post(
    "/v3/groups", rule="identity:any_token", status=201, request=CREATE["group"], response=SHOW["group"]
)
def create_group(call: Call) -> Reply:
    """Create a group."""
    body = call.body["group"]
    domain_id = body.get("domain_id") or default_domain(call)
    call.authorize("identity:create_group", **{"target.group.domain_id": domain_id})
    with writing(call) as c:
        resource.domain(c, domain_id)
        values = {"id": uuid.uuid4().hex, "domain_id": domain_id} | _columns(body)
        row = store.create(c, t.groups, values, "group")
    return Reply({"group": view_group(call, row)})


@routes.get("/v3/groups", rule="identity:any_token", response=INDEX["group"])
def list_groups(call: Call) -> Reply:
    """List groups: a token of a domain sees those of the domain."""
    call.authorize("identity:list_groups", **guard.of_list(call))
    query = filtered(call, select(t.groups), t.groups, ("name", "domain_id"))
    if call.caller.domain_id:
        query = query.where(t.groups.c.domain_id == call.caller.domain_id)
    limit = own_list_limit(call)
    return listed(call, "groups", query, t.groups, view_group, sortable=_SORTABLE, list_limit=limit)


@routes.get("/v3/groups/{group_id}", rule="identity:any_token", response=SHOW["group"])
def show_group(call: Call) -> Reply:
    """Show a group."""
    with call.house.db.read() as c:
        row = guard.group(call, c, "identity:get_group")
    return Reply({"group": view_group(call, row)})


@routes.patch(
    "/v3/groups/{group_id}", rule="identity:any_token", request=UPDATE["group"], response=SHOW["group"]
)
def update_group(call: Call) -> Reply:
    """Update a group."""
    body = call.body["group"]
    with writing(call) as c:
        row = guard.group(call, c, "identity:update_group")
        if body.get("domain_id", row.domain_id) != row.domain_id:
            raise Invalid(
                f"Cannot change Domain ID: group.domain_id is {row.domain_id!r} for group {row.id}."
            )
        row = store.change(c, t.groups, row.id, _columns(body, row), "group")
    return Reply({"group": view_group(call, row)})


@routes.delete("/v3/groups/{group_id}", rule="identity:any_token")
def delete_group(call: Call) -> Reply:
    """Delete a group with memberships and assignments."""
    with writing(call) as c:
        removal.group(c, guard.group(call, c, "identity:delete_group").id)
        store.bump(c)
    return Reply()


# -- who is in which --------------------------------------------------------------------------------------------


@routes.get("/v3/groups/{group_id}/users", rule="identity:any_token", response=INDEX["user"])
def list_users_in_group(call: Call) -> Reply:
    """List the members of a group."""
    with call.house.db.read() as c:
        row = guard.group(call, c, "identity:list_users_in_group")
    member = identity.memberships().subquery()
    ids = select(member.c.user_id).where(member.c.group_id == row.id)
    return user_list(call, select(t.users).where(t.users.c.id.in_(ids)))


@routes.get("/v3/users/{user_id}/groups", rule="identity:any_token", response=INDEX["group"])
def list_groups_of_user(call: Call) -> Reply:
    """List the groups of a user."""
    with call.house.db.read() as c:
        row = guard.user(call, c, "identity:list_groups_for_user")
    member = identity.memberships().subquery()
    ids = select(member.c.group_id).where(member.c.user_id == row.id)
    query = filtered(call, select(t.groups).where(t.groups.c.id.in_(ids)), t.groups, ("name",))
    with call.house.db.read() as c:
        ends = identity.membership_ends(c, row.id)

    def view(call: Call, group: Any) -> dict[str, Any]:
        return view_group(call, group) | {"membership_expires_at": iso(ends.get(group.id))}

    return listed(call, "groups", query, t.groups, view)


def _pair(call: Call, c: Connection, rule: str) -> tuple[str, str]:
    """Return the ids of group and user; both must exist, and the caller may do `rule` to them."""
    group = store.find(c, t.groups, call.params["group_id"])
    user = store.find(c, t.users, call.params["user_id"])
    target = (guard.of_group(group) if group is not None else {}) | (
        guard.of_user(user) if user is not None else {}
    )
    call.authorize(rule, **target)
    if group is None:
        raise NotFound(f"Could not find group: {call.params['group_id']}.")
    if user is None:
        raise NotFound(f"Could not find user: {call.params['user_id']}.")
    return group.id, user.id


@routes.put("/v3/groups/{group_id}/users/{user_id}", rule="identity:any_token", status=204)
def add_user_to_group(call: Call) -> Reply:
    """Add a user to a group."""
    with writing(call) as c:
        identity.add_member(c, *_pair(call, c, "identity:add_user_to_group"))
        store.bump(c)
    return Reply()


@routes.get("/v3/groups/{group_id}/users/{user_id}", rule="identity:any_token", status=204)
def check_user_in_group(call: Call) -> Reply:
    """Say whether a user is in a group."""
    with call.house.db.read() as c:
        group, user = _pair(call, c, "identity:check_user_in_group")
        if group not in identity.groups_of(c, user):
            raise NotFound(f"User {user} not found in group {group}.")
    return Reply()


@routes.delete("/v3/groups/{group_id}/users/{user_id}", rule="identity:any_token")
def remove_user_from_group(call: Call) -> Reply:
    """Remove a user from a group."""
    with writing(call) as c:
        identity.remove_member(c, *_pair(call, c, "identity:remove_user_from_group"))
        store.bump(c)
    return Reply()
