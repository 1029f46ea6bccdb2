"""Large request bodies, read straight into memory that the reader brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from starlette.types import Receive, Scope

from clearsky.errors import Invalid

DIRECT = "clearsky.direct"
"""The scope's extension of our server: a call that returns a `Direct`, or None where it is not possible now."""
WENT_AWAY = "The client went away before the body was complete."


class Direct(Protocol):
    """The rest of a body, straight from the connection."""

    async def read_into(self, room: memoryview) -> int:
        """Fill `room` and return how much of it, less only at the end; raises Invalid where the client goes away."""

    def close(self) -> None:
        """Say that nobody reads any more; what still comes is thrown away."""


class Body:
    """The body of a streaming route. Below a server that is not ours it comes by ASGI messages, which are copied."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._take: Callable[[], Direct | None] | None = (scope.get("extensions") or {}).get(DIRECT)
        self._receive = receive
        self._direct: Direct | None = None
        self._piece = memoryview(b"")
        self._more = True

    async def read_into(self, room: memoryview) -> int:
        """Fill `room` from its beginning and return how much of it; 0: the body is at its end. Raises Invalid."""
        if self._take is not None:
            self._direct, self._take = self._take(), None
        if self._direct is not None:
            return await self._direct.read_into(room)
        while not self._piece:
            if not self._more:
                return 0
            await self._next()
        size = min(len(room), len(self._piece))
        room[:size], self._piece = self._piece[:size], self._piece[size:]
        return size

    async def _next(self) -> None:
        message: dict[str, Any] = dict(await self._receive())
        if message["type"] == "http.disconnect":
            raise Invalid(WENT_AWAY)
        self._piece, self._more = memoryview(message.get("body", b"")), message.get("more_body", False)

    def close(self) -> None:
        if self._direct is not None:
            self._direct.close()
