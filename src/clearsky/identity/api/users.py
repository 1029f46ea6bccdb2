"""Users, and their passwords."""

from __future__ import annotations

import operator
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.errors import Invalid, Unauthorized
from clearsky.identity import password_rules, passwords, store
from clearsky.identity import tables as t
from clearsky.identity.api import attributes, guard
from clearsky.identity.api.domain_config import own_list_limit
from clearsky.identity.api.projects import default_domain
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.auth import users
from clearsky.identity.schema.resources import CREATE, INDEX, PASSWORD, SHOW, UPDATE
from clearsky.identity.store import federated, removal, resource
from clearsky.identity.times import iso
from clearsky.identity.tokens import REFUSED

routes = Routes()
_OWN = ("name", "enabled", "description", "email", "default_project_id")
_KNOWN = {*_OWN, "id", "domain_id", "password", "links", "password_expires_at", "options", "federated"}
_FILTERS = ("name", "domain_id", "enabled")
_SORTABLE = ("id", "name")
_OPERATORS = {name: getattr(operator, {"lte": "le", "gte": "ge", "neq": "ne"}.get(name, name))
              for name in ("lt", "lte", "gt", "gte", "eq", "neq")}  # fmt: skip


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


def _with_identities(call: Call, c: Any, row: Any) -> dict[str, Any]:
    identities = federated.of_user(c, row.id)
    return view_user(call, row) | ({"federated": identities} if identities else {})


def user_list(call: Call, query: Select[Any], list_limit: int | None = None) -> Reply:
    """Answer a list of the users that a query finds, narrowed by the request's filters."""
    query = filtered(call, query, t.users, _FILTERS).where(*federated.conditions(call.query))
    for value in call.query.getlist("password_expires_at"):
        query = query.where(_expiring(value))
    return listed(call, "users", query, t.users, view_user, sortable=_SORTABLE, list_limit=list_limit)


def _expiring(value: str) -> Any:
    """Return the condition of `password_expires_at=lt:2026-01-31T12:00:00Z`; without an operator: equal."""
    name, _, text = (
        value.partition(":") if value.split(":", maxsplit=1)[0] in _OPERATORS else ("eq", "", value)
    )
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            f"password_expires_at={value!r:.80}: expected an operator ({', '.join(_OPERATORS)}), a colon and a time "
            "such as 2026-01-31T12:00:00Z"
        ) from error
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return _OPERATORS[name](t.users.c.password_expires_at, seconds)


def _columns(body: dict[str, Any], before: Any = None) -> dict[str, Any]:
    values = {name: body[name] for name in _OWN if name in body}
    if before is None or "options" in body:
        values["options"] = attributes.options(body, before)
    return values | {"extra": attributes.others(body, _KNOWN, before)}


def _refuse_domain_as_default(c: Any, body: dict[str, Any]) -> None:
    wanted = body.get("default_project_id")
    row = store.find(c, t.projects, wanted) if wanted else None
    if row is not None and row.is_domain:
        raise Invalid(f"User's default project ID cannot be a domain ID: {wanted}")


@routes.post(
    "/v3/users", rule="identity:any_token", status=201, request=CREATE["user"], response=SHOW["user"]
)
def create_user(call: Call) -> Reply:
    """Create a user."""
    body, settings = call.body["user"], call.house.config.identity
    domain_id = body.get("domain_id") or default_domain(call)
    call.authorize("identity:create_user", **{"target.user.domain_id": domain_id})
    values: dict[str, Any] = {"id": uuid.uuid4().hex, "domain_id": domain_id} | _columns(body)
    if body.get("password") is not None:
        password_rules.refuse_weak(settings, body["password"])
        values |= password_rules.columns(settings, body["password"], values["options"], by_administrator=True)
    with writing(call) as c:
        resource.domain(c, domain_id)
        _refuse_domain_as_default(c, body)
        row = store.create(c, t.users, values, "user")
        federated.replace(c, row.id, body.get("federated") or [])
        shown = _with_identities(call, c, row)
    return Reply({"user": shown})


