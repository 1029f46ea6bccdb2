"""The api process: `python -m clearsky.api`. In a simulated cloud it is the only one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator

import uvicorn
import uvloop

from clearsky import agent_api, app, certificates, config, console, logs, simulation
from clearsky.house import House

RELOAD_S = 5.0
GRACE_S = 5
"""Requests under way get so long when the process is told to end."""


def _listen(settings: config.Api) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        sys.exit(f"the api cannot listen on {settings.host}:{settings.port} ([api] host, port): {error}")
    listener.listen(1024)
    return listener


def _listen_agents(settings: config.Config) -> socket.socket:
    path = settings.agent_api_socket
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(64)
    return listener


class _Server(uvicorn.Server):
    """One of two servers in this process: signals are for both, so neither takes them for itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(application: object, tls: ssl.SSLContext | None = None) -> _Server:
    settings = uvicorn.Config(
        application,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
        ws="websockets-sansio",
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )
    return _Server(settings)


async def _keep_fresh(settings: config.Config, tls: ssl.SSLContext) -> None:
    """Show a renewed certificate to those who connect from now on."""
    file = certificates.folder(settings) / "api.pem"
    shown = file.stat().st_mtime_ns
    while True:
        await asyncio.sleep(RELOAD_S)
        with contextlib.suppress(OSError):  # a file that is just being replaced: at the next look
            if (now := file.stat().st_mtime_ns) != shown:
                certificates.load(settings, tls)
                shown = now


async def _serve(house: House) -> None:
    settings = house.config
    waiters = agent_api.Waiters(house)
    tls = certificates.context(settings) if settings.tls else None
    public = _server(app.api(house, mounts={"console": console.make(house)}), tls)
    agents = _server(agent_api.make(house, waiters))

    def stop() -> None:
        public.should_exit = agents.should_exit = True
        waiters.close()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    tasks = [
        asyncio.create_task(public.serve([_listen(settings.api)])),
        asyncio.create_task(agents.serve([_listen_agents(settings)])),
    ]
    if tls:
        tasks.append(asyncio.create_task(_keep_fresh(settings, tls)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop()
        if tls:
            tasks.pop().cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


def main() -> None:
    settings = config.load()
    logs.configure("api")
    house = app.open_house(settings)
    if settings.cloud.simulate:
        simulation.start(house)
    uvloop.run(_serve(house))


if __name__ == "__main__":
    main()
