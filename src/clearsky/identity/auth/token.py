"""By a token that one has already: to scope it anew."""

from __future__ import annotations

from typing import Any

from clearsky.errors import Forbidden, NotFound, Unauthorized
from clearsky.house import House
from clearsky.identity import service
from clearsky.identity.auth.interface import Proof
from clearsky.identity.tokens import Token


def authenticate(house: House, given: dict[str, Any]) -> Proof:
    """Check a token; raises NotFound where it is void, Forbidden where it was handed on for one purpose only."""
    try:
        token: Token = service.validate(house, given["id"]).token
    except Unauthorized as error:
        raise NotFound("Could not find token: it is void, expired or revoked.") from error
    for handed_on, kind in (
        (token.trust_id, "trust-scoped"),
        (token.access_token_id, "OAuth-scoped"),
        (token.application_credential_id, "application credential's"),
    ):
        if handed_on:
            raise Forbidden(
                f"You are not authorized to perform the requested action: Using {kind} token to create another "
                f"token. Create a new {kind} token instead."
            )
    return Proof(token.user_id, ("token", *token.methods), parent=token, federation=token.federation)
