"""Fetching from a URL that a client names, without letting it reach what only this machine may reach.

The host's name is resolved once, every address is checked, and the connection goes to a checked address (so that a
name that resolves differently a moment later gains nothing). Each redirect starts again from the top.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from clearsky import __version__
from clearsky.config_sections import Image
from clearsky.errors import Invalid, TooLarge, Unavailable
from clearsky.image.driver.interface import CHUNK_BYTES

_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_READ_BYTES = 1 << 20
assert _READ_BYTES <= CHUNK_BYTES


class NotFetched(Invalid):
    """The server, or this cloud's rules, do not give it; trying again would not help."""


def check(url: str, rules: Image) -> SplitResult:
    """Return the parts of a URL that the settings let be fetched; raises Invalid that says what is not allowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"URI {url!r:.200} is no URL: {error}") from error
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        raise Invalid(f"URI {url!r:.200} holds characters that a URL writes as %XX")
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")

    def refuse(reason: str) -> Invalid:
        return Invalid(f"URI for web-download does not pass filtering: {url!r:.200}: {reason}")

    if scheme not in rules.download_schemes or scheme not in _PORTS:
        raise refuse(f"the scheme must be one of {', '.join(rules.download_schemes)}")
    if not host or parts.username is not None or parts.password is not None:
        raise refuse("it must name a host, and neither user nor password")
    if rules.download_hosts and host not in rules.download_hosts:
        raise refuse(f"host {host} is not one of those that are allowed")
    if host in rules.download_hosts_denied:
        raise refuse(f"host {host} is not allowed")
    if rules.download_ports and str(port or _PORTS[scheme]) not in rules.download_ports:
        raise refuse(f"port {port or _PORTS[scheme]} is not one of {', '.join(rules.download_ports)}")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host == "localhost" or host.endswith(".localhost"):
            address = ipaddress.ip_address("127.0.0.1")
        else:
            return parts
    if not _allowed(address, rules):
        raise refuse(f"{host} is no public address")
    return parts


def _allowed(address: ipaddress.IPv4Address | ipaddress.IPv6Address, rules: Image) -> bool:
    """Say whether an address may be connected to: a public one, or one in a network that the settings name."""
    networks = [ipaddress.ip_network(text) for text in rules.download_networks]
    if any(address in network for network in networks if network.version == address.version):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        # An IPv4 address in IPv6's clothes is judged as what it is.
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _allowed(inner, rules)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _addresses(host: str, port: int, rules: Image) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotFetched(f"{host}: the name cannot be resolved: {error}") from error
    texts = list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))
    for text in texts:
        # One bad address is enough: which one a connection takes is not ours to promise.
        if not _allowed(ipaddress.ip_address(text), rules):
            raise NotFetched(f"{host} is at {text}, which is no public address: not allowed")
    return texts


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that has been checked, whatever the name means by now."""

    def __init__(self, parts: SplitResult, address: str, timeout_s: float) -> None:
        scheme = parts.scheme.lower()
        super().__init__(parts.hostname or "", parts.port or _PORTS[scheme], timeout=timeout_s)
        self._secure, self._address = scheme == "https", address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


@dataclass(slots=True)
class Download:
    """An answer whose body has not been read. `size`: as announced, None where it was not."""

    url: str
    size: int | None
    _connection: http.client.HTTPConnection
    _response: http.client.HTTPResponse

    def chunks(self) -> Iterator[bytes]:
        """Yield the body; raises Unavailable where it breaks off."""
        try:
            while chunk := self._response.read(_READ_BYTES):
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self.url:.200}: the download broke off: {error!r:.200}") from error
        if self._response.length:
            raise Unavailable(f"{self.url:.200}: the download ended {self._response.length} bytes too early")

    def close(self) -> None:
        self._connection.close()


def open_url(url: str, rules: Image, limit_bytes: int, deadline_at: float) -> Download:
    """Begin to fetch. Raises NotFetched where that is final, Unavailable where it may work later."""
    for _ in range(_REDIRECTS + 1):
        try:
            parts = check(url, rules)
        except Invalid as error:
            raise NotFetched(error.message) from error
        connection, response = _ask(parts, rules, deadline_at)
        if response.status in (301, 302, 303, 307, 308) and response.headers.get("Location"):
            connection.close()
            url = urljoin(url, response.headers["Location"])
            continue
        try:
            return accept(url, connection, response, limit_bytes)
        except BaseException:
            connection.close()
            raise
    raise NotFetched(f"{url:.200}: more than {_REDIRECTS} redirects")


def _ask(
    parts: SplitResult, rules: Image, deadline_at: float
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme.lower()]
    failure: Exception | None = None
    for address in _addresses(host, port, rules):
        timeout_s = max(1.0, min(rules.download_idle_s, deadline_at - time.time()))
        connection = _Pinned(parts, address, timeout_s)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        agent = f"clearsky/{__version__}"
        try:
            connection.request(
                "GET", target, headers={"User-Agent": agent, "Accept-Encoding": "identity", "Accept": "*/*"}
            )
            return connection, connection.getresponse()
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise NotFetched(f"{host}: its certificate is not trusted: {error.verify_message}") from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            failure = error
    raise Unavailable(f"{host} port {port} does not answer: {failure}")


def accept(
    url: str,
    connection: http.client.HTTPConnection,
    response: http.client.HTTPResponse,
    limit_bytes: int,
) -> Download:
    """Return an answer that is what was asked for; raises NotFetched, TooLarge, Unavailable."""
    if response.status >= 500 or response.status == 429:
        raise Unavailable(f"{url:.200} answered {response.status} {response.reason:.80}")
    if response.status != 200:
        raise NotFetched(f"{url:.200} answered {response.status} {response.reason:.80}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise NotFetched(f"{url:.200} is sent compressed, which was not asked for")
    if response.length is not None and response.length > limit_bytes:
        raise TooLarge(f"{url:.200} has {response.length} bytes; at most {limit_bytes} are allowed.")
    return Download(url, response.length, connection, response)
