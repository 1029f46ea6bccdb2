"""The agent's line to the control plane: HTTP on a UNIX socket of this machine, or with mutual TLS to another one."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

from clearsky import encode
from clearsky.agent.host import HostError
from clearsky.agent.protocol import Desired, Observed
from clearsky.config import Config
from clearsky.hosts import joining

CONNECT_S = 5.0
LONG_POLL_S = 40.0
REPORT_S = 30.0
CHUNK_BYTES = 4 << 20


class NotReached(Exception):
    """The control plane does not answer now; it will be asked again."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("agent", timeout=timeout_s)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class ControlPlane:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._where = config.hosts.control or str(config.agent_api_socket)

    def _connection(self) -> http.client.HTTPConnection:
        config = self._config
        if not config.joined:
            return _Connection(config.agent_api_socket, CONNECT_S)
        context = ssl.create_default_context(cafile=str(joining.control_file(config)))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(joining.certificate_file(config), joining.key_file(config))
        control = (config.hosts.control, config.hosts.port)
        return http.client.HTTPSConnection(*control, timeout=CONNECT_S, context=context)

    @staticmethod
    def _open(connection: http.client.HTTPConnection, timeout_s: float) -> None:
        """Connect, with little patience; then wait for answers so long."""
        connection.connect()
        connection.sock.settimeout(timeout_s)

    def _ask(self, method: str, url: str, body: bytes | None, timeout_s: float) -> bytes:
        connection = self._connection()
        try:
            self._open(connection, timeout_s)
            connection.request(method, url, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotReached(f"{self._where}: {error}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise NotReached(
                f"{method} {url} answered {answer.status}: {data[:300].decode(errors='replace')}"
            )
        return data

    def desired(self, host: str, since: str) -> Desired:
        """Return what is wanted of this host, as soon as it differs from revision `since`, or after a while."""
        query = urlencode({"host": host, "since": since})
        return encode.loads(Desired, self._ask("GET", f"/agent/v1/desired?{query}", None, LONG_POLL_S))

    def image(self, host: str, image_id: str) -> Iterator[bytes]:
        """Yield the bytes of an image that a server of this host is made from; raises HostError."""
        connection = self._connection()
        try:
            self._open(connection, REPORT_S)
            connection.request("GET", f"/agent/v1/images/{quote(image_id)}?{urlencode({'host': host})}")
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                said = answer.read(300).decode(errors="replace")
                raise HostError(f"image {image_id} cannot be fetched: {answer.status} {said}")
            while chunk := answer.read(CHUNK_BYTES):
                yield chunk
            if answer.length:
                raise HostError(f"image {image_id} broke off {answer.length} bytes before its end")
        except (OSError, http.client.HTTPException) as error:
            raise HostError(f"image {image_id} cannot be fetched: {error}") from error
        finally:
            connection.close()

    def give_snapshot(self, host: str, server_id: str, token: str, path: Path) -> None:
        """Send the copy of a server's disk to the control plane; raises HostError."""
        connection = self._connection()
        url = f"/agent/v1/snapshots/{quote(server_id)}?{urlencode({'host': host, 'token': token})}"
        try:
            with path.open("rb") as file:
                self._open(connection, REPORT_S)
                connection.request("PUT", url, file, {"Content-Length": str(path.stat().st_size)})
            answer = connection.getresponse()
            said = answer.read(300).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise HostError(f"the copy of {server_id}'s disk cannot be sent: {error}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise HostError(f"the copy of {server_id}'s disk is not taken: {answer.status} {said}")

    def report(self, observed: Observed) -> None:
        self._ask("POST", "/agent/v1/observed", encode.dumps(observed), REPORT_S)
