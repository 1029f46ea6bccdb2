"""What the api tells agents: desired state by long poll, observed state back.

On this machine by a UNIX socket, which belongs to the api's own account and has mode 0600: only it and root can speak
there. To other hosts by mutual TLS: a host may speak for itself alone, and while it is one, which is looked up at
each request.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from clearsky import certificates, encode
from clearsky.agent.protocol import Desired, DesiredDisk, Observed
from clearsky.compute import service as compute
from clearsky.compute.desired import may_give_snapshot, may_have_image
from clearsky.errors import ClearskyError
from clearsky.hosts import door, registry
from clearsky.house import House
from clearsky.image import service as image
from clearsky.work import queue
from clearsky.work.bell import Bell

log = structlog.get_logger("agent-api")
LONG_POLL_S = 25.0
OBSERVED_LIMIT_BYTES = 64 * 1024 * 1024
QUESTION_LIMIT_BYTES = 16 * 1024
KEPT_S = 120.0
"""A copy that its host does not speak of is kept so long: the report that does may be on its way."""
ABANDONED_S = 24 * 3600.0
"""The same for one of a server that its host has not any more."""


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


class Agents:
    """What the agents of this machine may ask."""

    def __init__(self, house: House, waiters: Waiters) -> None:
        self.house, self.waiters = house, waiters

    def refusal(self, request: Request, host: str) -> str:
        """Say why a request may not speak for a host; empty where it may."""
        return ""

    def told(self, wanted: Desired, host: str) -> Desired:
        """Return what is wanted of a host as its agent can do it."""
        return wanted

    def heard(self, report: Observed) -> Observed:
        """Return of a report what can be used here."""
        return report

    async def refused(self, request: Request, host: str) -> Response | None:
        if why := await run_in_threadpool(self.refusal, request, host):
            return JSONResponse({"message": why}, 403)
        return None

    async def desired(self, request: Request) -> Response:
        host, since = request.query_params.get("host", ""), request.query_params.get("since", "")
        if not host:
            return JSONResponse({"message": "say which host: ?host=NAME"}, 400)
        house, waiters = self.house, self.waiters
        end = asyncio.get_running_loop().time() + LONG_POLL_S
        async with waiters.subscribed(queue.host_topic(host)) as event:
            while True:
                if no := await self.refused(request, host):
                    return no
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
        return Response(encode.dumps(self.told(answer, host)), media_type="application/json")

    async def observed(self, request: Request) -> Response:
        data = await _body(request, OBSERVED_LIMIT_BYTES)
        if data is None:
            return JSONResponse({"message": f"a report has at most {OBSERVED_LIMIT_BYTES} bytes"}, 413)
        try:
            report = encode.loads(Observed, data)
        except ValueError as error:
            return JSONResponse({"message": str(error)}, 400)
        if no := await self.refused(request, report.host):
            return no
        await run_in_threadpool(compute.observe, self.house, self.heard(report))
        return JSONResponse({})

    async def image_data(self, request: Request) -> Response:
        host, id = request.query_params.get("host", ""), request.path_params["id"]
        if no := await self.refused(request, host):
            return no
        try:
            if not await run_in_threadpool(may_have_image, self.house, host, id):
                return JSONResponse({"message": f"no server of host {host!r} is made from image {id!r}"}, 404)
            source = await run_in_threadpool(image.open_data, self.house, id)
        except ClearskyError as error:
            return JSONResponse({"message": error.message}, error.code)
        length = {"Content-Length": str(source.size)}
        return StreamingResponse(image.stream(source, 0, source.size), 200, length)

    def routes(self) -> list[Route]:
        return [
            Route("/agent/v1/desired", self.desired, methods=["GET"]),
            Route("/agent/v1/observed", self.observed, methods=["POST"]),
            Route("/agent/v1/images/{id}", self.image_data, methods=["GET"]),
        ]


class OtherHosts(Agents):
    """What the agents of other hosts may ask, and machines that join; `entered` hears of these."""

    def __init__(self, house: House, waiters: Waiters, entered: Callable[[], None]) -> None:
        super().__init__(house, waiters)
        self._entered = entered

    def refusal(self, request: Request, host: str) -> str:
        return registry.refusal(self.house.config, getattr(request.state, "peer", None), host)

    async def refused(self, request: Request, host: str) -> Response | None:
        no = await super().refused(request, host)
        if no is not None:
            no.headers["Connection"] = "close"
        return no

    async def observed(self, request: Request) -> Response:
        if not getattr(request.state, "peer", None):
            return JSONResponse({"message": "no host's certificate was shown"}, 403)
        return await super().observed(request)

    def told(self, wanted: Desired, host: str) -> Desired:
        """Let it fetch images: no path of this machine leads to them there. Say whom its part of OVN may trust."""

        def fetched(disk: DesiredDisk) -> DesiredDisk:
            return replace(disk, image_path="")

        servers = tuple(
            replace(
                server,
                root_disk=fetched(server.root_disk),
                rescue=fetched(server.rescue) if server.rescue else None,
            )
            for server in wanted.servers
        )
        config = self.house.config
        wanted = replace(wanted, servers=servers)
        if not config.clustered:
            return wanted
        known, databases = registry.member(config, host), registry.databases(config)
        keeps = known is not None and known.address in databases
        return replace(
            wanted,
            databases=databases,
            databases_pem=registry.databases_file(config).read_text(encoding="utf-8"),
            trusted_pem=registry.trusted_file(config).read_text(encoding="utf-8") if keeps else "",
        )

    def heard(self, report: Observed) -> Observed:
        """Put what it has sent in the place of its own paths: here these would lead to nothing, or to something else."""
        sent: dict[tuple[str, str], Path] = {}
        wanted = {server.id: server.snapshot for server in report.servers}
        for file in self._snapshots.glob("* *"):
            server_id, _, token = file.name.partition(" ")
            if wanted.get(server_id) == token:
                sent[server_id, token] = file
            elif time.time() - file.stat().st_mtime > (KEPT_S if server_id in wanted else ABANDONED_S):
                file.unlink(missing_ok=True)
        servers = tuple(
            replace(
                server,
                console_path="",
                snapshot=server.snapshot if (server.id, server.snapshot) in sent else "",
                snapshot_path=str(sent.get((server.id, server.snapshot), "")),
            )
            for server in report.servers
        )
        return replace(report, servers=servers)

    async def take_snapshot(self, request: Request) -> Response:
        """Take a copy of a server's disk that was asked for, whole or not at all."""
        host, token = request.query_params.get("host", ""), request.query_params.get("token", "")
        server_id = str(request.path_params["id"])
        if no := await self.refused(request, host):
            return no
        if not await run_in_threadpool(may_give_snapshot, self.house, host, server_id, token):
            return JSONResponse({"message": f"no copy of {server_id!r} is wanted from host {host!r}"}, 404)
        limit = self.house.config.image.size_limit_gib << 30
        self._snapshots.mkdir(mode=0o700, exist_ok=True)
        target = self._snapshots / f"{server_id} {token}"
        unfinished = self._snapshots / f"{server_id}.new"
        size = 0
        with unfinished.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    break
                await run_in_threadpool(file.write, chunk)
        if size > limit or str(size) != request.headers.get("content-length", ""):
            unfinished.unlink()
            return JSONResponse(
                {"message": f"{size} bytes came; at most {limit} are taken, and all or none"}, 400
            )
        unfinished.rename(target)
        return JSONResponse({})

    @property
    def _snapshots(self) -> Path:
        """Folder of the copies that hosts have sent: `SERVER TOKEN`."""
        return self.house.config.state / "snapshots"

    async def authority(self, _request: Request) -> Response:
        text = (certificates.folder(self.house.config) / "ca.pem").read_text(encoding="utf-8")
        return JSONResponse({"authority": text})

    def _tell(self) -> None:
        """Let the others hear of a new host: those that keep OVN's databases must believe it."""
        config = self.house.config
        if config.clustered:
            with self.house.db.write() as c:
                for member in registry.members(config):
                    queue.bump_host(c, member.name)

    async def join(self, request: Request) -> Response:
        data = await _body(request, QUESTION_LIMIT_BYTES)
        if data is None:
            return JSONResponse({"message": f"at most {QUESTION_LIMIT_BYTES} bytes"}, 413)
        try:
            question = encode.loads(door.Question, data)
            welcome = await run_in_threadpool(door.ask, self.house.config, question)
        except ValueError as error:
            return JSONResponse({"message": str(error)}, 400)
        except registry.Refused as error:
            return JSONResponse({"message": str(error)}, 403)
        except OSError as error:
            log.warning("nobody opens the door to a new host", error=str(error))
            return JSONResponse({"message": "the control plane's agent does not answer; try again"}, 503)
        self._entered()
        await run_in_threadpool(self._tell)
        return Response(encode.dumps(welcome), media_type="application/json")

    def routes(self) -> list[Route]:
        return [
            *super().routes(),
            Route("/agent/v1/authority", self.authority, methods=["GET"]),
            Route("/agent/v1/join", self.join, methods=["POST"]),
            Route("/agent/v1/snapshots/{id:uuid}", self.take_snapshot, methods=["PUT"]),
        ]


def make(house: House, waiters: Waiters) -> Starlette:
    """Return the ASGI app for the agents of this machine."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        waiters.start()
        yield

    return Starlette(routes=Agents(house, waiters).routes(), lifespan=lifespan)


def make_for_hosts(house: House, waiters: Waiters, entered: Callable[[], None]) -> Starlette:
    """Return the ASGI app for the agents of other hosts."""
    return Starlette(routes=OtherHosts(house, waiters, entered).routes())


async def _body(request: Request, limit: int) -> bytes | None:
    """Read a body; None where it is longer than the limit."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            return None
    return bytes(data)


def _revision(house: House, host: str) -> int:
    with house.db.read() as connection:
        return queue.host_revision(connection, host)
