"""Key repositories: folders of Fernet keys that rotate without making anything unreadable.

Files are named 0, 1, 2, ...: 0 is the staged key (next to become primary), the highest number is the primary (it
encrypts), the others still decrypt. Every process that shares the folder reads a key that another has just made
primary, because it was staged before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

LOOK_S = 5.0
"""How long a process may believe that the folder is as it was."""


class Keys:
    """A key repository; reads its folder again when that has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stamp: tuple[int, ...] = ()
        self._fernet: MultiFernet | None = None
        self._looked_at = 0.0

    def encrypt(self, data: bytes) -> bytes:
        return self._current(LOOK_S).encrypt(data)

    def decrypt(self, data: bytes) -> bytes:
        """Return the plain text; raises InvalidToken for anything that these keys did not make."""
        try:
            return self._current(LOOK_S).decrypt(data)
        except InvalidToken:
            before = self._fernet
            if self._current(0.0) is before:  # one listing of a folder: rubbish may cost that
                raise
            return self._current(LOOK_S).decrypt(data)

    def reencrypt(self, data: bytes) -> bytes:
        """Encrypt anew with the primary key what any of the keys has made."""
        return self._current(0.0).encrypt(self._current(LOOK_S).decrypt(data))

    def _current(self, believe_s: float) -> MultiFernet:
        now = time.monotonic()
        if self._fernet is None or now - self._looked_at > believe_s:
            self._looked_at = now
            stamp = tuple(self._numbers())
            if stamp != self._stamp or self._fernet is None:
                # Another process may rotate between the listing and the reading.
                keys = [path.read_bytes() for number in stamp if (path := self.folder / str(number)).exists()]
                if not keys:
                    raise RuntimeError(f"there are no keys in {self.folder}: run `clearsky up`")
                self._fernet, self._stamp = MultiFernet([Fernet(key) for key in reversed(keys)]), stamp
        return self._fernet

    def _numbers(self) -> list[int]:
        if not self.folder.exists():
            return []
        return sorted(int(name) for name in os.listdir(self.folder) if name.isdigit())

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep two processes from rotating at once."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def ensure(self) -> None:
        """Make the repository where there is none."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            for number in (0, 1):
                if len(self._numbers()) < 2:
                    self._write(number)

    def age_s(self) -> float:
        """Return how long ago the keys were last rotated (or made)."""
        return time.time() - (self.folder / "0").stat().st_mtime

    def rotate(
        self,
        keep: int,
        *,
        if_older_than_s: float = 0.0,
        young_s: float = 0.0,
        before_forgetting: Callable[[], None] | None = None,
    ) -> bool:
        """Make the staged key primary, stage a new one, and forget the oldest beyond `keep`.

        Another process may have rotated meanwhile: False where the keys are not older than `if_older_than_s`.
        A key that was primary in the last `young_s` seconds is kept in any case. `before_forgetting` runs while the
        old keys are still there: to encrypt anew what they have encrypted.
        """
        with self._alone():
            if if_older_than_s and self.age_s() < if_older_than_s:
                return False
            numbers = self._numbers()
            (self.folder / "0").rename(self.folder / str(numbers[-1] + 1))
            self._write(0)
            self._fernet = None
            if before_forgetting is not None:
                before_forgetting()
            self._forget(keep, young_s)
            self._fernet = None
        return True

    def _forget(self, keep: int, young_s: float) -> None:
        used = self._numbers()[1:]
        # A key stops to be primary when the next one becomes it; that is when the next but one was staged.
        for number in used[: max(0, len(used) + 1 - max(2, keep))]:
            after_next = self.folder / str(number + 2 if number + 2 in used else 0)
            if time.time() - after_next.stat().st_mtime >= young_s:
                (self.folder / str(number)).unlink()

    def _write(self, number: int) -> None:
        path = self.folder / f".{number}.new"
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            # A file that root makes in a folder of the service's account must be readable for the service.
            owner = self.folder.stat()
            if os.geteuid() == 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        path.rename(self.folder / str(number))
