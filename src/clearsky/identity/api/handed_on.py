"""What tokens that were handed on for one purpose may not do."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call
from clearsky.errors import Forbidden, NotFound
from clearsky.identity import tables as t
from clearsky.identity.store import assignment, delegation, get
from clearsky.identity.tokens import Token


def refuse_restricted(c: Connection, call: Call, what: str) -> None:
    """Raise Forbidden for the token of an application credential that may not manage `what`."""
    token: Token = call.caller.token
    if not token.application_credential_id:
        return
    row = delegation.application_credential(c, token.application_credential_id)
    if not row.unrestricted:
        raise Forbidden(
            "You are not authorized to perform the requested action: Using method 'application_credential' is not "
            f"allowed for managing {what}: this one is restricted."
        )


def refuse_delegated(call: Call, action: str) -> None:
    """Raise Forbidden for the token of a trust or of OAuth1: what it makes would outlive it."""
    token: Token = call.caller.token
    if token.trust_id or token.access_token_id:
        kind = "trust-scoped" if token.trust_id else "OAuth-scoped"
        raise Forbidden(
            f"You are not authorized to perform the requested action: Using a {kind} token to {action}."
        )


def wanted_roles(c: Connection, given: list[dict[str, Any]]) -> list[str]:
    """Return the ids of roles named by id or name; raises NotFound."""
    ids = []
    for one in given:
        if "id" in one:
            ids.append(str(get(c, t.roles, one["id"], "role").id))
            continue
        row = assignment.role_named(c, one["name"])
        if row is None:
            raise NotFound(f"Could not find role: {one['name']}.")
        ids.append(str(row.id))
    return list(dict.fromkeys(ids))
