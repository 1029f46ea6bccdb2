"""What a store of image data must be able to do.

A store knows names and bytes, nothing of images. A name is `IMAGE_ID-NONCE`, made for one attempt to write it and
never used again, so that a writer that was believed dead can do no harm to the one that came after it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from clearsky.errors import TooLarge

CHUNK_BYTES = 4 << 20
"""What is read at once: large enough that thread hops and system calls do not count."""


class StorageFull(TooLarge):
    """The medium behind a store has no room left (the Image API answers 413)."""


class Writer(Protocol):
    """Bytes that are being written. Until `finish` they are unfinished: never readable under their name."""

    def write(self, data: memoryview) -> None:
        """Append data, which is the caller's again afterwards; raises StorageFull."""

    def finish(self) -> None:
        """Make the bytes durable, then readable, in one step."""

    def abandon(self) -> None:
        """Remove what was written; also after a failure, also twice."""


class Reader(Protocol):
    """Whole bytes, readable at any place by one thread at a time. They stay readable after their removal where the
    medium can do so.
    """

    @property
    def size(self) -> int: ...

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; fewer only at the end."""

    def close(self) -> None: ...


class Store(Protocol):
    def create(self, name: str, size_hint: int | None = None) -> Writer:
        """Begin to write; raises StorageFull, Unavailable."""

    def open(self, name: str) -> Reader:
        """Raise NotFound where there are no finished bytes of that name, Unavailable where the store is away."""

    def remove(self, name: str) -> None:
        """Remove bytes, finished or not; absent is success. Raises Unavailable, Conflict while they are in use."""

    def names(self) -> Iterator[str]:
        """Yield the names of all finished bytes."""

    def unfinished(self, older_than_s: float) -> Iterator[str]:
        """Yield the names of what began to be written so long ago and has not been touched since."""

    def path(self, name: str) -> str | None:
        """Return the file of this machine that holds the bytes as they are, where there is one."""

    def url(self, name: str) -> str:
        """Return where the bytes are, in the form that Glance's clients know (`file://`, `rbd://`)."""

    def properties(self) -> dict[str, str]:
        """Return what an administrator may know of the store."""


@contextmanager
def full_is_too_large() -> Iterator[None]:
    """Turn a full disk or an exhausted quota of the medium into StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull("Image storage media is full: the data was not kept.") from error
        raise
