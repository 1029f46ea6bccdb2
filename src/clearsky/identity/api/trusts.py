"""Trusts: a user lets another one act with some of the user's roles on a project."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, Invalid, NotFound
from clearsky.identity import audit, service, store, times
from clearsky.identity import tables as t
from clearsky.identity.api.handed_on import refuse_restricted, wanted_roles
from clearsky.identity.api.render import enclose, link
from clearsky.identity.api.writing import writing
from clearsky.identity.redelegation import Wanted, check_chain, depth
from clearsky.identity.schema import delegation as schema
from clearsky.identity.store import assignment, delegation, revocation
from clearsky.identity.tokens import Token

routes = Routes()
_ALL = "/v3/OS-TRUST/trusts"
_ONE = f"{_ALL}/{{trust_id}}"
_KNOWN = {
    "id", "trustor_user_id", "trustee_user_id", "project_id", "impersonation", "expires_at", "remaining_uses",
    "redelegated_trust_id", "redelegation_count", "allow_redelegation", "roles", "roles_links", "links", "deleted_at",
}  # fmt: skip


def _view(call: Call, row: Any) -> dict[str, Any]:
    shown = {
        "id": row.id,
        "trustor_user_id": row.trustor_user_id,
        "trustee_user_id": row.trustee_user_id,
        "project_id": row.project_id,
        "impersonation": row.impersonation,
        "expires_at": times.iso(row.expires_at),
        "deleted_at": None,
        "remaining_uses": row.remaining_uses,
        "redelegated_trust_id": row.redelegated_trust_id,
        "redelegation_count": row.redelegation_count,
        "links": link(call, "OS-TRUST/trusts", row.id),
    }
    return (row.extra or {}) | shown


def _role(call: Call, row: Any) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "links": link(call, "roles", row.id)}


def _roles_of(c: Connection, row: Any) -> list[Any]:
    return list(c.execute(select(t.roles).where(t.roles.c.id.in_(row.role_ids)).order_by(t.roles.c.name)))


def _whole(call: Call, c: Connection, row: Any) -> dict[str, Any]:
    here = {"self": f"{call.base_url}{_ALL}/{row.id}/roles", "next": None, "previous": None}
    roles = [_role(call, role) for role in _roles_of(c, row)]
    return _view(call, row) | {"roles": roles, "roles_links": here}


@routes.post(_ALL, rule="identity:any_token", status=201, request=schema.CREATE_TRUST, response=schema.TRUST)
def create_trust(call: Call) -> Reply:
    """Create a trust; with the token of a trust that may be handed on, hand it on."""
    body = call.body["trust"]
    call.authorize("identity:create_trust", trustor_user_id=body["trustor_user_id"])
    if call.caller.user_id != body["trustor_user_id"]:
        raise Forbidden(_refusal("The authenticated user should match the trustor"))
    if body.get("project_id") and not body.get("roles"):
        raise Forbidden(_refusal("At least one role should be specified"))
    token: Token = call.caller.token
    if token.access_token_id:
        raise Forbidden(_refusal("Using an OAuth-scoped token to create a trust"))
    now = time.time()
    expires_at = times.parse_future(body.get("expires_at"), "trust.expires_at", now)
    with writing(call) as c:
        refuse_restricted(c, call, "trusts")
        store.get(c, t.users, body["trustee_user_id"], "user")
        source = _source(c, token, body, now)
        chain = delegation.trust_chain(c, source) if source is not None else []
        owner = chain[-1].trustor_user_id if chain else call.caller.user_id
        wanted = Wanted(
            role_ids=_wanted_roles(c, owner, body),
            impersonation=body["impersonation"],
            expires_at=expires_at,
            remaining_uses=body.get("remaining_uses"),
            allow_redelegation=bool(body.get("allow_redelegation")),
            redelegation_count=body.get("redelegation_count"),
        )
        if chain:
            wanted = check_chain(wanted, chain, call.house.config.identity.max_redelegation_count)
        values = _values(call, body, wanted, source)
        row = store.create(c, t.trusts, values, "trust")
        shown = _whole(call, c, row)
    audit.changed(call, "create", "trust", row.id, trustee_user_id=row.trustee_user_id)
    return Reply({"trust": shown})


def _refusal(why: str) -> str:
    return f"You are not authorized to perform the requested action: {why}."


def _source(c: Connection, token: Token, body: dict[str, Any], now: float) -> Any:
    """Return the trust that is handed on: the token's; raises Forbidden where another one is named."""
    named = body.get("redelegated_trust_id")
    if named and named != token.trust_id:
        raise Forbidden(
            _refusal(f"redelegated_trust_id = {named!r}: use a token of that trust to hand it on")
        )
    if not token.trust_id:
        return None
    source = delegation.trust(c, token.trust_id, now)
    if source.project_id != body.get("project_id"):
        raise Forbidden(_refusal("A trust is handed on for the same project"))
    return source


