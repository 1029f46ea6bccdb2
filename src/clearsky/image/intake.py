"""Image data on its way into a store: written, hashed and measured at once, in threads, with bounded memory.

The data lies in a few buffers that go round: filled by whoever receives, then read by all steps, each of which takes
them in order and at its own pace. Nothing is copied on the way, and the buffers are all the memory that data costs.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from clearsky.errors import TooLarge
from clearsky.image.driver.interface import Writer
from clearsky.image.signature import Signature

BUFFER_BYTES = 4 << 20
BUFFERS = 4
"""Of one intake: so far can its steps be apart, and the data in memory grow."""
_HEAD_BYTES = 64 << 10
_threads = ThreadPoolExecutor(max(6, 3 * (os.cpu_count() or 1)), thread_name_prefix="image")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of data once it has gone by."""

    size: int
    checksum: str
    """MD5, in hexadecimal."""
    os_hash_value: str
    """SHA-512, in hexadecimal."""


class _Chunk:
    """A buffer with data that every step has to see."""

    def __init__(self, buffer: memoryview, size: int, steps: int) -> None:
        self.buffer, self.data = buffer, buffer[:size]
        self.seen: Future[None] = Future()
        """Done when all steps have seen it, or with the first one's error."""
        self._left, self._lock = steps, threading.Lock()
        self._error: BaseException | None = None

    def see(self, step: Callable[[memoryview], Any]) -> None:
        error = None
        try:
            step(self.data)
        except BaseException as problem:
            error = problem
        with self._lock:
            self._error = self._error or error
            self._left -= 1
            last = not self._left
        if last and self._error is not None:
            self.seen.set_exception(self._error)
        elif last:
            self.seen.set_result(None)


class _Lane:
    """One step: sees one chunk after the other, in a thread, and lets others have the thread between two."""

    def __init__(self, step: Callable[[memoryview], Any]) -> None:
        self._step = step
        self._chunks: deque[_Chunk] = deque()
        self._lock = threading.Lock()

    def put(self, chunk: _Chunk) -> None:
        with self._lock:
            self._chunks.append(chunk)
            idle = len(self._chunks) == 1
        if idle:
            _threads.submit(self._next)

    def _next(self) -> None:
        self._chunks[0].see(self._step)
        with self._lock:
            self._chunks.popleft()
            more = bool(self._chunks)
        if more:
            _threads.submit(self._next)


class Intake:
    """Takes data in: `room` says where the next bytes go, `advance` that they are there.

    `head` is shown the beginning before anything is written. Without `hashed` the facts' hashes are those of nothing.
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
        self._signature = signature
        steps: list[Callable[[memoryview], Any]] = [writer.write]
        if hashed:
            steps += [self._md5.update, self._sha512.update]
        if signature is not None:
            steps.append(signature.update)
        self._lanes = [_Lane(step) for step in steps]
        self._head: Callable[[bytes], None] | None = head
        self._buffer: memoryview | None = None
        self._at = self._made = 0
        self._free: list[memoryview] = []
        self._under_way: deque[_Chunk] = deque()
        self.size = 0

    def busy(self) -> Future[None] | None:
        """Return what to wait for before there is room again; None: there is. Raises a step's error."""
        self._collect()
        if self._buffer is not None or self._free or self._made < BUFFERS:
            return None
        return self._under_way[0].seen

    def room(self) -> memoryview:
        """Return where the next bytes go, waiting for it where need be. Raises a step's error."""
        if busy := self.busy():
            wait([busy])
            self._collect()
        if self._buffer is None:
            if not self._free:
                self._made += 1
                # Its pages come when they are touched, and go back to the machine with it.
                self._free.append(memoryview(mmap.mmap(-1, BUFFER_BYTES)))
            self._buffer, self._at = self._free.pop(), 0
        return self._buffer[self._at :]

    def advance(self, size: int) -> None:
        """Say that so many bytes are in the room. Raises TooLarge, and Invalid for a wrong beginning."""
        self.size += size
        self._at += size
        if self.size > self._limit:
            raise TooLarge(f"The image data is larger than the {self._limit} bytes that are allowed.")
        if self._at == BUFFER_BYTES:
            self.flush()

    def add(self, piece: bytes) -> None:
        """Take a piece of any size, in a thread that may wait."""
        left = memoryview(piece)
        while left:
            room = self.room()
            size = min(len(room), len(left))
            room[:size], left = left[:size], left[size:]
            self.advance(size)

    def flush(self) -> None:
        """Let the steps see what is in the room."""
        buffer, self._buffer = self._buffer, None
        if buffer is None:
            return
        if self._head is not None:
            look, self._head = self._head, None
            look(bytes(buffer[: min(self._at, _HEAD_BYTES)]))
        chunk = _Chunk(buffer, self._at, len(self._lanes))
        self._under_way.append(chunk)
        for lane in self._lanes:
            lane.put(chunk)

    def _collect(self) -> None:
        while self._under_way and self._under_way[0].seen.done():
            chunk = self._under_way.popleft()
            chunk.seen.result()
            self._free.append(chunk.buffer)

    def finish(self) -> Facts:
        """Make the data durable and readable under its name; raises Invalid where it is not what was signed."""
        self.flush()
        wait([chunk.seen for chunk in self._under_way])
        self._collect()
        self._free.clear()
        if self._signature is not None:
            self._signature.check()
        self._writer.finish()
        return Facts(self.size, self._md5.hexdigest(), self._sha512.hexdigest())

    def abandon(self) -> None:
        """Remove what was written, once nobody writes any more."""
        wait([chunk.seen for chunk in self._under_way])
        self._writer.abandon()
