"""What an authentication method is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from clearsky.house import House
from clearsky.identity.tokens import Federation, Token


@dataclass(frozen=True, slots=True)
class Proof:
    """Who was proven to be there, and what that means for the token."""

    user_id: str
    methods: tuple[str, ...]
    """The method's own name; the token method adds those of the token before."""
    parent: Token | None = None
    """The token that was shown: the new one ends with it and belongs to its chain."""
    application_credential_id: str = ""
    access_token_id: str = ""
    """The OAuth1 access token that the request was signed with."""
    project_id: str = ""
    """The only project that the token may be for."""
    federation: Federation | None = None


class Method(Protocol):
    def __call__(self, house: House, given: dict[str, Any]) -> Proof:
        """Return the proof for `auth.identity.METHOD`.

        Raises Unauthorized, in the same words and after the same work whether the user exists or not.
        """
        ...
