"""The agent's line to the control plane: HTTP on a UNIX socket of this machine."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

from clearsky import encode
from clearsky.agent.host import HostError
from clearsky.agent.protocol import Desired, Observed

LONG_POLL_S = 60.0
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
    def __init__(self, path: Path) -> None:
        self._path = path

    def _ask(self, method: str, url: str, body: bytes | None, timeout_s: float) -> bytes:
        connection = _Connection(self._path, timeout_s)
        try:
            connection.request(method, url, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotReached(f"{self._path}: {error}") from error
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
        connection = _Connection(self._path, REPORT_S)
        try:
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

    def report(self, observed: Observed) -> None:
        self._ask("POST", "/agent/v1/observed", encode.dumps(observed), REPORT_S)
