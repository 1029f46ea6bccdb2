"""The agent's line to the control plane: HTTP on a UNIX socket of this machine."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path
from urllib.parse import urlencode

from clearsky import encode
from clearsky.agent.protocol import Desired, Observed

LONG_POLL_S = 60.0
REPORT_S = 30.0


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

    def report(self, observed: Observed) -> None:
        self._ask("POST", "/agent/v1/observed", encode.dumps(observed), REPORT_S)