def _wanted_roles(c: Connection, owner_id: str, body: dict[str, Any]) -> tuple[str, ...]:
    """Return the roles to hand on; raises NotFound for one that the (first) trustor does not have there."""
    project_id = body.get("project_id")
    if not project_id:
        if body.get("roles"):
            raise Invalid("trust.roles need a trust.project_id: roles are handed on for a project")
        return ()
    wanted = wanted_roles(c, body["roles"])
    held = assignment.roles_on(c, owner_id, "project", project_id)
    for role_id in wanted:
        if role_id not in held:
            raise NotFound(f"Could not find role: {role_id}: the trustor does not have it on this project.")
    return tuple(wanted)


def _values(call: Call, body: dict[str, Any], wanted: Wanted, source: Any) -> dict[str, Any]:
    most = call.house.config.identity.max_redelegation_count
    return {
        "id": uuid.uuid4().hex,
        "trustor_user_id": body["trustor_user_id"],
        "trustee_user_id": body["trustee_user_id"],
        "project_id": body.get("project_id") or None,
        "impersonation": wanted.impersonation,
        "expires_at": wanted.expires_at,
        "remaining_uses": wanted.remaining_uses,
        "redelegated_trust_id": source.id if source is not None else None,
        "redelegation_count": depth(wanted, source, most),
        "role_ids": list(wanted.role_ids),
        "extra": {name: value for name, value in body.items() if name not in _KNOWN},
    }


@routes.get(_ALL, rule="identity:any_token", response=schema.TRUSTS)
def list_trusts(call: Call) -> Reply:
    """List trusts: all, those that a user has given, or those that a user was given."""
    trustor, trustee = call.query.get("trustor_user_id"), call.query.get("trustee_user_id")
    query = select(t.trusts).order_by(t.trusts.c.id)
    if trustor:
        call.authorize("identity:list_trusts_for_trustor", trustor_user_id=trustor)
        query = query.where(t.trusts.c.trustor_user_id == trustor)
    if trustee:
        call.authorize("identity:list_trusts_for_trustee", trustee_user_id=trustee)
        query = query.where(t.trusts.c.trustee_user_id == trustee)
    if not trustor and not trustee:
        call.authorize("identity:list_trusts")
    with call.house.db.read() as c:
        rows = c.execute(query).all()
    return enclose(call, "trusts", [_view(call, row) for row in rows])


def _found(c: Connection, call: Call, rule: str) -> Any:
    row = delegation.trust(c, call.params["trust_id"], time.time())
    call.authorize(rule, trustor_user_id=row.trustor_user_id, trustee_user_id=row.trustee_user_id)
    return row


@routes.get(_ONE, rule="identity:any_token", response=schema.TRUST)
def show_trust(call: Call) -> Reply:
    """Show a trust to its two users."""
    with call.house.db.read() as c:
        shown = _whole(call, c, _found(c, call, "identity:get_trust"))
    return Reply({"trust": shown})


@routes.delete(_ONE, rule="identity:any_token")
def delete_trust(call: Call) -> Reply:
    """Delete a trust and all that were handed on from it; their tokens are void at once."""
    with writing(call) as c:
        row = store.get(c, t.trusts, call.params["trust_id"], "trust")
        call.authorize(
            "identity:delete_trust", trustor_user_id=row.trustor_user_id, trustee_user_id=row.trustee_user_id
        )
        refuse_restricted(c, call, "trusts")
        for id in delegation.remove_trusts(c, t.trusts.c.id == row.id):
            revocation.tell(c, service.remember_s(call.house), **{"OS-TRUST:trust_id": id})
    audit.changed(call, "delete", "trust", row.id)
    return Reply()


@routes.get(f"{_ONE}/roles", rule="identity:any_token", response=schema.TRUST_ROLES)
def list_roles_of_trust(call: Call) -> Reply:
    """List the roles that a trust hands on."""
    with call.house.db.read() as c:
        roles = _roles_of(c, _found(c, call, "identity:list_roles_for_trust"))
    return enclose(call, "roles", [_role(call, role) for role in roles])


@routes.get(f"{_ONE}/roles/{{role_id}}", rule="identity:any_token", response=schema.TRUST_ROLE)
def show_role_of_trust(call: Call) -> Reply:
    """Show one of the roles that a trust hands on."""
    with call.house.db.read() as c:
        row = _found(c, call, "identity:get_role_for_trust")
        if call.params["role_id"] not in row.role_ids:
            raise NotFound(f"Could not find role: {call.params['role_id']}.")
        role = store.get(c, t.roles, call.params["role_id"], "role")
    return Reply({"role": _role(call, role)})
