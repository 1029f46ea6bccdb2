"""What a token stands for now: whose it is, for what, with which roles. Looked up afresh, never stored in it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from clearsky.caller import AccessRule, Caller
from clearsky.errors import Forbidden, NotFound, Unauthorized
from clearsky.identity import tables as t
from clearsky.identity.store import AnyRow, assignment, delegation, federation, find, oauth1, revocation
from clearsky.identity.tokens import REFUSED, Token


@dataclass(frozen=True, slots=True)
class Standing:
    token: Token
    user: AnyRow
    """Who acts: for a trust with impersonation the trustor."""
    user_domain: AnyRow
    target: AnyRow | None
    """The project or domain of the scope."""
    target_domain: AnyRow | None
    roles: dict[str, str]
    """id -> name."""
    trust: AnyRow | None = None
    application_credential: AnyRow | None = None
    access_token: AnyRow | None = None
    """Of OAuth1."""
    access_rules: tuple[AnyRow, ...] = ()
    good_until: float = math.inf
    """When it must be looked up afresh though nothing was changed: memberships, a credential or a trust end."""

    def caller(self) -> Caller:
        project = self.target if self.token.scope == "project" else None
        rules = tuple(AccessRule(rule.service, rule.method, rule.path) for rule in self.access_rules)
        return Caller(
            user_id=self.user.id,
            user_name=self.user.name,
            user_domain_id=self.user.domain_id,
            project_id=project.id if project is not None else None,
            project_name=project.name if project is not None else None,
            project_domain_id=project.domain_id if project is not None else None,
            domain_id=self.token.scope_id if self.token.scope == "domain" else None,
            system=self.token.scope == "system",
            roles=tuple(sorted(self.roles.values())),
            expires_at=self.token.expires_at,
            access_rules=rules,
            token=self.token,
        )


def stand(c: Connection, token: Token) -> Standing:
    """Look up what a token stands for; raises Unauthorized where something of it is gone, disabled or revoked.

    Raises Forbidden where a trust is there but the trustor has lost what it hands on.
    """
    user, domain = _user(c, token.user_id, token.issued_at)
    if revocation.is_revoked(c, token.audit_ids[0]):
        raise Unauthorized(REFUSED)
    if token.federation is not None:
        _provider(c, token.federation.provider_id)
    trust = credential = access = None
    rules: tuple[AnyRow, ...] = ()
    if token.trust_id:
        trust = _trust(c, token)
        trustor, trustor_domain = _user(c, trust.trustor_user_id, token.issued_at)
        if trust.impersonation:
            user, domain = trustor, trustor_domain
    if token.application_credential_id:
        credential = _application_credential(c, token)
        rules = tuple(delegation.rules_of_application_credentials(c, credential.id).get(credential.id, ()))
    if token.access_token_id:
        access = _access_token(c, token)
    target, target_domain = _target(c, token)
    roles: dict[str, str] = {}
    if token.scope:
        roles = _roles(c, token, trust, credential, access)
    ends = [
        row.expires_at
        for row in (trust, credential, access)
        if row is not None and row.expires_at is not None
    ]
    who = trust.trustor_user_id if trust is not None else token.user_id
    if (vouched := federation.memberships_end(c, who, time.time())) is not None:
        ends.append(vouched)
    return Standing(
        token,
        user,
        domain,
        target,
        target_domain,
        roles,
        trust,
        credential,
        access,
        rules,
        good_until=min(ends, default=math.inf),
    )


def begin(c: Connection, token: Token) -> Standing:
    """Return what a new token stands for; it ends no later than what it comes from."""
    standing = stand(c, token)
    parts = (standing.trust, standing.application_credential, standing.access_token)
    ends = [row.expires_at for row in parts if row is not None and row.expires_at is not None]
    return replace(standing, token=replace(token, expires_at=min([token.expires_at, *ends])))


def _user(c: Connection, id: str, issued_at: float) -> tuple[AnyRow, AnyRow]:
    user = find(c, t.users, id)
    if user is None or not user.enabled or issued_at < user.valid_from:
        raise Unauthorized(REFUSED)
    domain = find(c, t.projects, user.domain_id)
    if domain is None or not domain.enabled:
        raise Unauthorized(REFUSED)
    return user, domain


def _provider(c: Connection, id: str) -> None:
    """Raise Unauthorized where the identity provider that vouched for the user is gone or disabled."""
    enabled = select(t.identity_providers.c.enabled).where(t.identity_providers.c.id == id)
    if not c.execute(enabled).scalar():
        raise Unauthorized(REFUSED)


def _target(c: Connection, token: Token) -> tuple[AnyRow | None, AnyRow | None]:
    if token.scope not in ("project", "domain"):
        return None, None
    row = find(c, t.projects, token.scope_id)
    if row is None or not row.enabled or (token.scope == "domain" and not row.is_domain):
        raise Unauthorized(REFUSED)
    if row.is_domain:
        return row, row
    domain = find(c, t.projects, row.domain_id)
    if domain is None or not domain.enabled:
        raise Unauthorized(REFUSED)
    return row, domain


def _trust(c: Connection, token: Token) -> AnyRow:
    """Return the trust: a use that has been counted stays good when it was the last one."""
    row = find(c, t.trusts, token.trust_id)
    if row is None or (row.expires_at is not None and row.expires_at < time.time()):
        raise Unauthorized(REFUSED)
    if row.trustee_user_id != token.user_id:
        raise Forbidden("User is not a trustee.")
    return row


def _application_credential(c: Connection, token: Token) -> AnyRow:
    try:
        row = delegation.application_credential(c, token.application_credential_id, token.user_id)
    except NotFound as error:
        raise Unauthorized(REFUSED) from error
    if row.expires_at is not None and row.expires_at < time.time():
        raise Unauthorized(REFUSED)
    return row


def _access_token(c: Connection, token: Token) -> AnyRow:
    try:
        row = oauth1.access_token(c, token.access_token_id, token.user_id)
    except NotFound as error:
        raise Unauthorized(REFUSED) from error
    if row.expires_at is not None and row.expires_at <= time.time():
        raise Unauthorized(REFUSED)
    return row


def _roles(
    c: Connection, token: Token, trust: AnyRow | None, credential: AnyRow | None, access: AnyRow | None
) -> dict[str, str]:
    groups = token.federation.group_ids if token.federation is not None else ()
    if trust is not None:
        return _delegated(c, trust)
    held = assignment.roles_on(c, token.user_id, token.scope, token.scope_id, groups)
    if credential is not None:
        given = delegation.roles_of_application_credentials(c, credential.id).get(credential.id, [])
        wanted = assignment.with_implied(c, [role.id for role in given])
        held = {id: name for id, name in held.items() if id in wanted}
    if access is not None:
        wanted = assignment.with_implied(c, access.role_ids)
        held = {id: name for id, name in held.items() if id in wanted}
    if not held:
        raise Unauthorized(REFUSED)
    return held


def _delegated(c: Connection, trust: AnyRow) -> dict[str, str]:
    """Return the trust's roles; raises Forbidden where the first trustor of the chain lacks one of them now."""
    try:
        chain = delegation.trust_chain(c, trust)
        held = assignment.roles_on(c, chain[-1].trustor_user_id, "project", trust.project_id)
    except NotFound as error:
        raise Unauthorized(REFUSED) from error
    wanted = assignment.with_implied(c, trust.role_ids)
    if not wanted or not wanted.keys() <= held.keys():
        raise Forbidden("Trustee has no delegated roles.")
    return {id: held[id] for id in wanted}
