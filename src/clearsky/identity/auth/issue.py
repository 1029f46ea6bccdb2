"""From a request for a token to the token."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection

from clearsky.errors import Invalid, Unauthorized
from clearsky.house import House
from clearsky.identity import service
from clearsky.identity.auth import application_credential, oauth1, password, receipt, scope, token, totp
from clearsky.identity.auth.interface import Method, Proof
from clearsky.identity.oauth1 import Signed
from clearsky.identity.standing import Standing, begin
from clearsky.identity.store import delegation
from clearsky.identity.tokens import REFUSED, Token, new_audit_id

METHODS: Mapping[str, Method] = {
    "password": password.authenticate,
    "token": token.authenticate,
    "totp": totp.authenticate,
    "application_credential": application_credential.authenticate,
}
KNOWN = (*METHODS, "mapped", "openid", "oauth1")
"""What rules about combining methods may name."""


def prove(house: House, identity: dict[str, Any], signed: Signed | None = None) -> Proof:
    """Run every method that `auth.identity` names; all must prove the same user.

    `signed`: what the request's own header says, for the method oauth1: its part of the body is empty.
    """
    methods = dict(METHODS)
    if signed is not None:
        methods["oauth1"] = partial(_by_signature, signed=signed)
    proofs = []
    for name in dict.fromkeys(identity["methods"]):
        method = methods.get(name)
        if method is None:
            raise Unauthorized(f"Attempted to authenticate with an unsupported method: {name!r:.60}")
        if name not in identity:
            raise Invalid(f"auth.identity names the method {name!r} but does not hold auth.identity.{name}")
        proofs.append(method(house, identity[name]))
    first = proofs[0]
    if any(proof.user_id != first.user_id for proof in proofs):
        raise Unauthorized(REFUSED)
    return Proof(
        first.user_id,
        tuple(dict.fromkeys(name for proof in proofs for name in proof.methods)),
        parent=next((proof.parent for proof in proofs if proof.parent), None),
        application_credential_id=next(
            (proof.application_credential_id for proof in proofs if proof.application_credential_id), ""
        ),
        access_token_id=next((proof.access_token_id for proof in proofs if proof.access_token_id), ""),
        project_id=next((proof.project_id for proof in proofs if proof.project_id), ""),
        federation=next((proof.federation for proof in proofs if proof.federation), None),
    )


def _by_signature(house: House, given: dict[str, Any], *, signed: Signed) -> Proof:
    return oauth1.authenticate(house, signed)


def combine(c: Connection, house: House, proof: Proof, receipt_text: str) -> tuple[str, ...]:
    """Return all methods that were proven, now and by a receipt; raises InsufficientMethods where that is too little."""
    keys = service.keys(house)
    methods = list(proof.methods)
    if receipt_text:
        methods += receipt.open_receipt(keys, receipt_text, proof.user_id).methods
    lifetime_s = house.config.identity.receipt_lifetime_s
    receipt.insist(c, keys, proof.user_id, methods, KNOWN, lifetime_s)
    return tuple(dict.fromkeys(methods))


def make(
    c: Connection, house: House, proof: Proof, wanted: scope.Scope, methods: tuple[str, ...], now: float
) -> Standing:
    """Make the token, and say what it stands for; raises Unauthorized where the user may not have it."""
    parent, trust = proof.parent, wanted.trust
    lifetime_s = house.config.identity.token_lifetime_s
    made = Token(
        proof.user_id,
        wanted.kind,
        wanted.id,
        methods,
        now,
        parent.expires_at if parent else now + lifetime_s,
        (new_audit_id(), *((parent.audit_ids[-1],) if parent else ())),
        trust_id=trust.id if trust is not None else "",
        application_credential_id=proof.application_credential_id,
        access_token_id=proof.access_token_id,
        federation=proof.federation,
    )
    return begin(c, made)


def issue(house: House, auth: dict[str, Any], receipt_text: str, signed: Signed | None = None) -> Standing:
    """Authenticate and make a token; raises Unauthorized, Forbidden, NotFound or Invalid as the methods say."""
    return finish(house, prove(house, auth["identity"], signed), auth, receipt_text)


def finish(house: House, proof: Proof, auth: dict[str, Any], receipt_text: str) -> Standing:
    """Make the token that `auth.scope` asks for, for whom was proven."""
    now = time.time()
    with house.db.read() as c:
        methods = combine(c, house, proof, receipt_text)
        wanted = scope.find(c, proof, auth)
        standing = make(c, house, proof, wanted, methods, now)
    if wanted.trust is not None and wanted.trust.remaining_uses is not None:
        with house.db.write() as c:
            delegation.use_trust(c, wanted.trust)
    return standing
