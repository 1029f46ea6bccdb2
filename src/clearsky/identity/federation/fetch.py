"""Fetching from an identity provider: JSON only, so much, so long, no redirects, and only over TLS or on loopback."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import orjson

from clearsky.errors import Unavailable

LIMIT_BYTES = 512 * 1024
TIMEOUT_S = 10.0


def is_safe(url: str) -> bool:
    """Say whether answers from `url` can be trusted to come from there: https, or http on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def json(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    ca_file: str = "",
) -> dict[str, Any]:
    """Return the JSON object at `url`; raises Unavailable for everything else that may come."""
    if not is_safe(url):
        raise Unavailable(f"The identity provider's URL {url!r:.200} is neither https nor on this machine.")
    parts = urlsplit(url)
    try:
        raw, status = _ask(parts, method, body, {"Accept": "application/json"} | (headers or {}), ca_file)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"The identity provider cannot be reached at {url!r:.200}: {error}") from error
    if status != 200:
        raise Unavailable(f"The identity provider answered {status} at {url!r:.200}.")
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Unavailable(f"The identity provider's answer at {url!r:.200} is not JSON.") from error
    if not isinstance(found, dict):
        raise Unavailable(f"The identity provider's answer at {url!r:.200} is not a JSON object.")
    return found


def _ask(
    parts: Any, method: str, body: bytes | None, headers: dict[str, str], ca_file: str
) -> tuple[bytes, int]:
    end = time.monotonic() + TIMEOUT_S
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca_file or None)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        pieces, size = [], 0
        while piece := answer.read1(65536):
            pieces.append(piece)
            size += len(piece)
            if size > LIMIT_BYTES:
                raise ValueError(f"the answer is longer than {LIMIT_BYTES} bytes")
            if time.monotonic() > end:
                raise TimeoutError(f"the answer takes longer than {TIMEOUT_S:.0f} s")
        return b"".join(pieces), answer.status
    finally:
        connection.close()
