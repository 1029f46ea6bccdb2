"""Tokens: issue, validate, revoke; and what a token's owner may scope to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.caller import Caller
from clearsky.errors import ClearskyError, Forbidden, Gone, Invalid, NotFound, Unauthorized
from clearsky.identity import audit, oauth1, service, store, times
from clearsky.identity import tables as t
from clearsky.identity.api.domains import domain_list
from clearsky.identity.api.projects import project_list
from clearsky.identity.auth import issue
from clearsky.identity.auth.receipt import HEADER, InsufficientMethods
from clearsky.identity.schema import auth as schema
from clearsky.identity.schema.resources import INDEX
from clearsky.identity.standing import Standing
from clearsky.identity.store import assignment, catalog, revocation
from clearsky.identity.token_body import SYSTEM, describe
from clearsky.identity.tokens import Token, seal

routes = Routes()
ACCESS_RULES_HEADER = "openstack-identity-access-rules"


@routes.post("/v3/auth/tokens", rule=PUBLIC, status=201, request=schema.AUTHENTICATE, response=schema.TOKEN)
def issue_token(call: Call) -> Reply:
    """Authenticate by one or several methods, and scope the new token."""
    auth = call.body["auth"]
    try:
        with refusing(call, _claimed(auth["identity"]), list(auth["identity"]["methods"])):
            signed = oauth1.read(call) if "oauth1" in auth["identity"]["methods"] else None
            standing = issue.issue(call.house, auth, call.headers.get(HEADER, ""), signed)
    except InsufficientMethods as error:
        audit.authenticated(call, error.receipt.user_id, error.receipt.methods, sufficient=False)
        return Reply(error.body, status=401, headers={HEADER: error.text})
    return issued(call, standing)


@contextmanager
def refusing(call: Call, claimed: dict[str, Any], methods: list[str]) -> Iterator[None]:
    """Tell the audit log when an attempt to authenticate fails in here."""
    try:
        yield
    except InsufficientMethods:
        raise
    except ClearskyError as error:
        audit.refused(call, error, claimed, methods)
        raise


def issued(call: Call, standing: Standing) -> Reply:
    """Answer with a new token."""
    audit.authenticated(
        call, standing.token.user_id, standing.token.methods, audit_id=standing.token.audit_ids[0]
    )
    with call.house.db.read() as c:
        body = describe(c, standing, with_catalog="nocatalog" not in call.query)
    text = seal(service.keys(call.house), standing.token)
    return Reply({"token": body}, headers={"X-Subject-Token": text, "Vary": "X-Auth-Token"})


def _claimed(identity: dict[str, Any]) -> dict[str, Any]:
    """Return who the caller claimed to be: ids and names, nothing secret."""
    for method in identity["methods"]:
        given = identity.get(method)
        if not isinstance(given, dict):
            continue
        if method == "application_credential":
            return {name: given[name] for name in ("id", "name") if name in given}
        if isinstance(user := given.get("user"), dict):
            return {name: user[name] for name in ("id", "name", "domain") if name in user}
    return {}


def _subject_text(call: Call) -> str:
    text = call.headers.get("x-subject-token", "")
    if not text:
        raise Invalid("The header X-Subject-Token must hold the token in question.")
    return text


def _not_found(error: Unauthorized | None = None) -> NotFound:
    found = NotFound("Could not find token: it is void, expired or revoked.")
    found.__cause__ = error
    return found


def _wants_expired(call: Call) -> bool:
    return call.query.get("allow_expired", "").lower() in ("1", "t", "true", "on", "y", "yes")


def _insist_on_access_rules(call: Call, subject: Caller) -> None:
    """Refuse to show a token with access rules to a service that does not know these, and so would not keep them."""
    if not subject.access_rules:
        return
    try:
        understood = float(call.headers.get(ACCESS_RULES_HEADER, "0") or 0) >= 1.0
    except ValueError:
        understood = False
    if not understood:
        raise _not_found()


@routes.get("/v3/auth/tokens", rule="identity:any_token", response=schema.TOKEN, unruled=True)
def validate_token(call: Call) -> Reply:
    """Validate a token and say what it is for."""
    text, with_catalog = _subject_text(call), "nocatalog" not in call.query

    def render(c: Connection, standing: Standing) -> dict[str, Any]:
        return {"token": describe(c, standing, with_catalog=with_catalog)}

    try:
        caller, body = service.validate_and_render(
            call.house, text, "whole" if with_catalog else "nocatalog", render
        )
    except Unauthorized as error:
        if not _wants_expired(call):
            raise _not_found(error) from error
        caller, body = _expired(call, text, render)
    rule = "identity:check_token" if call.method == "HEAD" else "identity:validate_token"
    call.authorize(rule, user_id=caller.user_id)
    _insist_on_access_rules(call, caller)
    return Reply(body, headers={"X-Subject-Token": text, "Vary": "X-Auth-Token"})


def _expired(call: Call, text: str, render: Any) -> tuple[Caller, bytes]:
    """Return who is behind a token that is refused only for its age, as long as that is remembered."""
    since = time.time() - call.house.config.identity.allow_expired_s
    try:
        standing = service.standing_of(call.house, text, since=since)
    except Unauthorized as error:
        raise _not_found(error) from error
    with call.house.db.read() as c:
        return standing.caller(), orjson.dumps(render(c, standing))


@routes.delete("/v3/auth/tokens", rule="identity:any_token")
def revoke_token(call: Call) -> Reply:
    """Revoke a token; every process refuses it from the next request on."""
    text = _subject_text(call)
    try:
        standing = service.standing_of(call.house, text)
    except Unauthorized as error:
        raise _not_found(error) from error
    call.authorize("identity:revoke_token", user_id=standing.user.id)
    token: Token = standing.token
    with call.house.db.write() as c:
        revocation.revoke(c, token.audit_ids[0], token.expires_at)
        revocation.tell(c, service.remember_s(call.house), audit_id=token.audit_ids[0])
        store.bump(c)
    audit.changed(call, "delete", "token", token.audit_ids[0], user_id=standing.user.id)
    return Reply()


@routes.get("/v3/auth/tokens/OS-PKI/revoked", rule=PUBLIC)
def show_revocation_list(_call: Call) -> Reply:
    """Refuse the signed list of revoked tokens, as upstream does: Fernet tokens are asked about one by one."""
    raise Forbidden(
        "You are not authorized to perform the requested action: there is no list of revoked tokens."
    )


def _show_certificate(_call: Call) -> Reply:
    """Say that there are no certificates of PKI tokens any more."""
    raise Gone("This API is no longer available due to the removal of support for PKI tokens.")


for _path in ("/v3/OS-SIMPLE-CERT/ca", "/v3/OS-SIMPLE-CERT/certificates"):
    routes.get(_path, rule=PUBLIC)(_show_certificate)


@routes.get("/v3/OS-REVOKE/events", rule="identity:list_revoke_events", response=schema.EVENTS)
def list_revocation_events(call: Call) -> Reply:
    """List which tokens became void, by their attributes, since a time or as far as is remembered."""
    asked = call.query.get("since")
    since = times.parse(asked, "since") if asked is not None else None
    with call.house.db.read() as c:
        rows = revocation.events(c, since)
    found = [{"issued_before": times.iso(row.issued_before)} | row.subject for row in rows]
    links = {"next": None, "self": f"{call.base_url}/v3/OS-REVOKE/events", "previous": None}
    return Reply({"events": found, "links": links}, headers={"Vary": "X-Auth-Token"})


@routes.delete("/v3/users/{user_id}/tokens", rule="identity:any_token")
def revoke_tokens_of_user(call: Call) -> Reply:
    """Revoke every token of a user."""
    user_id = call.params["user_id"]
    call.authorize("identity:revoke_user_tokens", user_id=user_id)
    with call.house.db.write() as c:
        store.change(c, t.users, user_id, {"valid_from": time.time()}, "user")
        revocation.tell(c, service.remember_s(call.house), user_id=user_id)
        store.bump(c)
    audit.changed(call, "delete", "token", "all", user_id=user_id)
    return Reply()


# -- what one may scope to --------------------------------------------------------------------------------------


def _scopes(call: Call, c: Connection) -> tuple[set[str], set[str], bool]:
    """Return the projects and domains, and whether the system, that the token's owner may scope to."""
    token: Token = call.caller.token
    groups = token.federation.group_ids if token.federation is not None else ()
    return assignment.scopes_of(c, call.caller.user_id, groups)


