"""The steps of OAuth 1.0, from a consumer's question to its access token; and the access tokens of a user.

A consumer asks for a request token, a user authorizes it, the consumer exchanges it for an access token, and signs
requests for tokens with that. The two of these that consumers send have no token, but a signature.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import uuid
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.errors import Invalid, NotFound, Unauthorized
from clearsky.identity import audit, oauth1, service, times
from clearsky.identity import tables as t
from clearsky.identity.api.handed_on import refuse_delegated, refuse_restricted, wanted_roles
from clearsky.identity.api.render import enclose
from clearsky.identity.api.roles import view_role
from clearsky.identity.api.writing import writing
from clearsky.identity.schema import oauth1 as schema
from clearsky.identity.schema.resources import INDEX, SHOW
from clearsky.identity.store import assignment, get, resource, revocation
from clearsky.identity.store import oauth1 as store

routes = Routes()
_FORM = "application/x-www-form-urlencoded"
_ALL = "/v3/users/{user_id}/OS-OAUTH1/access_tokens"
_ONE = f"{_ALL}/{{access_token_id}}"


def _given(row: Any, secret: str) -> Reply:
    """Answer with a new token of either kind."""
    told = {"oauth_token": row.id, "oauth_token_secret": secret}
    if row.expires_at is not None:
        told["oauth_expires_at"] = str(times.iso(row.expires_at))
    return Reply(urlencode(told).encode(), content_type=_FORM)


def _end(lifetime_s: int) -> float | None:
    return time.time() + lifetime_s if lifetime_s else None


def _hash(verifier: str) -> str:
    return hashlib.sha256(verifier.encode()).hexdigest()


# -- the three steps --------------------------------------------------------------------------------------------


@routes.post("/v3/OS-OAUTH1/request_token", rule=PUBLIC, status=201)
def create_request_token(call: Call) -> Reply:
    """Give a request token to a consumer that says which project it wants to act in."""
    signed, keys = oauth1.read(call), service.credential_keys(call.house)
    consumer_id = signed.need("consumer_key")
    project_id = call.headers.get("requested-project-id", "")
    if not project_id:
        raise Invalid("Expecting to find Requested-Project-Id in request: a header with a project's id.")
    with call.house.db.read() as c:
        consumer = store.consumer(c, consumer_id)
    oauth1.insist(call.house, signed, store.secret_of(keys, consumer))
    secret = secrets.token_hex(16)
    values = {
        "id": uuid.uuid4().hex,
        "consumer_id": consumer_id,
        "project_id": project_id,
        "expires_at": _end(call.house.config.identity.oauth1_request_token_s),
    }
    with writing(call) as c:
        resource.project(c, project_id)
        store.consumer(c, consumer_id)
        row = store.add_request_token(c, keys, values, secret)
    audit.changed(call, "create", "request token", row.id, consumer_id=consumer_id, project_id=project_id)
    return _given(row, secret)


def _live_request_token(c: Connection, id: str) -> Any:
    row = store.request_token(c, id)
    if row.expires_at is not None and row.expires_at <= time.time():
        raise Unauthorized("Request token is expired.")
    return row


@routes.put(
    "/v3/OS-OAUTH1/authorize/{request_token_id}",
    rule="identity:authorize_request_token",
    request=schema.AUTHORIZE,
    response=schema.AUTHORIZED,
)
def authorize_request_token(call: Call) -> Reply:
    """Let a consumer have some of one's own roles on the project that it asks for."""
    refuse_delegated(call, "authorize a request token")
    user_id, verifier = call.caller.user_id, secrets.token_hex(8)
    with writing(call) as c:
        refuse_restricted(c, call, "OAuth1 tokens")
        row = _live_request_token(c, call.params["request_token_id"])
        wanted = wanted_roles(c, call.body["roles"])
        held = assignment.roles_on(c, user_id, "project", row.project_id)
        if not held.keys() >= set(wanted):
            raise Unauthorized("Authorizing user does not have role required.")
        store.authorize(c, row.id, user_id, wanted, _hash(verifier))
    audit.changed(call, "authorize", "request token", row.id, consumer_id=row.consumer_id)
    return Reply({"token": {"oauth_verifier": verifier}})