@routes.get("/v3/users", rule="identity:any_token", response=INDEX["user"])
def list_users(call: Call) -> Reply:
    """List users: a token of a domain sees those of the domain."""
    call.authorize("identity:list_users", **guard.of_list(call))
    query = select(t.users)
    if call.caller.domain_id:
        query = query.where(t.users.c.domain_id == call.caller.domain_id)
    return user_list(call, query, own_list_limit(call))


@routes.get("/v3/users/{user_id}", rule="identity:any_token", response=SHOW["user"])
def show_user(call: Call) -> Reply:
    """Show a user."""
    with call.house.db.read() as c:
        shown = _with_identities(call, c, guard.user(call, c, "identity:get_user"))
    return Reply({"user": shown})


@routes.patch("/v3/users/{user_id}", rule="identity:any_token", request=UPDATE["user"], response=SHOW["user"])
def update_user(call: Call) -> Reply:
    """Update a user; a new password or disabling voids all earlier tokens."""
    body, settings = call.body["user"], call.house.config.identity
    with call.house.db.read() as c:
        row = guard.user(call, c, "identity:update_user")
        _refuse_domain_as_default(c, body)
    if body.get("domain_id", row.domain_id) != row.domain_id:
        raise Invalid(f"Cannot change Domain ID: user.domain_id is {row.domain_id!r} for user {row.id}.")
    values = _columns(body, row)
    if "password" in body:  # hashing takes long: outside the transaction
        if body["password"] is not None:
            password_rules.refuse_weak(settings, body["password"])
        options = values.get("options", row.options or {})
        values |= password_rules.columns(settings, body["password"], options, by_administrator=True)
    if "password" in body or body.get("enabled") is False:
        values["valid_from"] = time.time()
    if body.get("enabled") and not row.enabled:
        values["last_active_at"] = time.time()
    with writing(call) as c:
        if "password" in body:
            password_rules.remember(c, settings, row)
        row = store.change(c, t.users, row.id, values, "user")
        if "federated" in body:
            federated.replace(c, row.id, body["federated"])
        shown = _with_identities(call, c, row)
        store.bump(c)
    return Reply({"user": shown})


@routes.post("/v3/users/{user_id}/password", rule=PUBLIC, status=204, request=PASSWORD)
def change_password(call: Call) -> Reply:
    """Change one's own password, proving the old one, which may have expired; voids all earlier tokens."""
    body, settings = call.body["user"], call.house.config.identity
    with call.house.db.read() as c:
        row = store.find(c, t.users, call.params["user_id"])
        hashes = password_rules.former(c, settings, row) if row is not None else []
    stored = row.password_hash if row is not None else None
    good = passwords.verify(settings, stored, body["original_password"])
    if row is None or users.is_locked(call.house, row) or not good:
        users.note_failure(call.house, row)
        raise Unauthorized(REFUSED)
    if not users.is_active(call.house, row):
        raise Unauthorized(REFUSED)
    options = row.options or {}
    if options.get("lock_password"):
        raise Invalid("You cannot change your password at this time: an administrator has locked it.")
    password_rules.refuse_weak(settings, body["password"])
    password_rules.refuse_too_soon(settings, row)
    password_rules.refuse_former(settings, hashes, body["password"])
    values = password_rules.columns(settings, body["password"], options, by_administrator=False)
    with writing(call) as c:
        password_rules.remember(c, settings, row)
        store.change(c, t.users, row.id, values | {"valid_from": time.time()}, "user")
        store.bump(c)
    return Reply()


@routes.delete("/v3/users/{user_id}", rule="identity:any_token")
def delete_user(call: Call) -> Reply:
    """Delete a user with everything that is the user's own."""
    with writing(call) as c:
        removal.user(c, guard.user(call, c, "identity:delete_user").id)
        store.bump(c)
    return Reply()
