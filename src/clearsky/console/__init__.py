"""The remote console: a page with noVNC, and the WebSocket that carries VNC, from the APIs' own origin and port.

A console token (from POST /servers/{id}/remote-consoles) opens it; the token is short-lived and names one server.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from clearsky.compute import service as compute
from clearsky.console.assets import folder
from clearsky.errors import ClearskyError
from clearsky.house import House

log = structlog.get_logger("console")
PAGE = Path(__file__).with_name("page.html")
CHUNK_BYTES = 65536


def make(house: House) -> Starlette:
    """Return the ASGI app that is mounted at /console."""
    novnc = folder(house.config)

    async def page(request: Request) -> Response:
        if not request.query_params.get("token"):
            return PlainTextResponse("A console is opened with the URL from POST remote-consoles.", 400)
        if novnc is None:
            return PlainTextResponse(
                "The files of noVNC are missing on this host: `clearsky up` brings them.", 503
            )
        policy = "default-src 'self'; connect-src 'self' ws: wss:; style-src 'self' 'unsafe-inline'"
        return HTMLResponse(
            PAGE.read_text(), headers={"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
        )

    async def script(_request: Request) -> Response:
        return Response(PAGE.with_name("page.js").read_bytes(), media_type="text/javascript")

    async def stream(socket: WebSocket) -> None:
        if not _same_origin(socket):
            await socket.close(4403)
            return
        try:
            target = await run_in_threadpool(
                compute.console_target, house, socket.query_params.get("token", "")
            )
            reader, writer = await asyncio.open_unix_connection(str(target))
        except ClearskyError as error:
            log.info("a console was refused", reason=error.message)
            await socket.close(4401)
            return
        except OSError as error:
            log.warning("a console cannot be reached", error=str(error))
            await socket.close(4502)
            return
        wanted = "binary" if "binary" in socket.scope.get("subprotocols", []) else None
        await socket.accept(subprotocol=wanted)
        try:
            await _relay(socket, reader, writer)
        finally:
            writer.close()

    routes: list[Route | Mount | WebSocketRoute] = [
        Route("/console/", page),
        Route("/console/page.js", script),
        WebSocketRoute("/console/socket", stream),
    ]
    if novnc is not None:
        routes.append(Mount("/console/novnc", StaticFiles(directory=novnc)))
    return Starlette(routes=routes)


def _same_origin(socket: WebSocket) -> bool:
    """A page of another origin must not ride on a token that it has got hold of."""
    origin = socket.headers.get("origin")
    return origin is None or origin.partition("://")[2] == socket.headers.get("host")


async def _relay(socket: WebSocket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async def down() -> None:
        while data := await reader.read(CHUNK_BYTES):
            await socket.send_bytes(data)

    async def up() -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                writer.write(await socket.receive_bytes())
                await writer.drain()

    tasks = [asyncio.create_task(down()), asyncio.create_task(up())]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with contextlib.suppress(RuntimeError):
        await socket.close()
