"""What a new password must be: strong enough, not an old one, not changed too soon; and how long it lasts."""

from __future__ import annotations

import re
import time
from typing import Any

from sqlalchemy import Connection, delete, select

from clearsky.config_sections import Identity
from clearsky.errors import Invalid
from clearsky.identity import passwords
from clearsky.identity import tables as t
from clearsky.identity.store.kit import ensure

DAY = 24 * 3600


def refuse_weak(settings: Identity, password: str) -> None:
    """Raise Invalid for a password that the setting `password_regex` does not allow; the message has no password."""
    if settings.password_regex and not re.fullmatch(settings.password_regex, password):
        wanted = settings.password_regex_description or settings.password_regex
        raise Invalid(f"The password does not match the requirements: {wanted}.")


def refuse_too_soon(settings: Identity, user: Any) -> None:
    """Raise Invalid where the user has changed the password a moment ago, so as to get round the history."""
    age = settings.minimum_password_age_days * DAY
    created = user.password_created_at
    if not age or created is None:
        return
    expired = user.password_expires_at is not None and user.password_expires_at <= time.time()
    if time.time() - created < age and not expired:
        days = (created + age - time.time()) / DAY
        raise Invalid(
            f"Cannot change password before minimum age of {settings.minimum_password_age_days} days is met: "
            f"{days:.1f} days to go. Please contact an administrator if you need to change it earlier."
        )


def former(c: Connection, settings: Identity, user: Any) -> list[str]:
    """Return the hashes of the passwords that the user may not take again, the present one included."""
    count = settings.unique_last_password_count
    if not count:
        return []
    own = t.former_passwords.c
    query = select(own.password_hash).where(own.user_id == user.id).order_by(own.created_at.desc())
    hashes = [user.password_hash, *c.execute(query.limit(count - 1)).scalars()]
    return [one for one in hashes if one]


def refuse_former(settings: Identity, hashes: list[str], password: str) -> None:
    """Raise Invalid where the password is one of these; outside of any transaction, for it takes long."""
    if any(passwords.verify(settings, one, password) for one in hashes):
        raise Invalid(
            f"The new password cannot be identical to a previous password. The total number which includes the new "
            f"password must be unique is {settings.unique_last_password_count}."
        )


def remember(c: Connection, settings: Identity, user: Any) -> None:
    """Keep the present password as a former one, as many as the settings ask for."""
    own = t.former_passwords.c
    keep = max(settings.unique_last_password_count - 1, 0)
    if keep and user.password_hash:
        created = user.password_created_at or 0.0
        values = {"user_id": user.id, "created_at": created, "password_hash": user.password_hash}
        ensure(c, t.former_passwords, values)
    kept = select(own.created_at).where(own.user_id == user.id).order_by(own.created_at.desc()).limit(keep)
    c.execute(delete(t.former_passwords).where(own.user_id == user.id, own.created_at.not_in(kept)))


def columns(
    settings: Identity, password: str | None, options: dict[str, Any], *, by_administrator: bool
) -> dict[str, Any]:
    """Return the columns of a new password; it takes as long as hashing takes.

    What an administrator sets lasts until the first use where the settings say so.
    """
    now = time.time()
    expires: float | None = None
    if settings.password_expires_days and not options.get("ignore_password_expiry"):
        expires = now + settings.password_expires_days * DAY
    first_use = settings.change_password_upon_first_use and by_administrator
    if first_use and not options.get("ignore_change_password_upon_first_use"):
        expires = now
    stored = passwords.hash_password(settings, password) if password is not None else None
    return {
        "password_hash": stored,
        "password_created_at": now,
        "password_expires_at": expires if password is not None else None,
        "failed_attempts": 0,
        "failed_at": None,
    }
