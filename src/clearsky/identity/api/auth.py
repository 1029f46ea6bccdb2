"""Tokens: issue, validate, revoke; and what a token's owner may scope to."""

from __future__ import annotations

import time
from typing import Any

import orjson
from sqlalchemy import Connection, select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.caller import Caller
from clearsky.errors import Invalid, NotFound, Unauthorized
from clearsky.house import House
from clearsky.identity import passwords, service, store
from clearsky.identity import tables as t
from clearsky.identity.api.domains import domain_list
from clearsky.identity.api.projects import project_list
from clearsky.identity.api.render import iso
from clearsky.identity.schema import auth as schema
from clearsky.identity.schema.resources import INDEX
from clearsky.identity.store import assignment, catalog, identity, resource, revocation
from clearsky.identity.tokens import Token, new_audit_id, open_token, seal

routes = Routes()
SYSTEM = {"all": True}


@routes.post("/v3/auth/tokens", rule=PUBLIC, status=201, request=schema.AUTHENTICATE, response=schema.TOKEN)
def issue_token(call: Call) -> Reply:
    """Authenticate by password or token, and scope the new token."""
    auth = call.body["auth"]
    methods = auth["identity"]["methods"]
    started = time.time()
    parent: Token | None = None
    user_ids = set()
    for method in methods:
        if method == "password" and "password" in auth["identity"]:
            user_ids.add(_by_password(call.house, auth["identity"]["password"]["user"]))
        elif method == "token" and "token" in auth["identity"]:
            parent = _by_token(call.house, auth["identity"]["token"]["id"])
            user_ids.add(parent.user_id)
        elif method in ("password", "token"):
            raise Invalid(
                f"auth.identity names the method {method!r} but does not hold auth.identity.{method}"
            )
        else:
            raise Unauthorized(f"Attempted to authenticate with an unsupported method: {method!r:.60}")
    if len(user_ids) != 1:
        raise Unauthorized(service.REFUSED)
    with call.house.db.read() as c:
        token = _scoped(c, call.house, user_ids.pop(), auth, methods, parent, started)
        caller = service.resolve(c, token)
        body = describe(c, caller, with_catalog="nocatalog" not in call.query)
    return Reply({"token": body}, headers={"X-Subject-Token": seal(service.keys(call.house), token)})


def _by_password(house: House, given: dict[str, Any]) -> str:
    with house.db.read() as c:
        user = _find_user(c, given)
    now, settings = time.time(), house.config.identity
    locked = (
        user is not None
        and user.failed_attempts >= settings.lockout_attempts
        and (now - (user.failed_at or 0) < settings.lockout_s)
    )
    # The hash is computed in any case: the time taken does not tell whether the user exists or is locked.
    good = passwords.verify(
        settings, user.password_hash if user is not None else None, given.get("password", "")
    )
    if user is None:
        raise Unauthorized(service.REFUSED)
    if locked or not good:
        with house.db.write() as c:
            failures = (
                1
                if not locked and now - (user.failed_at or 0) > settings.lockout_s
                else t.users.c.failed_attempts + 1
            )
            if not locked:
                c.execute(
                    update(t.users)
                    .where(t.users.c.id == user.id)
                    .values(failed_attempts=failures, failed_at=now)
                )
        raise Unauthorized(service.REFUSED)
    if user.failed_attempts:
        with house.db.write() as c:
            c.execute(update(t.users).where(t.users.c.id == user.id).values(failed_attempts=0))
    if user.password_expires_at is not None and user.password_expires_at < now:
        raise Unauthorized(f"The password is expired and needs to be changed for user: {user.id}.")
    return str(user.id)


def _find_user(c: Connection, given: dict[str, Any]) -> Any:
    if given.get("id"):
        return c.execute(select(t.users).where(t.users.c.id == given["id"])).first()
    domain_id = _domain_id(c, given.get("domain") or {})
    if not given.get("name") or domain_id is None:
        raise Invalid("auth.identity.password.user needs an id, or a name and a domain (id or name)")
    return identity.user_named(c, given["name"], domain_id)


