"""By password."""

from __future__ import annotations

import time
from typing import Any

from clearsky.errors import Unauthorized
from clearsky.house import House
from clearsky.identity import passwords
from clearsky.identity.auth import users
from clearsky.identity.auth.interface import Proof
from clearsky.identity.tokens import REFUSED


def authenticate(house: House, given: dict[str, Any]) -> Proof:
    """Check a user's password, the pause after failures, and whether the password has expired."""
    asked = given["user"]
    with house.db.read() as c:
        user = users.find(c, asked, "auth.identity.password.user")
    # The hash is computed, and the failure written, in any case: the time taken does not tell whether the user exists
    # or is locked.
    stored = user.password_hash if user is not None else None
    good = passwords.verify(house.config.identity, stored, asked.get("password") or "")
    if user is None or users.is_locked(house, user) or not good:
        users.note_failure(house, user)
        raise Unauthorized(REFUSED)
    if not users.is_active(house, user):
        raise Unauthorized(REFUSED)
    if _expired(user):
        raise Unauthorized(f"The password is expired and needs to be changed for user: {user.id}.")
    users.note_success(house, user)
    if passwords.is_old(house.config.identity, user.password_hash):
        users.keep_hash(house, user, passwords.hash_password(house.config.identity, asked["password"]))
    return Proof(user.id, ("password",))


def _expired(user: Any) -> bool:
    if user.password_expires_at is None or (user.options or {}).get("ignore_password_expiry"):
        return False
    return bool(user.password_expires_at <= time.time())
