"""What the api tells agents: desired state by long poll, observed state back; on a UNIX socket of this machine.

The socket belongs to the api's own account and has mode 0600: only it and root can speak here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from clearsky import encode
from clearsky.agent.protocol import Observed
from clearsky.compute import service as compute
from clearsky.compute.desired import may_have_image
from clearsky.errors import ClearskyError
from clearsky.house import House
from clearsky.image import service as image
from clearsky.work import queue
from clearsky.work.bell import Bell

log = structlog.get_logger("agent-api")
LONG_POLL_S = 25.0
OBSERVED_LIMIT_BYTES = 64 * 1024 * 1024


class Waiters:
    """Long polls that wait for a topic of the bell."""

    def __init__(self, house: House) -> None:
        self._events: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._socket = Bell(house.config.run).listen("api")
        self._socket.setblocking(False)
        self.closing = False

    def close(self) -> None:
        """Let every long poll answer now."""
        self.closing = True
        for events in self._events.values():
            for event in events:
                event.set()

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                for topic in self._socket.recv(65536).decode().split("\n"):
                    for event in self._events.get(topic, ()):
                        event.set()

    @staticmethod
    async def wait(event: asyncio.Event, timeout_s: float) -> None:
        """Wait until the event's topic rings, or so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), timeout_s)
        event.clear()

    @asynccontextmanager
    async def subscribed(self, topic: str) -> AsyncIterator[asyncio.Event]:
        event = asyncio.Event()
        self._events[topic].add(event)
        try:
            yield event
        finally:
            self._events[topic].discard(event)


def make(house: House, waiters: Waiters) -> Starlette:
    """Return the ASGI app for the agents of this machine."""

    async def desired(request: Request) -> Response:
        host, since = request.query_params.get("host", ""), request.query_params.get("since", "")
        if not host:
            return JSONResponse({"message": "say which host: ?host=NAME"}, 400)
        topic = queue.host_topic(host)
        end = asyncio.get_running_loop().time() + LONG_POLL_S
        async with waiters.subscribed(topic) as event:
            while True:
                left = end - asyncio.get_running_loop().time()
                if (
                    left <= 0
                    or not since
                    or waiters.closing
                    or str(await run_in_threadpool(_revision, house, host)) != since
                ):
                    break
                await waiters.wait(event, min(left, house.config.work.poll_s))
        answer = await run_in_threadpool(compute.desired, house, host)
        return Response(encode.dumps(answer), media_type="application/json")

    async def observed(request: Request) -> Response:
        data = await request.body()
        if len(data) > OBSERVED_LIMIT_BYTES:
            return JSONResponse({"message": f"a report has at most {OBSERVED_LIMIT_BYTES} bytes"}, 413)
        try:
            report = encode.loads(Observed, data)
        except ValueError as error:
            return JSONResponse({"message": str(error)}, 400)
        await run_in_threadpool(compute.observe, house, report)
        return JSONResponse({})

    async def image_data(request: Request) -> Response:
        host, id = request.query_params.get("host", ""), request.path_params["id"]
        try:
            if not await run_in_threadpool(may_have_image, house, host, id):
                return JSONResponse({"message": f"no server of host {host!r} is made from image {id!r}"}, 404)
            source = await run_in_threadpool(image.open_data, house, id)
        except ClearskyError as error:
            return JSONResponse({"message": error.message}, error.code)
        length = {"Content-Length": str(source.size)}
        return StreamingResponse(image.stream(source, 0, source.size), 200, length)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        waiters.start()
        yield

    routes = [
        Route("/agent/v1/desired", desired, methods=["GET"]),
        Route("/agent/v1/observed", observed, methods=["POST"]),
        Route("/agent/v1/images/{id}", image_data, methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _revision(house: House, host: str) -> int:
    with house.db.read() as connection:
        return queue.host_revision(connection, host)