@routes.post("/v3/OS-OAUTH1/access_token", rule=PUBLIC, status=201)
def create_access_token(call: Call) -> Reply:
    """Exchange an authorized request token for an access token; once."""
    signed, keys = oauth1.read(call), service.credential_keys(call.house)
    consumer_id, asked_id, verifier = (signed.need(name) for name in ("consumer_key", "token", "verifier"))
    with call.house.db.read() as c:
        asked = _live_request_token(c, asked_id)
        consumer = store.consumer(c, asked.consumer_id)
    if consumer.id != consumer_id:
        raise Unauthorized("Invalid client or request token.")
    oauth1.insist(call.house, signed, store.secret_of(keys, consumer), store.secret_of(keys, asked))
    secret = secrets.token_hex(16)
    with writing(call) as c:
        asked = _live_request_token(c, asked_id)
        if asked.authorizing_user_id is None:
            raise Unauthorized("Request token does not have an authorizing user id.")
        if not hmac.compare_digest(_hash(verifier), asked.verifier_hash):
            raise Unauthorized("Verifier does not match the request token's.")
        end = _end(call.house.config.identity.oauth1_access_token_s)
        row = store.exchange(c, keys, asked, uuid.uuid4().hex, secret, end)
    audit.changed(
        call, "create", "access token", row.id, consumer_id=consumer_id, user_id=row.authorizing_user_id
    )
    return _given(row, secret)


# -- a user's access tokens -------------------------------------------------------------------------------------


def _view(call: Call, row: Any) -> dict[str, Any]:
    here = f"{call.base_url}{_ALL.format(user_id=row.authorizing_user_id)}/{row.id}"
    return {
        "id": row.id,
        "consumer_id": row.consumer_id,
        "project_id": row.project_id,
        "authorizing_user_id": row.authorizing_user_id,
        "expires_at": times.iso(row.expires_at),
        "links": {"self": here, "roles": f"{here}/roles"},
    }


def _found(call: Call, c: Connection) -> Any:
    return store.access_token(c, call.params["access_token_id"], call.params["user_id"])


@routes.get(_ALL, rule="identity:list_access_tokens", response=schema.ACCESS_TOKENS)
def list_access_tokens(call: Call) -> Reply:
    """List what a user has let consumers do."""
    refuse_delegated(call, "list access tokens")
    with call.house.db.read() as c:
        rows = c.execute(store.access_tokens_of(call.params["user_id"])).all()
    return enclose(call, "access_tokens", [_view(call, row) for row in rows])


@routes.get(_ONE, rule="identity:get_access_token", response=schema.ACCESS_TOKEN)
def show_access_token(call: Call) -> Reply:
    """Show an access token, without its secret."""
    with call.house.db.read() as c:
        return Reply({"access_token": _view(call, _found(call, c))})


@routes.delete(_ONE, rule="identity:delete_access_token")
def delete_access_token(call: Call) -> Reply:
    """Take back what a consumer was allowed; tokens that it got are void at once."""
    with writing(call) as c:
        row = _found(call, c)
        store.remove_access_token(c, row.id)
        revocation.tell(c, service.remember_s(call.house), **{"OS-OAUTH1:access_token_id": row.id})
    audit.changed(call, "delete", "access token", row.id, user_id=row.authorizing_user_id)
    return Reply()


@routes.get(f"{_ONE}/roles", rule="identity:list_access_token_roles", response=INDEX["role"])
def list_roles_of_access_token(call: Call) -> Reply:
    """List the roles that a consumer was given."""
    with call.house.db.read() as c:
        ids = _found(call, c).role_ids
        rows = c.execute(select(t.roles).where(t.roles.c.id.in_(ids)).order_by(t.roles.c.id)).all()
    return enclose(call, "roles", [view_role(call, row) for row in rows])


@routes.get(f"{_ONE}/roles/{{role_id}}", rule="identity:get_access_token_role", response=SHOW["role"])
def show_role_of_access_token(call: Call) -> Reply:
    """Show one of the roles that a consumer was given."""
    role_id = call.params["role_id"]
    with call.house.db.read() as c:
        if role_id not in _found(call, c).role_ids:
            raise NotFound(f"Could not find role: {role_id}.")
        row = get(c, t.roles, role_id, "role")
    return Reply({"role": view_role(call, row)})
