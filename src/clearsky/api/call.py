"""One request as a handler sees it, and its reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, QueryParams

from clearsky.api.body import Body
from clearsky.api.microversions import Version
from clearsky.api.policy import Policy
from clearsky.caller import Caller
from clearsky.errors import Unauthorized
from clearsky.house import House


def content_type(headers: Headers) -> str:
    """Return the content type that a request declares, without parameters; JSON's where it says nothing."""
    return headers.get("content-type", "application/json").partition(";")[0].strip().lower()


@dataclass(slots=True)
class Call:
    house: House
    policy: Policy
    method: str
    path: str
    params: dict[str, str]
    """Variable parts of the path, by name."""
    query: QueryParams
    headers: Headers
    request_id: str
    base_url: str
    """Scheme, host and service prefix as the client sees them: links start with it."""
    version: Version = (0, 0)
    optional_caller: Caller | None = None
    """None where no (valid) token came with a public route."""
    body: Any = None
    """Parsed and validated JSON; None where the route takes none."""
    data: Body | None = None
    """The raw body of a streaming route."""
    client: str = ""
    action: str = ""

    @property
    def caller(self) -> Caller:
        if self.optional_caller is None:
            raise Unauthorized("The request you have made requires authentication.")
        return self.optional_caller

    @property
    def token(self) -> str:
        """The token that came with the request, also as OAuth 2.0 sends it (RFC 6750); empty: none."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return self.headers.get("x-auth-token", "") or (value.strip() if scheme.lower() == "bearer" else "")

    @property
    def scope(self) -> str | None:
        """The project that the store's queries are limited to; None for administrators: every project."""
        return self.caller.scope

    def authorize(self, rule: str, **target: Any) -> None:
        """Raise Forbidden unless the caller may do `rule` to the target (`project_id=...`, `user_id=...`)."""
        self.policy.authorize(rule, self.caller, target)

    def may(self, rule: str, **target: Any) -> bool:
        return self.policy.allows(rule, self.caller, target)


@dataclass(slots=True)
class Reply:
    """`body` is rendered as JSON, unless it is bytes or an async iterator of bytes."""

    body: Any = None
    status: int = 0
    """0: the route's own."""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
