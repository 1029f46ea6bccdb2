"""What a token is to be for: a project, a domain, the system, a trust, or nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from clearsky.errors import Forbidden, Invalid, NotFound, Unauthorized
from clearsky.identity import tables as t
from clearsky.identity.auth import users
from clearsky.identity.auth.interface import Proof
from clearsky.identity.store import AnyRow, assignment, delegation, get, resource
from clearsky.identity.tokens import REFUSED

KINDS = ("project", "domain", "system", "OS-TRUST:trust", "unscoped")


@dataclass(frozen=True, slots=True)
class Scope:
    kind: str = ""
    """project, domain, system, or empty: unscoped."""
    id: str = ""
    trust: AnyRow | None = None


def find(c: Connection, proof: Proof, auth: dict[str, Any]) -> Scope:
    """Return what `auth.scope` asks for; raises Unauthorized where it does not exist, without saying which part."""
    given = auth.get("scope")
    if proof.application_credential_id:
        if given is not None:
            raise Unauthorized(
                "Error authenticating with application credential: Application credentials cannot request a scope."
            )
        return Scope("project", proof.project_id)
    if proof.access_token_id:  # whatever the client asks for: OAuth1's own flow has no other place for it
        return Scope("project", proof.project_id)
    if given is None:
        return _default(c, proof)
    if given == "unscoped":
        return Scope()
    if not isinstance(given, dict) or sum(kind in given for kind in KINDS) != 1:
        raise Invalid(f"auth.scope = {given!r:.80} must hold exactly one of {', '.join(KINDS)}")
    kind = next(kind for kind in KINDS if kind in given)
    scope = _FINDERS[kind](c, given[kind])
    if proof.parent is not None and proof.parent.scope == "system" and scope.kind in ("project", "domain"):
        raise Forbidden(
            "You are not authorized to perform the requested action: Using a system-scoped token to create a "
            "project-scoped or domain-scoped token is not allowed."
        )
    return scope


def _default(c: Connection, proof: Proof) -> Scope:
    """Return the user's default project where that is open to the user; a federated user has none."""
    if proof.federation is not None:
        return Scope()
    wanted = get(c, t.users, proof.user_id, "user").default_project_id
    if not wanted:
        return Scope()
    try:
        row = resource.project(c, wanted)
        domain = resource.domain(c, row.domain_id)
        usable = row.enabled and domain.enabled and assignment.roles_on(c, proof.user_id, "project", wanted)
    except NotFound:
        return Scope()
    return Scope("project", wanted) if usable else Scope()


def _unscoped(_c: Connection, _given: Any) -> Scope:
    return Scope()


def _system(_c: Connection, given: Any) -> Scope:
    if not isinstance(given, dict) or not given.get("all"):
        raise Invalid('auth.scope.system must be {"all": true}')
    return Scope("system", assignment.SYSTEM)


def _domain(c: Connection, given: dict[str, Any]) -> Scope:
    domain_id = users.domain_id(c, given)
    if domain_id is None:
        raise Invalid("auth.scope.domain needs an id or a name")
    return Scope("domain", domain_id)


def _project(c: Connection, given: dict[str, Any]) -> Scope:
    if given.get("id"):
        return Scope("project", given["id"])
    domain_id = users.domain_id(c, given.get("domain") or {})
    if not given.get("name") or domain_id is None:
        raise Invalid("auth.scope.project needs an id, or a name and a domain (id or name)")
    row = resource.project_named(c, given["name"], domain_id)
    if row is None:
        raise Unauthorized(REFUSED)
    return Scope("project", row.id)


def _trust(c: Connection, given: dict[str, Any]) -> Scope:
    if not given.get("id"):
        raise Invalid("auth.scope.OS-TRUST:trust needs an id")
    try:
        row = delegation.trust(c, given["id"], time.time())
    except NotFound as error:
        raise Unauthorized(error.message) from error
    return Scope("project", row.project_id, row) if row.project_id else Scope(trust=row)


_FINDERS = {
    "unscoped": _unscoped,
    "system": _system,
    "domain": _domain,
    "project": _project,
    "OS-TRUST:trust": _trust,
}
