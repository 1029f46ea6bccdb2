"""A small client of the cloud's own APIs, for the operator's commands on the same machine."""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
from contextlib import suppress
from http.client import HTTPMessage
from typing import Any, Protocol

import click

from clearsky.config import Config

TIMEOUT_S = 60.0
UPLOAD_TIMEOUT_S = 1800.0
"""An upload is answered when its bytes are safe on the disk, which may be a slow one."""


class Readable(Protocol):
    def read(self, length: int = ..., /) -> bytes: ...


class _Https(http.client.HTTPSConnection):
    """Connects to where the api listens, and expects the certificate of its public name."""

    def __init__(self, config: Config, timeout_s: float) -> None:
        from clearsky import certificates  # noqa: PLC0415 - plain HTTP does not need it

        trusted = certificates.authority_file(config)
        self._context_for = ssl.create_default_context(cafile=str(trusted) if trusted else None)
        super().__init__(*config.api_address, timeout=timeout_s, context=self._context_for)
        self._name = config.public_name

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._context_for.wrap_socket(plain, server_hostname=self._name)


def connect(config: Config, timeout_s: float = TIMEOUT_S) -> http.client.HTTPConnection:
    """Return a connection to the APIs; nothing is sent yet."""
    if config.tls:
        return _Https(config, timeout_s)
    return http.client.HTTPConnection(*config.api_address, timeout=timeout_s)


class Client:
    """Somebody who is logged in to a project; raises ClickException for what is refused."""

    def __init__(self, config: Config, user: str, password: str, project: str) -> None:
        self._config = config
        self.token = ""
        who = {"name": user, "domain": {"id": "default"}, "password": password}
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": scope}}
        _, headers = self.ask("POST", "/identity/v3/auth/tokens", body)
        self.token = headers["X-Subject-Token"]

    def ask(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[Any, HTTPMessage]:
        """Return the answer's body, parsed, and its headers."""
        plain = body is None or isinstance(body, bytes | io.BufferedReader)
        headers = {"Content-Type": content_type} | ({"X-Auth-Token": self.token} if self.token else {})
        connection = connect(self._config)
        try:
            connection.request(method, path, body if plain else json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise click.ClickException(f"{method} {path}: the API does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise click.ClickException(f"{method} {path} answered {answer.status}: {_reason(text)}")
        return (json.loads(text) if text else None), answer.headers

    def send(self, path: str, data: Readable, size: int) -> None:
        """PUT bytes, in large pieces; raises ClickException with what the API says, also where it says so early."""
        headers = {"X-Auth-Token": self.token, "Content-Type": "application/octet-stream"}
        connection = connect(self._config, UPLOAD_TIMEOUT_S)
        connection.blocksize = 1 << 20
        try:
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # refused in the middle: the answer says why
                connection.request("PUT", path, data, headers | {"Content-Length": str(size)})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise click.ClickException(f"PUT {path}: the API does not answer: {error!r}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise click.ClickException(f"PUT {path} answered {answer.status}: {_reason(text)}")

    def ensure(self, base: str, plural: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the resource with the body's name, made where there is none."""
        found, _ = self.ask("GET", f"{base}/{plural}?name={body['name']}")
        matching = [one for one in found[plural.replace("-", "_")] if one["name"] == body["name"]]
        if matching:
            return dict(matching[0])
        made, _ = self.ask("POST", f"{base}/{plural}", {key: body})
        return dict(made[key])


def _reason(text: bytes) -> str:
    """Return what an error's body says, shortened."""
    return f"{text.decode(errors='replace'):.300}"
