"""Fernet tokens: who, for what, by which methods, until when; encrypted with keys that rotate (see keys.py).

The same keys seal other things that a client brings back: authentication receipts, the state of a browser's log-in.
Each kind carries its name inside, so that none passes for another.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.fernet import InvalidToken

from clearsky.errors import Unauthorized
from clearsky.identity.keys import Keys

REFUSED = "The request you have made requires authentication."


@dataclass(frozen=True, slots=True)
class Federation:
    """Which identity provider vouched for the user, by which protocol, and the groups that it led to."""

    provider_id: str
    protocol_id: str
    group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Token:
    user_id: str
    """Who authenticated; for a trust the trustee."""
    scope: str
    """project, domain, system, or empty: unscoped."""
    scope_id: str
    methods: tuple[str, ...]
    issued_at: float
    expires_at: float
    audit_ids: tuple[str, ...]
    """Own id first; then that of the first token of the chain."""
    trust_id: str = ""
    application_credential_id: str = ""
    access_token_id: str = ""
    """The OAuth1 access token behind it."""
    federation: Federation | None = None


def new_audit_id() -> str:
    return secrets.token_urlsafe(16)


def seal(keys: Keys, token: Token) -> str:
    """Return the text that a client sends as X-Auth-Token."""
    extra: dict[str, Any] = {}
    if token.trust_id:
        extra["trust"] = token.trust_id
    if token.application_credential_id:
        extra["application_credential"] = token.application_credential_id
    if token.access_token_id:
        extra["access_token"] = token.access_token_id
    if token.federation is not None:
        provider = token.federation
        extra["federation"] = [provider.provider_id, provider.protocol_id, *provider.group_ids]
    payload = [
        token.user_id,
        token.scope,
        token.scope_id,
        list(token.methods),
        token.issued_at,
        token.expires_at,
        list(token.audit_ids),
        *([extra] if extra else []),
    ]
    return seal_as(keys, "token", payload)


def open_token(keys: Keys, text: str) -> Token:
    """Return what is inside; raises Unauthorized for anything that these keys did not make."""
    user_id, scope, scope_id, methods, issued_at, expires_at, audit_ids, *rest = open_as(keys, "token", text)
    extra = rest[0] if rest else {}
    federation = None
    if "federation" in extra:
        provider_id, protocol_id, *groups = extra["federation"]
        federation = Federation(provider_id, protocol_id, tuple(groups))
    return Token(
        user_id,
        scope,
        scope_id,
        tuple(methods),
        issued_at,
        expires_at,
        tuple(audit_ids),
        trust_id=extra.get("trust", ""),
        application_credential_id=extra.get("application_credential", ""),
        access_token_id=extra.get("access_token", ""),
        federation=federation,
    )


def seal_as(keys: Keys, kind: str, payload: list[Any]) -> str:
    """Return `payload` as a text that only these keys open, and only as the same `kind`."""
    return keys.encrypt(orjson.dumps([kind, *payload])).rstrip(b"=").decode()


def open_as(keys: Keys, kind: str, text: str) -> list[Any]:
    """Return what `seal_as` took; raises Unauthorized for anything else, another kind included."""
    try:
        raw = text.encode("ascii")
        data = orjson.loads(keys.decrypt(raw + b"=" * (-len(raw) % 4)))
    except (InvalidToken, ValueError, UnicodeEncodeError) as error:
        raise Unauthorized(REFUSED) from error
    if not isinstance(data, list) or data[:1] != [kind]:
        raise Unauthorized(REFUSED)
    return data[1:]
