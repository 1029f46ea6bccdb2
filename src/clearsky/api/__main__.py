"""The api process: `python -m clearsky.api`. In a simulated cloud it is the only one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys

import uvicorn
import uvloop

from clearsky import agent_api, app, config, console, logs, simulation
from clearsky.house import House


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


def _server(application: object) -> uvicorn.Server:
    settings = uvicorn.Config(
        application,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        ws="websockets-sansio",
    )
    return uvicorn.Server(settings)


async def _serve(house: House) -> None:
    settings = house.config
    public = _server(app.api(house, mounts={"console": console.make(house)}))
    agents = _server(agent_api.make(house))
    tasks = [
        asyncio.create_task(public.serve([_listen(settings.api)])),
        asyncio.create_task(agents.serve([_listen_agents(settings)])),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        public.should_exit = agents.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


def main() -> None:
    settings = config.load()
    logs.configure("api")
    house = app.open_house(settings)
    if settings.cloud.simulate:
        simulation.start(house)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(house))


if __name__ == "__main__":
    main()