def _domain_id(c: Connection, given: dict[str, Any]) -> str | None:
    if given.get("id"):
        return str(given["id"])
    if not given.get("name"):
        return None
    row = resource.domain_named(c, given["name"])
    return str(row.id) if row is not None else ""


def _by_token(house: House, text: str) -> Token:
    caller = service.validate(house, text)
    token: Token = caller.token
    return token


def _scoped(
    c: Connection,
    house: House,
    user_id: str,
    auth: dict[str, Any],
    methods: list[str],
    parent: Token | None,
    now: float,
) -> Token:
    scope, scope_id = _scope(c, user_id, auth)
    audit_ids = (new_audit_id(), *((parent.audit_ids[-1],) if parent else ()))
    expires_at = parent.expires_at if parent else now + house.config.identity.token_lifetime_s
    used = dict.fromkeys([*methods, *(parent.methods if parent else ())])
    return Token(user_id, scope, scope_id, tuple(used), now, expires_at, audit_ids)


def _scope(c: Connection, user_id: str, auth: dict[str, Any]) -> tuple[str, str]:
    given = auth.get("scope")
    if given == "unscoped" or (isinstance(given, dict) and "unscoped" in given):
        return "", ""
    if given is None:
        user = store.get(c, t.users, user_id, "user")
        wanted = user.default_project_id
        if not wanted or not assignment.roles_on(c, user_id, "project", wanted):
            return "", ""
        return "project", wanted
    if isinstance(given, str) or len(given) != 1:
        raise Invalid(f"auth.scope = {given!r:.80} is not one of project, domain, system, unscoped")
    if "system" in given:
        if not given["system"].get("all"):
            raise Invalid('auth.scope.system must be {"all": true}')
        return "system", assignment.SYSTEM
    if "domain" in given:
        domain_id = _domain_id(c, given["domain"])
        if domain_id is None:
            raise Invalid("auth.scope.domain needs an id or a name")
        return "domain", domain_id
    if "project" not in given:
        raise Invalid(f"auth.scope = {given!r:.80} is not one of project, domain, system, unscoped")
    project = given["project"]
    if project.get("id"):
        return "project", project["id"]
    domain_id = _domain_id(c, project.get("domain") or {})
    if not project.get("name") or domain_id is None:
        raise Invalid("auth.scope.project needs an id, or a name and a domain (id or name)")
    row = resource.project_named(c, project["name"], domain_id)
    if row is None:
        raise Unauthorized(service.REFUSED)
    return "project", row.id


def describe(c: Connection, caller: Caller, *, with_catalog: bool) -> dict[str, Any]:
    """Return the body of a token."""
    token: Token = caller.token
    user_domain = store.get(c, t.projects, caller.user_domain_id, "domain")
    user = store.get(c, t.users, caller.user_id, "user")
    body: dict[str, Any] = {
        "methods": list(token.methods),
        "user": {
            "id": caller.user_id,
            "name": caller.user_name,
            "domain": {"id": user_domain.id, "name": user_domain.name},
            "password_expires_at": iso(user.password_expires_at),
        },
        "audit_ids": list(token.audit_ids),
        "expires_at": iso(token.expires_at),
        "issued_at": iso(token.issued_at),
    }
    if not token.scope:
        return body
    if token.scope == "system":
        body["system"] = SYSTEM
    else:
        row = store.get(c, t.projects, token.scope_id, token.scope)
        if token.scope == "domain":
            body["domain"] = {"id": row.id, "name": row.name}
        else:
            domain = store.get(c, t.projects, row.domain_id, "domain")
            body["project"] = {
                "id": row.id,
                "name": row.name,
                "domain": {"id": domain.id, "name": domain.name},
            }
            body["is_domain"] = False
    held = assignment.roles_on(c, caller.user_id, token.scope, token.scope_id)
    body["roles"] = [{"id": id, "name": name} for id, name in held.items()]
    if with_catalog:
        body["catalog"] = catalog.enabled(c, caller.project_id or "", caller.user_id)
    return body


