"""The metadata service for guests: `python -m clearsky.agent.metadata FD FOLDER`, without any privilege.

The agent hands it one listening socket for each network (over the socket FD) and writes what may be read into
FOLDER/NETWORK/ADDRESS. Who asks is known by two things that a guest cannot choose: the network that its connection
came through and the address that anti-spoofing leaves it. Everything that a guest sends is hostile.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import json
import re
import socket
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h11

IDLE_S = 15.0
REQUEST_S = 10.0
REQUEST_LIMIT_BYTES = 8192
CONNECTIONS_PER_GUEST = 16
PASSWORD, PASSWORD_LIMIT_BYTES = "openstack/latest/password", 4 * 255
TEXT, JSON = "text/plain; charset=utf-8", "application/json"
OPENSTACK_VERSIONS = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22",
    "2018-08-27", "2020-10-14", "latest",
)  # fmt: skip
"""Dated trees are the latest one: since each date files were only added."""
EC2_VERSIONS = ("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01",
                "2008-09-01", "2009-04-04", "latest")  # fmt: skip


def answer(tree: dict[str, str], path: str) -> tuple[str, bytes] | None:
    """Return content type and content at a path of the tree; None where there is nothing."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return TEXT, "\n".join((*EC2_VERSIONS, "openstack")).encode()
    if parts[0] == "openstack":
        return _openstack(tree, parts[1:])
    if parts[0] in EC2_VERSIONS:
        return _ec2(tree, parts[1:])
    return None


def _openstack(tree: dict[str, str], parts: list[str]) -> tuple[str, bytes] | None:
    if not parts:
        return TEXT, "\n".join(OPENSTACK_VERSIONS).encode()
    if parts[0] not in OPENSTACK_VERSIONS:
        return None
    folder = "openstack/latest/"
    if len(parts) == 1:
        return TEXT, "\n".join(name.removeprefix(folder) for name in tree if name.startswith(folder)).encode()
    name = "/".join(parts[1:])
    content = tree.get(folder + name)
    if content is None:
        return None
    return JSON if name.endswith(".json") else TEXT, base64.b64decode(content)


def _ec2(tree: dict[str, str], parts: list[str]) -> tuple[str, bytes] | None:
    user_data = tree.get("ec2/latest/user-data")
    if not parts:
        return TEXT, b"meta-data/" + (b"\nuser-data" if user_data is not None else b"")
    if parts == ["user-data"]:
        return None if user_data is None else (TEXT, base64.b64decode(user_data))
    if parts[0] != "meta-data":
        return None
    found: Any = json.loads(base64.b64decode(tree["ec2/latest/meta-data.json"]))
    for part in parts[1:]:
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, dict):
        return TEXT, "\n".join(
            _entry(name, value) for name, value in found.items() if name != "_name"
        ).encode()
    return None if found is None else (TEXT, str(found).encode())


def _entry(name: str, value: Any) -> str:
    """Return a folder's line in a listing: a key's line also says its name."""
    if not isinstance(value, dict):
        return name
    return f"{name}={value['_name']}" if "_name" in value else f"{name}/"


