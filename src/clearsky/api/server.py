"""The HTTP side of a connection: uvicorn's, and beside it a way for large bodies around its buffers.

uvicorn passes a body on as bytes objects, each copied several times on its way. A streaming route may instead take the
connection's protocol over for as long as its body comes (`clearsky.api.body.DIRECT`): then the event loop receives into
the route's own memory, and nothing is copied. The length must be announced; chunked bodies go uvicorn's way.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from clearsky.api.body import DIRECT, WENT_AWAY
from clearsky.errors import Invalid

_SPARE_BYTES = 64 << 10


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, which offers `DIRECT` to every request whose body has an announced length."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        names = dict(self.headers)
        length = names.get(b"content-length", b"")
        if length.isdigit() and b"transfer-encoding" not in names:
            cycle = self.cycle
            # The request's task has not begun to run yet.
            scope: dict[str, Any] = self.scope  # type: ignore[assignment]
            scope["extensions"] = {DIRECT: lambda: self._take_over(cycle, int(length))}

    def _take_over(self, cycle: RequestResponseCycle, length: int) -> Receiver | None:
        if cycle is not self.cycle or not cycle.more_body or self.transport.is_closing():
            return None
        if cycle.waiting_for_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        receiver = Receiver(self, cycle, length)
        # Reading is stopped meanwhile: how it goes on depends on the protocol.
        self.flow.pause_reading()
        self.transport.set_protocol(receiver)
        return receiver

    def give_back(self, cycle: RequestResponseCycle) -> None:
        """Go on with the next request: all of this one's body has come."""
        # The old parser waits for a body that it has never seen.
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        cycle.more_body = False
        self.flow.pause_reading()
        self.transport.set_protocol(self)
        if cycle.response_complete:
            self.flow.resume_reading()


class Receiver(asyncio.BufferedProtocol):
    """Receives exactly one body. Reading stops whenever the reader has no room to offer."""

    def __init__(self, http: Connection, cycle: RequestResponseCycle, length: int) -> None:
        self._http, self._cycle = http, cycle
        self._first = bytes(cycle.body)
        """What the parser has seen of the body."""
        cycle.body = bytearray()
        self._left = length - len(self._first)
        self._room: memoryview | None = None
        self._at = 0
        self._filled: asyncio.Future[None] | None = None
        self._broken = False

    async def read_into(self, room: memoryview) -> int:
        if self._first:
            size = min(len(room), len(self._first))
            room[:size], self._first = self._first[:size], self._first[size:]
            return size
        if self._broken:
            raise Invalid(WENT_AWAY)
        if not self._left:
            return 0
        self._room, self._at = room[: self._left], 0
        self._filled = asyncio.get_running_loop().create_future()
        self._http.flow.resume_reading()
        try:
            await self._filled
        finally:
            self._filled = self._room = None
            self._http.flow.pause_reading()
        return self._at

    def close(self) -> None:
        if self._left and not self._broken:
            # An early answer reaches a client that is still sending only where the connection stays open.
            self._room, self._at = memoryview(bytearray(_SPARE_BYTES)), 0
            self._http.flow.resume_reading()

    # -- what the transport calls -----------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._room is None:
            raise RuntimeError("the connection reads though nobody has room")
        return self._room[self._at :][: self._left]

    def buffer_updated(self, nbytes: int) -> None:
        self._left -= nbytes
        if self._filled is not None and self._room is not None:
            self._at += nbytes
            if self._at == len(self._room) and not self._filled.done():
                self._http.flow.pause_reading()
                self._filled.set_result(None)
        if not self._left:
            self._http.give_back(self._cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        self._broken = True
        if self._filled is not None and not self._filled.done():
            self._filled.set_exception(Invalid(WENT_AWAY))
        self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()
