"""Image data from the Image service of another region that trusts the same Identity service (glance-download).

It is asked with the token of whoever wanted the import, which is kept encrypted until the task ends.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken

from clearsky import __version__, certificates
from clearsky.errors import Invalid, Unavailable
from clearsky.house import House
from clearsky.identity import service as identity
from clearsky.image.download import Download, NotFetched, accept
from clearsky.image.schema.images import CREATE

_DESCRIPTION_BYTES = 1 << 20
_FORMATS = ("disk_format", "container_format")


def seal(house: House, token: str) -> str:
    return identity.credential_keys(house).encrypt(token.encode()).decode()


def _open(house: House, sealed: str) -> str:
    try:
        return identity.credential_keys(house).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise NotFetched("The token that the import was asked with cannot be read any more") from error


class Source:
    """One image there. Raises NotFetched where what is wrong is final, Unavailable where it may pass."""

    def __init__(self, house: House, project_id: str, plan: dict[str, Any], deadline_at: float) -> None:
        self._house, self._deadline_at = house, deadline_at
        self._where = f"image {plan['image_id']} of region {plan['region']!r:.80}"
        base = identity.endpoint(house, project_id, "image", plan["region"], plan["interface"])
        if base is None:
            raise NotFetched(
                f"The catalog has no {plan['interface']!r:.80} endpoint of an image service in {plan['region']!r:.80}"
            )
        self._url = f"{base.rstrip('/').removesuffix('/v2')}/v2/images/{plan['image_id']}"
        self._token = _open(house, plan["token"])

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._url)
        idle_s = self._house.config.image.download_idle_s
        timeout_s = max(1.0, min(idle_s, self._deadline_at - time.time()))
        if parts.scheme != "https":
            return http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
        context = ssl.create_default_context()
        if (own := certificates.authority_file(self._house.config)) is not None:
            context.load_verify_locations(own)
        return http.client.HTTPSConnection(parts.netloc, timeout=timeout_s, context=context)

    def _ask(self, below: str, limit_bytes: int) -> Download:
        connection = self._connect()
        headers = {"X-Auth-Token": self._token, "User-Agent": f"clearsky/{__version__}"}
        try:
            connection.request("GET", urlsplit(self._url).path + below, headers=headers)
            return accept(self._url + below, connection, connection.getresponse(), limit_bytes)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(f"The {self._where} cannot be asked for: {error}") from error
        except BaseException:
            connection.close()
            raise

    def describe(self) -> dict[str, Any]:
        """Return what is taken over: formats, some custom properties, the SHA-512."""
        answer = self._ask("", _DESCRIPTION_BYTES)
        try:
            told = json.loads(b"".join(answer.chunks()))
            found = {name: told[name] for name in _FORMATS}
            status = told["status"]
        except (ValueError, KeyError, TypeError) as error:
            raise NotFetched(f"The {self._where} is not described as an image: {error!r:.200}") from error
        finally:
            answer.close()
        if status != "active":
            raise NotFetched(f"The {self._where} is {status!r:.40}: only an active image has data")
        beginnings = self._house.config.image.glance_download_properties
        found["properties"] = {name: value for name, value in told.items() if name.startswith(beginnings)}
        self._check(found)
        digest = told.get("os_hash_value") if told.get("os_hash_algo") == "sha512" else None
        return found | {"os_hash_value": digest}

    def _check(self, found: dict[str, Any]) -> None:
        """Believe another service no more than a client."""
        try:
            CREATE.check({name: found[name] for name in _FORMATS} | found["properties"])
        except Invalid as error:
            raise NotFetched(f"The {self._where} cannot be taken over: {error.message}") from error
        if not all(found[name] for name in _FORMATS):
            raise NotFetched(f"The {self._where} says neither disk_format nor container_format")
        if len(found["properties"]) > self._house.config.image.property_limit >= 0:
            raise NotFetched(f"The {self._where} has too many properties")

    def open_data(self, limit_bytes: int) -> Download:
        """Begin to fetch the data."""
        return self._ask("/file", limit_bytes)