@routes.get("/v3/auth/catalog", rule="identity:get_auth_catalog", response=schema.CATALOG)
def show_catalog(call: Call) -> Reply:
    """Show the catalog of a scoped token."""
    if not call.caller.project_id:
        raise Forbidden("A project-scoped token is required to produce a service catalog.")
    with call.house.db.read() as c:
        found = catalog.enabled(c, call.caller.project_id or "", call.caller.user_id)
    return Reply({"catalog": found, "links": {"self": f"{call.base_url}/v3/auth/catalog"}})


def list_own_projects(call: Call) -> Reply:
    """List the projects that the token's owner may scope to."""
    with call.house.db.read() as c:
        ids, _, _ = _scopes(call, c)
    return project_list(call, select(t.projects).where(t.projects.c.id.in_(ids), t.projects.c.enabled))


def list_own_domains(call: Call) -> Reply:
    """List the domains that the token's owner may scope to."""
    with call.house.db.read() as c:
        _, ids, _ = _scopes(call, c)
    return domain_list(call, select(t.projects).where(t.projects.c.id.in_(ids), t.projects.c.enabled))


for _root in ("/v3/auth", "/v3/OS-FEDERATION"):
    routes.get(f"{_root}/projects", rule="identity:get_auth_projects", response=INDEX["project"])(
        list_own_projects
    )
    routes.get(f"{_root}/domains", rule="identity:get_auth_domains", response=INDEX["domain"])(
        list_own_domains
    )


@routes.get("/v3/auth/system", rule="identity:get_auth_system", response=schema.SYSTEM)
def show_own_system(call: Call) -> Reply:
    """Say whether the token's owner may scope to the system."""
    with call.house.db.read() as c:
        _, _, system = _scopes(call, c)
    return Reply({"system": [SYSTEM] if system else [], "links": {"self": f"{call.base_url}/v3/auth/system"}})