class Service:
    """`post` is told a guest's password: (network id, address, password)."""

    def __init__(self, folder: Path, post: Callable[[str, str, str], None]) -> None:
        self._folder, self._post = folder, post
        self._servers: dict[str, asyncio.Server] = {}
        self._open: Counter[tuple[str, str]] = Counter()

    async def open(self, network_id: str, listener: socket.socket) -> None:
        self.close(network_id)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(network_id, reader, writer)

        self._servers[network_id] = await asyncio.start_server(
            connected, sock=listener, limit=REQUEST_LIMIT_BYTES
        )

    def close(self, network_id: str) -> None:
        if (server := self._servers.pop(network_id, None)) is not None:
            server.close()

    async def _serve(
        self, network_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        peer = writer.get_extra_info("peername")
        who = (network_id, peer[0] if peer else "")
        self._open[who] += 1
        try:
            if self._open[who] <= CONNECTIONS_PER_GUEST:
                await self._talk(who, reader, writer)
        except (OSError, TimeoutError, h11.ProtocolError):
            pass  # the guest's own doing; it may ask again
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]
            writer.close()

    async def _talk(
        self, who: tuple[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        line = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_LIMIT_BYTES)
        while True:
            try:
                request, posted = await asyncio.wait_for(_request(line, reader), IDLE_S)
            except h11.RemoteProtocolError:
                await _send(line, writer, 400, TEXT, b"That is no HTTP request.")
                return
            if request is None:
                return
            status, kind, body = self._answer(who, request, posted)
            await asyncio.wait_for(
                _send(line, writer, status, kind, b"" if request.method == b"HEAD" else body), REQUEST_S
            )
            if line.our_state is h11.MUST_CLOSE or line.their_state is not h11.DONE:
                return
            line.start_next_cycle()

    def _answer(self, who: tuple[str, str], request: h11.Request, posted: bytes) -> tuple[int, str, bytes]:
        path = request.target.decode("ascii", "replace").partition("?")[0]
        is_password = re.fullmatch(r"/openstack/[^/]+/password/?", path) is not None
        if request.method not in (b"GET", b"HEAD") and not (request.method == b"POST" and is_password):
            return 405, TEXT, b"This service is only read."
        tree = self._tree(*who)
        if tree is None:
            return 404, TEXT, b"No server with your address is known on this network."
        if request.method == b"POST":
            return self._take_password(who, tree, posted)
        found = answer(tree, path)
        return (200, *found) if found is not None else (404, TEXT, b"There is nothing at this path.")

    def _take_password(
        self, who: tuple[str, str], tree: dict[str, str], posted: bytes
    ) -> tuple[int, str, bytes]:
        """Take the password that a guest has set and encrypted; one that is known is not changed by a guest."""
        if tree.get(PASSWORD):
            return 409, TEXT, b"A password is set already."
        if len(posted) > PASSWORD_LIMIT_BYTES:
            return 400, TEXT, b"The password is too long."
        try:
            self._post(*who, posted.decode("utf-8", "replace"))
        except OSError:
            return 503, TEXT, b"Nobody takes the password now. Try again."
        return 200, TEXT, b""

    def _tree(self, network_id: str, address: str) -> dict[str, str] | None:
        with contextlib.suppress(OSError, ValueError):
            name = str(ipaddress.ip_address(address))
            return dict(json.loads((self._folder / network_id / name).read_text(encoding="utf-8")))
        return None


async def _request(line: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request | None, bytes]:
    """Read one request and the beginning of its body; None where the guest has hung up."""
    request: h11.Request | None = None
    body = b""
    while True:
        event = line.next_event()
        if event is h11.NEED_DATA:
            line.receive_data(await reader.read(REQUEST_LIMIT_BYTES))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.EndOfMessage):
            return request, body
        elif isinstance(event, h11.Data):
            body = (body + event.data)[: PASSWORD_LIMIT_BYTES + 1]
        else:
            return None, b""


async def _send(
    line: h11.Connection, writer: asyncio.StreamWriter, status: int, kind: str, body: bytes
) -> None:
    if line.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
        writer.write(line.send(event) or b"")
    await writer.drain()


async def _run(line: socket.socket, folder: Path) -> None:
    def post(network_id: str, address: str, password: str) -> None:
        line.send(json.dumps([network_id, address, password]).encode())

    service, loop = Service(folder, post), asyncio.get_running_loop()
    ended = asyncio.Event()
    pending: set[asyncio.Task[None]] = set()

    def heard() -> None:
        message, descriptors, _, _ = socket.recv_fds(line, 256, 1)
        if not message:
            ended.set()  # the agent is gone; the next one starts its own service
        elif message[:1] == b"+":
            listener = socket.socket(fileno=descriptors[0])
            listener.setblocking(False)
            task = loop.create_task(service.open(message[1:].decode(), listener))
            pending.add(task)
            task.add_done_callback(pending.discard)
        else:
            service.close(message[1:].decode())

    loop.add_reader(line, heard)
    await ended.wait()


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[1]))
    line.setblocking(False)
    asyncio.run(_run(line, Path(sys.argv[2])))


if __name__ == "__main__":
    main()
