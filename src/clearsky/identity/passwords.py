"""Password hashes: argon2id, and bcrypt's for imported users. A check takes as long for a user who does not exist."""

from __future__ import annotations

from functools import cache

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from clearsky.config_sections import Identity

_BCRYPT = ("$2a$", "$2b$", "$2y$")


@cache
def _hasher(time_cost: int, memory_kib: int) -> PasswordHasher:
    return PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)


@cache
def _nobody(time_cost: int, memory_kib: int) -> str:
    return _hasher(time_cost, memory_kib).hash("a password that nobody has")


def hash_password(settings: Identity, password: str) -> str:
    return _hasher(settings.argon2_time_cost, settings.argon2_memory_kib).hash(password)


def verify(settings: Identity, stored: str | None, password: str) -> bool:
    """Say whether `password` is the one; with `stored` None it costs the same and says no."""
    cost = (settings.argon2_time_cost, settings.argon2_memory_kib)
    if stored is not None and stored.startswith(_BCRYPT):
        return _bcrypt(password.encode(), stored)
    try:
        return _hasher(*cost).verify(stored or _nobody(*cost), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_old(settings: Identity, stored: str) -> bool:
    """Say whether a hash is of another kind or cost than new ones are: then its check takes another time."""
    hasher = _hasher(settings.argon2_time_cost, settings.argon2_memory_kib)
    return stored.startswith(_BCRYPT) or hasher.check_needs_rehash(stored)


def _bcrypt(password: bytes, stored: str) -> bool:
    try:
        return bcrypt.checkpw(password[:72], stored.encode())
    except ValueError:
        return False
