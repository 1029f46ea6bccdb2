"""Requests that are signed by OAuth 1.0 (RFC 5849): read, checked, and served once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oauthlib.oauth1.rfc5849 import signature, utils

from clearsky.api.call import Call
from clearsky.errors import Invalid, Unauthorized
from clearsky.house import House
from clearsky.identity.store import oauth1

CLOCK_S = 600.0
"""How far a client's clock may be off."""
_PREFIX = "oauth_"
_CHECKS: Mapping[str, Callable[..., bool]] = {
    "HMAC-SHA1": signature.verify_hmac_sha1,
    "HMAC-SHA256": signature.verify_hmac_sha256,
    "HMAC-SHA512": signature.verify_hmac_sha512,
}
"""PLAINTEXT would send the secrets themselves, RSA needs keys that consumers do not have here."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as its signature sees it; the first four names are those that oauthlib looks for."""

    http_method: str
    uri: str
    params: list[tuple[str, str]]
    signature: str
    given: Mapping[str, str]
    """Parameters of the Authorization header, without `oauth_`."""

    def need(self, name: str) -> str:
        """Return a parameter; raises Invalid where the request lacks it."""
        if not self.given.get(name):
            raise Invalid(
                f"Expecting to find {_PREFIX}{name} in request: the Authorization header should be that of a request "
                "signed by OAuth 1.0."
            )
        return self.given[name]


def read(call: Call) -> Signed:
    """Return what the request says of its signature; raises Invalid for a header that says nothing sensible."""
    header = call.headers.get("authorization", "")
    pairs: list[tuple[str, str]] = []
    if header[:6].lower() == "oauth ":
        try:
            pairs = [
                (name, utils.unescape(value)) for name, value in utils.parse_authorization_header(header)
            ]
        except ValueError as error:
            raise Invalid(f"The Authorization header cannot be read: {error}") from error
    given = {name.removeprefix(_PREFIX): value for name, value in pairs if name.startswith(_PREFIX)}
    form = call.body.items() if _is_form(call) else ()
    others = [*call.query.multi_items(), *form]
    twice = len(given) < sum(name.startswith(_PREFIX) for name, _ in (*pairs, *others))
    if twice:
        raise Invalid("Each parameter of OAuth 1.0 should be given once, in the Authorization header.")
    signed = [(name, value) for name, value in pairs if name not in ("realm", f"{_PREFIX}signature")]
    uri = call.base_url.removesuffix("/identity") + call.path
    return Signed(call.method, uri, [*others, *signed], given.get("signature", ""), given)


def _is_form(call: Call) -> bool:
    kind = call.headers.get("content-type", "")
    return isinstance(call.body, dict) and kind.startswith("application/x-www-form-urlencoded")


def insist(house: House, signed: Signed, consumer_secret: str, token_secret: str = "") -> None:
    """Raise Invalid for a request that is not signed as it should be, Unauthorized where the secrets differ.

    Unauthorized, too, for one that was served before. It counts as served whatever becomes of it.
    """
    name = signed.need("signature_method")
    if name not in _CHECKS:
        raise Invalid(f"{_PREFIX}signature_method = {name!r:.40} should be one of {', '.join(_CHECKS)}.")
    if signed.given.get("version", "1.0") != "1.0":
        raise Invalid(f"{_PREFIX}version should be 1.0.")
    stamp, nonce = _stamp(signed.need("timestamp")), signed.need("nonce")
    signed.need("signature")
    try:
        good = _CHECKS[name](signed, consumer_secret, token_secret)
    except ValueError as error:  # a Host header that is none
        raise Invalid(f"The request's URL cannot be signed: {error}") from error
    if not good:
        raise Unauthorized("Invalid signature.")
    parts = (signed.need("consumer_key"), signed.given.get("token", ""), str(stamp), nonce)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    with house.db.write() as c:
        if not oauth1.use_nonce(c, digest, stamp + CLOCK_S):
            raise Unauthorized("This request was served before: sign each with a nonce of its own.")


def _stamp(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Invalid(f"{_PREFIX}timestamp = {text!r:.40} should be the seconds since 1970.")
    if abs(int(text) - time.time()) > CLOCK_S:
        raise Invalid(
            f"{_PREFIX}timestamp = {text} is more than {CLOCK_S:.0f} seconds off: set the client's clock."
        )
    return int(text)
