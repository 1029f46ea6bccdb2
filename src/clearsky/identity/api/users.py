"""Users and groups."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid, NotFound, Unauthorized
from clearsky.identity import passwords, store
from clearsky.identity import tables as t
from clearsky.identity.api.render import filtered, iso, link, listed
from clearsky.identity.schema.resources import CREATE, INDEX, PASSWORD, SHOW, UPDATE
from clearsky.identity.store import identity, removal, resource

routes = Routes()
_OWN = ("name", "enabled", "description", "email", "default_project_id", "options")
_KNOWN = {*_OWN, "id", "domain_id", "password", "links", "password_expires_at"}


def view_user(call: Call, row: Any) -> dict[str, Any]:
    shown = {
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "enabled": row.enabled,
        "options": row.options,
        "password_expires_at": iso(row.password_expires_at),
        "links": link(call, "users", row.id),
    }
    optional = {name: getattr(row, name) for name in ("description", "email", "default_project_id")}
    return (row.extra or {}) | {k: v for k, v in optional.items() if v is not None} | shown


def _values(call: Call, body: dict[str, Any], before: Any = None) -> dict[str, Any]:
    values = {name: body[name] for name in _OWN if name in body}
    if body.get("password") is not None:
        values["password_hash"] = passwords.hash_password(call.house.config.identity, body["password"])
        values |= {"password_expires_at": None, "failed_attempts": 0}
    extra = {name: value for name, value in body.items() if name not in _KNOWN}
    return values | {"extra": ((before.extra or {}) if before is not None else {}) | extra}


@routes.post(
    "/v3/users", rule="identity:create_user", status=201, request=CREATE["user"], response=SHOW["user"]
)
def create_user(call: Call) -> Reply:
    """Create a user."""
    body = call.body["user"]
    values = {"id": uuid.uuid4().hex, "options": {}} | _values(call, body)
    domain_id = body.get("domain_id") or call.caller.domain_id or call.caller.project_domain_id or "default"
    with call.house.db.write() as c:
        values["domain_id"] = resource.domain(c, domain_id).id
        row = store.create(c, t.users, values, "user")
    return Reply({"user": view_user(call, row)})


@routes.get("/v3/users", rule="identity:list_users", response=INDEX["user"])
def list_users(call: Call) -> Reply:
    """List users."""
    query = filtered(call, select(t.users), t.users, ("name", "domain_id", "enabled"))
    return listed(call, "users", query, t.users, view_user)


@routes.get("/v3/users/{user_id}", rule="identity:any_token", response=SHOW["user"])
def show_user(call: Call) -> Reply:
    """Show a user."""
    call.authorize("identity:get_user", user_id=call.params["user_id"])
    with call.house.db.read() as c:
        row = store.get(c, t.users, call.params["user_id"], "user")
    return Reply({"user": view_user(call, row)})


@routes.patch(
    "/v3/users/{user_id}", rule="identity:update_user", request=UPDATE["user"], response=SHOW["user"]
)
def update_user(call: Call) -> Reply:
    """Update a user; a new password or disabling voids all earlier tokens."""
    body = call.body["user"]
    with call.house.db.read() as c:
        row = store.get(c, t.users, call.params["user_id"], "user")
    if body.get("domain_id", row.domain_id) != row.domain_id:
        raise Invalid(f"user.domain_id cannot be changed (it is {row.domain_id!r})")
    values = _values(call, body, row)  # hashing takes long: outside the transaction
    if "password_hash" in values or body.get("enabled") is False:
        values["valid_from"] = time.time()
    with call.house.db.write() as c:
        row = store.change(c, t.users, row.id, values, "user")
        store.bump(c)
    return Reply({"user": view_user(call, row)})


@routes.post("/v3/users/{user_id}/password", rule="identity:any_token", status=204, request=PASSWORD)
def change_password(call: Call) -> Reply:
    """Change one's own password, proving the old one; voids all earlier tokens."""
    call.authorize("identity:change_password", user_id=call.params["user_id"])
    body, settings = call.body["user"], call.house.config.identity
    with call.house.db.read() as c:
        row = store.get(c, t.users, call.params["user_id"], "user")
    if not passwords.verify(settings, row.password_hash, body["original_password"]):
        raise Unauthorized(
            "The request you have made requires authentication: the original password is wrong."
        )
    values = {"password_hash": passwords.hash_password(settings, body["password"]), "valid_from": time.time()}
    with call.house.db.write() as c:
        store.change(c, t.users, row.id, values, "user")
        store.bump(c)
    return Reply()


@routes.delete("/v3/users/{user_id}", rule="identity:delete_user")
def delete_user(call: Call) -> Reply:
    """Delete a user with memberships and assignments."""
    with call.house.db.write() as c:
        removal.user(c, call.params["user_id"])
        store.bump(c)
    return Reply()


