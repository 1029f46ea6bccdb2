"""OpenID Connect: what a provider's tokens prove. We check them ourselves, against keys from the provider.

The operator names each provider in the settings (`[identity.oidc.NAME]`, NAME being the identity provider's id in the API):
only these are ever asked, so nobody can make this program fetch anything else. Sources: OpenID Connect Core 1.0 §3.1.3.7
(ID tokens), Discovery 1.0 §4, RFC 7515/7519 (JWT), RFC 7662 (introspection), RFC 9068 (JWT access tokens).
"""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import jwt

from clearsky.config_sections import Oidc
from clearsky.errors import Unauthorized, Unavailable
from clearsky.house import House
from clearsky.identity.federation import fetch
from clearsky.identity.tokens import REFUSED

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Only such where the provider's private key signs: no shared secrets, and never `none`."""
LEEWAY_S = 30
BELIEVE_S = 3600.0
LOOK_AGAIN_S = 30.0
"""A token with a key that is not known makes us fetch the keys again, but not more often than this."""


@dataclass(slots=True)
class Provider:
    """One identity provider: its settings, and what it says of itself."""

    settings: Oidc
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _metadata: dict[str, Any] = field(default_factory=dict)
    _metadata_at: float = -BELIEVE_S
    _keys: dict[str, Any] = field(default_factory=dict)
    _keys_at: float = -BELIEVE_S

    def metadata(self) -> dict[str, Any]:
        """Return the discovery document; raises Unavailable where it is another issuer's."""
        with self._lock:
            if time.monotonic() - self._metadata_at >= BELIEVE_S:
                issuer = self.settings.issuer
                found = self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != issuer:
                    raise Unavailable(
                        f"The discovery document of {issuer} is that of {found.get('issuer')!r:.200}."
                    )
                self._metadata, self._metadata_at = found, time.monotonic()
            return self._metadata

    def endpoint(self, name: str) -> str:
        url = self.metadata().get(name)
        if not isinstance(url, str):
            raise Unavailable(f"{self.settings.issuer} names no {name}.")
        return url

    def _fetch(self, url: str, **options: Any) -> dict[str, Any]:
        return fetch.json(
            url, ca_file=str(self.settings.ca_file) if self.settings.ca_file.name else "", **options
        )

    def _key(self, header: dict[str, Any]) -> Any:
        """Return the public key that a token's header names; fetches the keys where it is not among those known."""
        key = self._known_key(header)
        if key is None:
            url = self.endpoint("jwks_uri")
            with self._lock:
                if time.monotonic() - self._keys_at >= LOOK_AGAIN_S:
                    self._keys, self._keys_at = self._fetch(url), time.monotonic()
            key = self._known_key(header)
        if key is None:
            raise Unauthorized(REFUSED)
        return key

    def _known_key(self, header: dict[str, Any]) -> Any:
        if time.monotonic() - self._keys_at >= BELIEVE_S:
            return None
        try:
            usable = [
                key
                for key in jwt.PyJWKSet.from_dict(self._keys).keys
                if key.public_key_use in (None, "sig") and key.key_type in ("RSA", "EC", "OKP")
            ]
        except jwt.PyJWTError:
            return None
        named = header.get("kid")
        fitting = usable if named is None else [key for key in usable if key.key_id == named]
        return fitting[0].key if len(fitting) == 1 or (named is not None and fitting) else None

    def verify(self, text: str, *, nonce: str | None = None) -> dict[str, Any]:
        """Return the claims of a JWT of this provider that is for us; raises Unauthorized for any other one.

        Checks signature, issuer, audience, authorized party, expiry, and the nonce where one was sent.
        """
        try:
            header = jwt.get_unverified_header(text)
            if header.get("alg") not in ALGORITHMS:
                raise Unauthorized(REFUSED)
            claims: dict[str, Any] = jwt.decode(
                text,
                self._key(header),
                algorithms=list(ALGORITHMS),
                audience=list(self.audiences),
                issuer=self.settings.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "sub", "aud"], "verify_iat": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthorized(f"The identity provider's token is not valid: {error}") from error
        party = claims.get("azp")
        if party is not None and party not in self.audiences:
            raise Unauthorized("The identity provider's token was made for another party (azp).")
        if nonce is not None and claims.get("nonce") != nonce:
            raise Unauthorized("The identity provider's token answers another log-in (nonce).")
        return claims

    @property
    def audiences(self) -> tuple[str, ...]:
        return (self.settings.client_id, *self.settings.audiences)

    def prove(self, text: str) -> dict[str, Any]:
        """Return the claims behind an access or ID token that a client brought; asks the provider where it is opaque."""
        claims = self.verify(text) if text.count(".") == 2 else self._introspect(text)
        return self._userinfo(text, claims["sub"]) | claims if self.settings.userinfo else claims

    def _introspect(self, text: str) -> dict[str, Any]:
        if not self.settings.secret:
            raise Unauthorized(
                "The identity provider's token is opaque, and no client secret is set to ask about it."
            )
        body = urlencode({"token": text, "token_type_hint": "access_token"}).encode()
        found = self._fetch(
            self.endpoint("introspection_endpoint"), method="POST", body=body, headers=self._as_client()
        )
        audience = found.get("aud", found.get("client_id"))
        named = audience if isinstance(audience, list) else [audience]
        expires = found.get("exp")
        live = found.get("active") is True and (not isinstance(expires, int) or expires > time.time())
        if not live or not found.get("sub") or not set(named) & set(self.audiences):
            raise Unauthorized(REFUSED)
        if found.get("iss", self.settings.issuer) != self.settings.issuer:
            raise Unauthorized(REFUSED)
        return {"iss": self.settings.issuer} | found

    def _userinfo(self, text: str, subject: str) -> dict[str, Any]:
        """Return what the userinfo endpoint adds; an access token opens it, and it must tell of the same subject."""
        try:
            found = self._fetch(
                self.endpoint("userinfo_endpoint"), headers={"Authorization": f"Bearer {text}"}
            )
        except Unavailable as error:
            raise Unauthorized("The identity provider does not tell about the user of this token.") from error
        if found.get("sub") != subject:
            raise Unauthorized(REFUSED)
        return {name: value for name, value in found.items() if name not in ("iss", "aud", "exp", "iat")}

    def _as_client(self) -> dict[str, str]:
        pair = f"{quote(self.settings.client_id, safe='')}:{quote(self.settings.secret, safe='')}"
        return {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }

    # -- log-in by browser (authorization code with PKCE) -------------------------------------------------------

    def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, challenge: str) -> str:
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = self.endpoint("authorization_endpoint")
        return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"

    def redeem(self, code: str, *, redirect_uri: str, verifier: str, nonce: str) -> dict[str, Any]:
        """Return the claims that an authorization code stands for."""
        body = urlencode(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
                "client_id": self.settings.client_id,
            }
        ).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        headers = self._as_client() if self.settings.secret else form
        try:
            found = self._fetch(self.endpoint("token_endpoint"), method="POST", body=body, headers=headers)
        except Unavailable as error:
            raise Unauthorized("The identity provider does not take the authorization code.") from error
        if not isinstance(found.get("id_token"), str):
            raise Unauthorized("The identity provider answered without an ID token.")
        claims = self.verify(found["id_token"], nonce=nonce)
        if self.settings.userinfo and isinstance(found.get("access_token"), str):
            claims = self._userinfo(found["access_token"], claims["sub"]) | claims
        return claims


def provider(house: House, id: str) -> Provider:
    """Return the provider with this id; raises Unauthorized where the settings do not name it."""
    settings = house.config.identity.oidc.get(id)
    if settings is None:
        raise Unauthorized(
            f"The settings have no [identity.oidc.{id}]: the operator has not said how this identity provider is asked."
        )
    found: dict[str, Provider] = house.cache("identity.openid", dict)
    return found.setdefault(id, Provider(settings))
