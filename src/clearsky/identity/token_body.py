"""Tokens and receipts as JSON."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.identity import tables as t
from clearsky.identity.standing import Standing
from clearsky.identity.store import AnyRow, catalog
from clearsky.identity.times import iso

SYSTEM = {"all": True}
_PROVIDERS = select(t.service_providers).where(t.service_providers.c.enabled)


def named(row: AnyRow) -> dict[str, Any]:
    return {"id": row.id, "name": row.name}


def describe(c: Connection, standing: Standing, *, with_catalog: bool) -> dict[str, Any]:
    """Return the body of a token, as the API reference has it."""
    token = standing.token
    body: dict[str, Any] = {
        "methods": list(token.methods),
        "user": _user(standing),
        "audit_ids": list(token.audit_ids),
        "expires_at": iso(token.expires_at),
        "issued_at": iso(token.issued_at),
    }
    if standing.trust is not None:
        trust = standing.trust
        body["OS-TRUST:trust"] = {
            "id": trust.id,
            "trustor_user": {"id": trust.trustor_user_id},
            "trustee_user": {"id": trust.trustee_user_id},
            "impersonation": trust.impersonation,
        }
    if standing.application_credential is not None:
        body["application_credential"] = _application_credential(standing)
    if standing.access_token is not None:
        access = standing.access_token
        body["OS-OAUTH1"] = {"access_token_id": access.id, "consumer_id": access.consumer_id}
    if not token.scope:
        return body
    body |= _scope(standing)
    body["roles"] = [{"id": id, "name": name} for id, name in standing.roles.items()]
    if with_catalog:
        body["catalog"] = catalog.enabled(
            c,
            standing.target.id if token.scope == "project" and standing.target is not None else "",
            standing.user.id,
        )
    providers = c.execute(_PROVIDERS).all()
    if providers:
        body["service_providers"] = [
            {"id": row.id, "auth_url": row.auth_url, "sp_url": row.sp_url} for row in providers
        ]
    return body


def _user(standing: Standing) -> dict[str, Any]:
    user: dict[str, Any] = named(standing.user) | {"domain": named(standing.user_domain)}
    federation = standing.token.federation
    if federation is None:
        return user | {"password_expires_at": iso(standing.user.password_expires_at)}
    vouched = {
        "identity_provider": {"id": federation.provider_id},
        "protocol": {"id": federation.protocol_id},
        "groups": [{"id": id} for id in federation.group_ids],
    }
    return user | {"OS-FEDERATION": vouched}


def _application_credential(standing: Standing) -> dict[str, Any]:
    row = standing.application_credential
    assert row is not None
    shown: dict[str, Any] = named(row) | {"restricted": not row.unrestricted}
    if standing.access_rules:
        shown["access_rules"] = [view_rule(rule) for rule in standing.access_rules]
    return shown


def view_rule(rule: AnyRow) -> dict[str, Any]:
    return {"id": rule.id, "service": rule.service, "method": rule.method, "path": rule.path}


def _scope(standing: Standing) -> dict[str, Any]:
    if standing.token.scope == "system":
        return {"system": SYSTEM}
    target, domain = standing.target, standing.target_domain
    assert target is not None
    assert domain is not None
    if standing.token.scope == "domain":
        return {"domain": named(target)}
    return {"project": named(target) | {"domain": named(domain)}, "is_domain": target.is_domain}