# -- groups -----------------------------------------------------------------------------------------------------


def view_group(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", "name", "description", "domain_id")}
    return shown | {"links": link(call, "groups", row.id)}


def _group_values(body: dict[str, Any]) -> dict[str, Any]:
    values = {name: body[name] for name in ("name", "description") if name in body}
    return values | ({"description": body["description"] or ""} if "description" in body else {})


@routes.post(
    "/v3/groups", rule="identity:create_group", status=201, request=CREATE["group"], response=SHOW["group"]
)
def create_group(call: Call) -> Reply:
    """Create a group."""
    body = call.body["group"]
    domain_id = body.get("domain_id") or call.caller.domain_id or call.caller.project_domain_id or "default"
    with call.house.db.write() as c:
        domain_id = resource.domain(c, domain_id).id
        values = {"id": uuid.uuid4().hex, "domain_id": domain_id} | _group_values(body)
        row = store.create(c, t.groups, values, "group")
    return Reply({"group": view_group(call, row)})


@routes.get("/v3/groups", rule="identity:list_groups", response=INDEX["group"])
def list_groups(call: Call) -> Reply:
    """List groups."""
    query = filtered(call, select(t.groups), t.groups, ("name", "domain_id"))
    return listed(call, "groups", query, t.groups, view_group)


@routes.get("/v3/groups/{group_id}", rule="identity:get_group", response=SHOW["group"])
def show_group(call: Call) -> Reply:
    """Show a group."""
    with call.house.db.read() as c:
        row = store.get(c, t.groups, call.params["group_id"], "group")
    return Reply({"group": view_group(call, row)})


@routes.patch(
    "/v3/groups/{group_id}", rule="identity:update_group", request=UPDATE["group"], response=SHOW["group"]
)
def update_group(call: Call) -> Reply:
    """Update a group."""
    with call.house.db.write() as c:
        row = store.change(c, t.groups, call.params["group_id"], _group_values(call.body["group"]), "group")
    return Reply({"group": view_group(call, row)})


@routes.delete("/v3/groups/{group_id}", rule="identity:delete_group")
def delete_group(call: Call) -> Reply:
    """Delete a group with memberships and assignments."""
    with call.house.db.write() as c:
        removal.group(c, call.params["group_id"])
        store.bump(c)
    return Reply()


@routes.get("/v3/groups/{group_id}/users", rule="identity:list_users_in_group", response=INDEX["user"])
def list_users_in_group(call: Call) -> Reply:
    """List the members of a group."""
    with call.house.db.read() as c:
        store.get(c, t.groups, call.params["group_id"], "group")
    member = select(t.memberships.c.user_id).where(t.memberships.c.group_id == call.params["group_id"])
    query = filtered(call, select(t.users).where(t.users.c.id.in_(member)), t.users, ("name", "enabled"))
    return listed(call, "users", query, t.users, view_user)


@routes.get("/v3/users/{user_id}/groups", rule="identity:any_token", response=INDEX["group"])
def list_groups_of_user(call: Call) -> Reply:
    """List the groups of a user."""
    call.authorize("identity:list_groups_for_user", user_id=call.params["user_id"])
    with call.house.db.read() as c:
        store.get(c, t.users, call.params["user_id"], "user")
    member = select(t.memberships.c.group_id).where(t.memberships.c.user_id == call.params["user_id"])
    return listed(call, "groups", select(t.groups).where(t.groups.c.id.in_(member)), t.groups, view_group)


@routes.put("/v3/groups/{group_id}/users/{user_id}", rule="identity:manage_group_members", status=204)
def add_user_to_group(call: Call) -> Reply:
    """Add a user to a group."""
    with call.house.db.write() as c:
        store.get(c, t.groups, call.params["group_id"], "group")
        store.get(c, t.users, call.params["user_id"], "user")
        identity.add_member(c, call.params["group_id"], call.params["user_id"])
        store.bump(c)
    return Reply()


@routes.get("/v3/groups/{group_id}/users/{user_id}", rule="identity:list_users_in_group", status=204)
def check_user_in_group(call: Call) -> Reply:
    """Say whether a user is in a group."""
    with call.house.db.read() as c:
        if not identity.is_member(c, call.params["group_id"], call.params["user_id"]):
            raise NotFound(f"User {call.params['user_id']} is not in group {call.params['group_id']}.")
    return Reply()


@routes.delete("/v3/groups/{group_id}/users/{user_id}", rule="identity:manage_group_members")
def remove_user_from_group(call: Call) -> Reply:
    """Remove a user from a group."""
    with call.house.db.write() as c:
        identity.remove_member(c, call.params["group_id"], call.params["user_id"])
        store.bump(c)
    return Reply()
