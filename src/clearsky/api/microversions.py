"""Microversion negotiation: what the client asks for in a header, what it gets, and how that is said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from clearsky.errors import Invalid, NotAcceptable

Version = tuple[int, int]
_SHAPE = re.compile(r"([1-9]\d{0,3})\.(0|[1-9]\d{0,3})")


@dataclass(frozen=True, slots=True)
class Microversions:
    """The range of one service; `service_type` is its name in the OpenStack-API-Version header."""

    service_type: str
    minimum: Version
    maximum: Version
    legacy_header: str = ""
    """An older header with only the number, such as X-OpenStack-Nova-API-Version."""

    def negotiate(self, headers: Mapping[str, str]) -> Version:
        """Return the version asked for, the minimum by default; raises Invalid or NotAcceptable."""
        asked = self._asked(headers)
        if not asked:
            return self.minimum
        if asked == "latest":
            return self.maximum
        match = _SHAPE.fullmatch(asked)
        if not match:
            raise Invalid(
                f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum.",
                kind="InvalidAPIVersionString",
            )
        version = (int(match[1]), int(match[2]))
        if not self.minimum <= version <= self.maximum:
            raise NotAcceptable(
                f"Version {asked} is not supported by the API. Minimum is {text(self.minimum)} "
                f"and maximum is {text(self.maximum)}.",
                headers=self.headers(version),
            )
        return version

    def _asked(self, headers: Mapping[str, str]) -> str:
        for part in headers.get("openstack-api-version", "").split(","):
            name, _, version = part.strip().partition(" ")
            if name.lower() == self.service_type and version.strip():
                return version.strip().lower()
        return headers.get(self.legacy_header.lower(), "").strip().lower() if self.legacy_header else ""

    def headers(self, version: Version) -> dict[str, str]:
        """Return the response headers that say which version was used."""
        vary = "OpenStack-API-Version"
        result = {"OpenStack-API-Version": f"{self.service_type} {text(version)}"}
        if self.legacy_header:
            result[self.legacy_header] = text(version)
            vary += f", {self.legacy_header}"
        return result | {"Vary": vary}


def text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
