"""OAuth 2.0 client credentials (RFC 6749 §4.4): an application credential as client, a token as access token."""

from __future__ import annotations

import base64
import binascii
import time
from urllib.parse import unquote_plus

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.errors import ClearskyError, Invalid, Unauthorized
from clearsky.identity import service
from clearsky.identity.api.auth import refusing
from clearsky.identity.auth import application_credential, issue
from clearsky.identity.auth.receipt import InsufficientMethods
from clearsky.identity.tokens import seal

routes = Routes()


def _fault(status: int, error: str, description: str, headers: dict[str, str] | None = None) -> Reply:
    """Answer as RFC 6749 §5.2 has it."""
    return Reply(
        {"error": error, "error_description": description}, status=status, headers=_UNKEPT | (headers or {})
    )


_UNKEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@routes.post("/v3/OS-OAUTH2/token", rule=PUBLIC)
def issue_access_token(call: Call) -> Reply:
    """Give an access token to an application credential that proves itself by HTTP Basic."""
    form = call.body if isinstance(call.body, dict) else {}
    grant = form.get("grant_type")
    if not grant:
        return _fault(400, "invalid_request", "The parameter grant_type is required.")
    if grant != "client_credentials":
        return _fault(400, "unsupported_grant_type", "The parameter grant_type should be client_credentials.")
    challenge = {"WWW-Authenticate": f'Basic realm="{call.base_url}"'}
    client = _client(call)
    if client is None:
        return _fault(
            401,
            "invalid_client",
            "Client authentication failed: HTTP Basic with id and secret is needed.",
            challenge,
        )
    id, secret = client
    try:
        with refusing(call, {"id": id}, ["application_credential"]):
            proof = application_credential.authenticate(call.house, {"id": id, "secret": secret})
            standing = issue.finish(call.house, proof, {}, "")
    except (InsufficientMethods, Unauthorized, Invalid):
        return _fault(401, "invalid_client", "Client authentication failed.", challenge)
    except ClearskyError as error:
        return _fault(error.code, "invalid_request", error.message)
    token = standing.token
    shown = {
        "access_token": seal(service.keys(call.house), token),
        "token_type": "Bearer",
        "expires_in": int(token.expires_at - time.time()),
    }
    return Reply(shown, headers=_UNKEPT)


def _client(call: Call) -> tuple[str, str] | None:
    """Return id and secret of HTTP Basic authentication; both may be form-encoded (RFC 6749 §2.3.1)."""
    scheme, _, text = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        id, found, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (unquote_plus(id), unquote_plus(secret)) if found and id and secret else None
