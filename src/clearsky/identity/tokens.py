"""Fernet tokens: who, for what, by which methods, until when; encrypted with keys that rotate.

A key repository is a folder of files 0, 1, 2, ...: 0 is the staged key (next to become primary), the highest number
is the primary (it encrypts), the others still decrypt. Rotating never logs anybody out while the key that made a
token is kept.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from clearsky.errors import Unauthorized


@dataclass(frozen=True, slots=True)
class Token:
    user_id: str
    scope: str
    """project, domain, system, or empty: unscoped."""
    scope_id: str
    methods: tuple[str, ...]
    issued_at: float
    expires_at: float
    audit_ids: tuple[str, ...]
    """Own id first; then that of the first token of the chain."""


def new_audit_id() -> str:
    return secrets.token_urlsafe(16)


class Keys:
    """A key repository; reads its folder again when that has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stamp: tuple[int, ...] = ()
        self._fernet: MultiFernet | None = None
        self._looked_at = 0.0

    def fernet(self) -> MultiFernet:
        if self._fernet is None or time.monotonic() - self._looked_at > 5.0:
            self._looked_at = time.monotonic()
            stamp = tuple(self._numbers())
            if stamp != self._stamp or self._fernet is None:
                keys = [(self.folder / str(number)).read_bytes() for number in stamp]
                if not keys:
                    raise RuntimeError(f"there are no token keys in {self.folder}: run `clearsky up`")
                self._fernet, self._stamp = MultiFernet([Fernet(key) for key in reversed(keys)]), stamp
        return self._fernet

    def _numbers(self) -> list[int]:
        return (
            sorted(int(name) for name in os.listdir(self.folder) if name.isdigit())
            if self.folder.exists()
            else []
        )

    def ensure(self) -> None:
        """Make the repository where there is none."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._numbers():
            self._write(0)
            self._write(1)

    def rotate(self, keep: int) -> None:
        """Make the staged key primary, stage a new one, and forget the oldest beyond `keep`."""
        numbers = self._numbers()
        (self.folder / "0").rename(self.folder / str(numbers[-1] + 1))
        self._write(0)
        for number in self._numbers()[1 : max(1, len(numbers) + 1 - keep)]:
            (self.folder / str(number)).unlink()
        self._fernet = None

    def _write(self, number: int) -> None:
        path = self.folder / f".{number}.new"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        path.rename(self.folder / str(number))


def seal(keys: Keys, token: Token) -> str:
    """Return the text that a client sends as X-Auth-Token."""
    payload = [
        1,
        token.user_id,
        token.scope,
        token.scope_id,
        list(token.methods),
        token.issued_at,
        token.expires_at,
        list(token.audit_ids),
    ]
    return keys.fernet().encrypt(orjson.dumps(payload)).rstrip(b"=").decode()


def open_token(keys: Keys, text: str) -> Token:
    """Return what is inside; raises Unauthorized for anything that these keys did not make."""
    try:
        raw = text.encode("ascii")
        data = orjson.loads(keys.fernet().decrypt(raw + b"=" * (-len(raw) % 4)))
        _, user_id, scope, scope_id, methods, issued_at, expires_at, audit_ids = data
    except (InvalidToken, ValueError, UnicodeEncodeError) as error:
        raise Unauthorized("The request you have made requires authentication.") from error
    return Token(user_id, scope, scope_id, tuple(methods), issued_at, expires_at, tuple(audit_ids))
