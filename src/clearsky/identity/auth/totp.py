"""By a time-based one-time password (RFC 6238): SHA-1, six digits, 30 seconds; its seed is a credential of type totp."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from clearsky.errors import Unauthorized
from clearsky.house import House
from clearsky.identity import service
from clearsky.identity.auth import users
from clearsky.identity.auth.interface import Proof
from clearsky.identity.store import AnyRow, credential

STEP_S = 30
DIGITS = 6
_NOBODY = "NOBODYHASTHISSEEDNOBODYHASTHISSE"
PREVIOUS_STEPS = 1
"""A password is good one step longer than it is shown: clocks differ, and typing takes time."""


def password(seed: str, step: int) -> str:
    """Return the one-time password of a time step; raises ValueError where the seed is not base32."""
    padded = seed.strip().replace(" ", "").upper()
    try:
        key = base64.b32decode(padded + "=" * (-len(padded) % 8))
    except binascii.Error as error:
        raise ValueError("the seed is not base32") from error
    return TOTP(key, DIGITS, SHA1(), STEP_S, enforce_key_length=False).generate(step * STEP_S).decode()  # noqa: S303


def authenticate(house: House, given: dict[str, Any]) -> Proof:
    """Check a one-time password, once; failures count towards the pause as wrong passwords do."""
    asked = given["user"]
    with house.db.read() as c:
        user = users.find(c, asked, "auth.identity.totp.user")
        stored = credential.of_user(c, user.id, "totp") if user is not None else []
    good = _use(house, stored, str(asked.get("passcode") or ""))
    if user is None or users.is_locked(house, user) or not good:
        users.note_failure(house, user)
        raise Unauthorized("Invalid username or TOTP passcode")
    if not users.is_active(house, user):
        raise Unauthorized("Invalid username or TOTP passcode")
    users.note_success(house, user)
    return Proof(user.id, ("totp",))


def _use(house: House, stored: list[AnyRow], passcode: str) -> bool:
    """Find the seed and step that the passcode is of, and claim that step."""
    now = int(time.time()) // STEP_S
    if not stored:  # nobody's passwords are computed, too
        for step in range(now, now - PREVIOUS_STEPS - 1, -1):
            password(_NOBODY, step)
    for row in stored:
        seed = credential.blob_of(service.credential_keys(house), row)
        for step in range(now, now - PREVIOUS_STEPS - 1, -1):
            try:
                expected = password(seed, step)
            except ValueError:
                break
            if hmac.compare_digest(expected.encode(), passcode.encode()):
                with house.db.write() as c:
                    return credential.claim_step(c, row.id, step)
    return False
