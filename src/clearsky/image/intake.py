"""Image data on its way into a store: written, hashed and measured at once, in threads, with bounded memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from clearsky.errors import TooLarge
from clearsky.image.driver.interface import CHUNK_BYTES, Writer
from clearsky.image.signature import Signature

_threads = ThreadPoolExecutor(max(6, 3 * (os.cpu_count() or 1)), thread_name_prefix="image")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of data once it has gone by."""

    size: int
    checksum: str
    """MD5, in hexadecimal."""
    os_hash_value: str
    """SHA-512, in hexadecimal."""


def _each(update: Callable[[bytes], None]) -> Callable[..., None]:
    def run(*pieces: bytes) -> None:
        for piece in pieces:
            update(piece)

    return run


class Intake:
    """Takes pieces of any size; hands chunks to threads, one for each step, one chunk ahead of the next.

    `head` is shown the first chunk before it is written. Without `hashed` the facts' hashes are those of nothing.
    """

    def __init__(
        self,
        writer: Writer,
        limit_bytes: int,
        *,
        head: Callable[[bytes], None] | None = None,
        hashed: bool = True,
        signature: Signature | None = None,
    ) -> None:
        self._writer, self._limit = writer, limit_bytes
        self._md5, self._sha512 = hashlib.md5(usedforsecurity=False), hashlib.sha512()
        self._steps: tuple[Callable[..., Any], ...] = (writer.write,)
        if hashed:
            self._steps += (_each(self._md5.update), _each(self._sha512.update))
        self._signature = signature
        if signature is not None:
            self._steps += (_each(signature.update),)
        self._head: Callable[[bytes], None] | None = head
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._under_way: list[Future[Any]] = []
        self.size = 0

    def add(self, piece: bytes) -> bool:
        """Take a piece; True says that a chunk is full and `flush` is due. Raises TooLarge."""
        self.size += len(piece)
        self._waiting += len(piece)
        if self.size > self._limit:
            raise TooLarge(f"The image data is larger than the {self._limit} bytes that are allowed.")
        if piece:
            self._pieces.append(piece)
        return self._waiting >= CHUNK_BYTES

    def busy(self) -> list[Future[Any]]:
        """Return what must be waited for before `flush`: an event loop awaits it, a thread calls `flush` at once."""
        return [future for future in self._under_way if not future.done()]

    def flush(self) -> None:
        """Start on the pieces that wait; blocks while the chunk before is being worked on, and raises its error."""
        self._settle()
        pieces, self._pieces, self._waiting = self._pieces, [], 0
        if self._head is not None:
            look, self._head = self._head, None
            look(b"".join(pieces))
        if pieces:
            # The pieces are never joined: copying them costs the thread that receives more than all else.
            self._under_way = [_threads.submit(step, *pieces) for step in self._steps]

    def _settle(self) -> None:
        under_way, self._under_way = self._under_way, []
        wait(under_way)
        for future in under_way:
            future.result()

    def finish(self) -> Facts:
        """Make the data durable and readable under its name; raises Invalid where it is not what was signed."""
        self.flush()
        self._settle()
        if self._signature is not None:
            self._signature.check()
        self._writer.finish()
        return Facts(self.size, self._md5.hexdigest(), self._sha512.hexdigest())

    def abandon(self) -> None:
        """Remove what was written, once nobody writes any more."""
        wait(self._under_way)
        self._writer.abandon()
