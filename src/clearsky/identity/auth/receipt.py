"""Receipts: what a user gets who has proven something, but not yet enough; the next attempt brings it back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from clearsky.errors import NotFound, Unauthorized
from clearsky.identity import tables as t
from clearsky.identity import tokens
from clearsky.identity.keys import Keys
from clearsky.identity.store import AnyRow, get
from clearsky.identity.times import iso
from clearsky.identity.token_body import named

HEADER = "Openstack-Auth-Receipt"


@dataclass(frozen=True, slots=True)
class Receipt:
    user_id: str
    methods: tuple[str, ...]
    issued_at: float
    expires_at: float


class InsufficientMethods(Unauthorized):
    """More methods are wanted; the answer carries a receipt for those that were right."""

    def __init__(self, receipt: Receipt, text: str, body: dict[str, Any]) -> None:
        super().__init__("More authentication methods are needed.")
        self.receipt, self.text, self.body = receipt, text, body


def usable_rules(user: AnyRow, known: Iterable[str]) -> list[list[str]]:
    """Return the user's rules (each a list of methods that suffice together); empty: any one method suffices."""
    options = user.options or {}
    if options.get("multi_factor_auth_enabled") is False:
        return []
    available = set(known)
    rules = [
        [name for name in rule if name in available] for rule in options.get("multi_factor_auth_rules") or []
    ]
    return [list(dict.fromkeys(rule)) for rule in rules if rule]


def insist(
    c: Connection, keys: Keys, user_id: str, proven: Iterable[str], known: Iterable[str], lifetime_s: float
) -> None:
    """Raise InsufficientMethods unless what was proven satisfies one of the user's rules."""
    user = get(c, t.users, user_id, "user")
    rules = usable_rules(user, known)
    methods = tuple(dict.fromkeys(proven))
    if not rules or any(set(rule) <= set(methods) for rule in rules):
        return
    now = time.time()
    receipt = Receipt(user_id, methods, now, now + lifetime_s)
    text = tokens.seal_as(keys, "receipt", [user_id, list(methods), receipt.issued_at, receipt.expires_at])
    domain = c.execute(select(t.projects).where(t.projects.c.id == user.domain_id)).one()
    shown = {
        "methods": list(methods),
        "user": named(user) | {"domain": named(domain)},
        "expires_at": iso(receipt.expires_at),
        "issued_at": iso(receipt.issued_at),
    }
    raise InsufficientMethods(receipt, text, {"receipt": shown, "required_auth_methods": rules})


def open_receipt(keys: Keys, text: str, user_id: str) -> Receipt:
    """Return a receipt that was brought back; raises NotFound where it is void or another user's."""
    try:
        owner, methods, issued_at, expires_at = tokens.open_as(keys, "receipt", text)
    except Unauthorized as error:
        raise NotFound("Could not find auth receipt: it is void.") from error
    if owner != user_id or expires_at <= time.time():
        raise NotFound("Could not find auth receipt: it has expired, or is for another user.")
    return Receipt(owner, tuple(methods), issued_at, expires_at)