def _subject_text(call: Call) -> str:
    text = call.headers.get("x-subject-token", "")
    if not text:
        raise Invalid("The header X-Subject-Token must hold the token in question.")
    return text


def _subject(call: Call) -> tuple[str, Caller]:
    text = _subject_text(call)
    try:
        return text, service.validate(call.house, text)
    except Unauthorized as error:
        return text, _expired(call, text, error)


def _expired(call: Call, text: str, error: Unauthorized) -> Caller:
    """Return who is behind a token that is refused only for its age, where the request allows that."""
    if call.query.get("allow_expired", "").lower() not in ("1", "true"):
        raise NotFound("Could not find token: it is void, expired or revoked.") from error
    token = open_token(service.keys(call.house), text)
    with call.house.db.read() as c:
        return service.resolve(c, token)


@routes.get("/v3/auth/tokens", rule="identity:any_token", response=schema.TOKEN)
def validate_token(call: Call) -> Reply:
    """Validate a token and say what it is for."""
    text, with_catalog = _subject_text(call), "nocatalog" not in call.query

    def render(c: Connection, caller: Caller) -> dict[str, Any]:
        return {"token": describe(c, caller, with_catalog=with_catalog)}

    try:
        caller, body = service.validate_and_render(
            call.house, text, "whole" if with_catalog else "nocatalog", render
        )
    except Unauthorized as error:
        caller = _expired(call, text, error)
        with call.house.db.read() as c:
            body = orjson.dumps(render(c, caller))
    call.authorize("identity:validate_token", user_id=caller.user_id)
    return Reply(body, headers={"X-Subject-Token": text})


@routes.delete("/v3/auth/tokens", rule="identity:any_token")
def revoke_token(call: Call) -> Reply:
    """Revoke a token; every process refuses it from the next request on."""
    _, caller = _subject(call)
    call.authorize("identity:revoke_token", user_id=caller.user_id)
    token: Token = caller.token
    with call.house.db.write() as c:
        revocation.revoke(c, token.audit_ids[0], token.expires_at)
        store.bump(c)
    return Reply()


@routes.get("/v3/auth/catalog", rule="identity:any_token", response=schema.CATALOG)
def show_catalog(call: Call) -> Reply:
    """Show the catalog of a scoped token."""
    with call.house.db.read() as c:
        found = catalog.enabled(c, call.caller.project_id or "", call.caller.user_id)
    return Reply({"catalog": found, "links": {"self": f"{call.base_url}/v3/auth/catalog"}})


@routes.get("/v3/auth/projects", rule="identity:any_token", response=INDEX["project"])
def list_own_projects(call: Call) -> Reply:
    """List the projects that the token's owner may scope to."""
    with call.house.db.read() as c:
        ids, _, _ = assignment.scopes_of(c, call.caller.user_id)
    return project_list(call, select(t.projects).where(t.projects.c.id.in_(ids), t.projects.c.enabled))


@routes.get("/v3/auth/domains", rule="identity:any_token", response=INDEX["domain"])
def list_own_domains(call: Call) -> Reply:
    """List the domains that the token's owner may scope to."""
    with call.house.db.read() as c:
        _, ids, _ = assignment.scopes_of(c, call.caller.user_id)
    return domain_list(call, select(t.projects).where(t.projects.c.id.in_(ids), t.projects.c.enabled))


@routes.get("/v3/auth/system", rule="identity:any_token", response=schema.SYSTEM)
def show_own_system(call: Call) -> Reply:
    """Say whether the token's owner may scope to the system."""
    with call.house.db.read() as c:
        _, _, system = assignment.scopes_of(c, call.caller.user_id)
    return Reply({"system": [SYSTEM] if system else [], "links": {"self": f"{call.base_url}/v3/auth/system"}})
