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
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from clearsky import agent_api, app, certificates, config, console, logs, simulation
from clearsky.api.server import Connection
from clearsky.hosts import registry
from clearsky.house import House

RELOAD_S = 5.0
GRACE_S = 5
"""Requests under way get so long when the process is told to end."""


def _listen(host: str, port: int, called: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        sys.exit(f"the api cannot listen on {host}:{port} ({called}): {error}")
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
    """One of several servers in this process: signals are for all, so none takes them for itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Known(HttpToolsProtocol):
    """Tells the application what certificate the other side has shown: `peer` (DER, or None) in a request's state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self.app_state = self.app_state | {"peer": tls.getpeercert(binary_form=True) if tls else None}


def _server(application: object, tls: ssl.SSLContext | None = None, *, known: bool = False) -> _Server:
    settings = uvicorn.Config(
        application,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
        ws="websockets-sansio",
        http=_Known if known else Connection,
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )
    return _Server(settings)


async def _keep_fresh(settings: config.Config, shown: dict[str, ssl.SSLContext]) -> None:
    """Show renewed certificates to those who connect from now on."""
    files = {name: certificates.folder(settings) / f"{name}.pem" for name in shown}
    times = {name: file.stat().st_mtime_ns for name, file in files.items()}
    while True:
        await asyncio.sleep(RELOAD_S)
        for name, file in files.items():
            with contextlib.suppress(OSError):  # a file that is just being replaced: at the next look
                if (now := file.stat().st_mtime_ns) != times[name]:
                    certificates.load(settings, shown[name], name)
                    times[name] = now


def _for_hosts(house: House, waiters: agent_api.Waiters) -> tuple[_Server, ssl.SSLContext]:
    """Return the server for the agents of other hosts, and its TLS context."""
    tls = certificates.context(house.config, "agents")
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    # Who joins has none yet. What an earlier host shows may still be taken here: each request is looked at.
    tls.verify_mode = ssl.CERT_OPTIONAL

    def trust() -> None:
        tls.load_verify_locations(registry.trusted_file(house.config))

    trust()
    return _server(agent_api.make_for_hosts(house, waiters, trust), tls, known=True), tls


async def _serve(house: House) -> None:
    settings = house.config
    waiters = agent_api.Waiters(house)
    shown: dict[str, ssl.SSLContext] = {}
    if settings.tls:
        shown["api"] = certificates.context(settings)
    public = _server(app.api(house, mounts={"console": console.make(house)}), shown.get("api"))
    agents = _server(agent_api.make(house, waiters))
    hosts = None
    if settings.serves_hosts:
        hosts, shown["agents"] = _for_hosts(house, waiters)

    def stop() -> None:
        for server in (public, agents, hosts):
            if server is not None:
                server.should_exit = True
        waiters.close()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    own = settings.api
    tasks = [
        asyncio.create_task(public.serve([_listen(own.host, own.port, "[api] host, port")])),
        asyncio.create_task(agents.serve([_listen_agents(settings)])),
    ]
    if hosts is not None:
        heard = _listen(settings.hosts.address, settings.hosts.port, "[hosts] address, port")
        tasks.append(asyncio.create_task(hosts.serve([heard])))
    fresh = asyncio.create_task(_keep_fresh(settings, shown))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop()
        fresh.cancel()
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
