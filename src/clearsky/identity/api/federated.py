"""Logging in by an identity provider: with a token that a client brings, or by browser."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.errors import Forbidden, Invalid, NotFound, Unauthorized
from clearsky.identity import audit, service, tokens
from clearsky.identity import tables as t
from clearsky.identity.api.auth import issued, refusing
from clearsky.identity.auth import issue, mapped
from clearsky.identity.federation import openid
from clearsky.identity.schema import auth as schema
from clearsky.identity.standing import Standing

routes = Routes()
_AUTH = "/v3/OS-FEDERATION/identity_providers/{provider_id}/protocols/{protocol_id}/auth"
_BY_BROWSER = "/v3/auth/OS-FEDERATION/identity_providers/{provider_id}/protocols/{protocol_id}/websso"
COOKIE = "clearsky_websso"
BROWSER_S = 600
"""How long a user has to log in at the identity provider."""


# -- a client brings a token ------------------------------------------------------------------------------------


def log_in(call: Call) -> Reply:
    """Give an unscoped token to whom an identity provider's access or ID token proves."""
    provider_id, protocol_id = call.params["provider_id"], call.params["protocol_id"]
    scheme, _, text = call.headers.get("authorization", "").partition(" ")
    with call.house.db.read() as c:
        mapped.find(c, provider_id, protocol_id)
    with refusing(call, {"identity_provider": provider_id}, [protocol_id]):
        if scheme.lower() != "bearer" or not text.strip():
            raise Unauthorized(
                "The header Authorization should hold the identity provider's token: Bearer TOKEN."
            )
        claims = openid.provider(call.house, provider_id).prove(text.strip())
        standing = _finish(call, provider_id, protocol_id, claims)
    return issued(call, standing)


routes.post(_AUTH, rule=PUBLIC, status=201, response=schema.TOKEN)(log_in)
routes.get(_AUTH, rule=PUBLIC, status=201, response=schema.TOKEN)(log_in)


def _finish(call: Call, provider_id: str, protocol_id: str, claims: dict[str, Any]) -> Standing:
    proof = mapped.prove(call.house, provider_id, protocol_id, claims)
    return issue.finish(call.house, proof, {"scope": "unscoped"}, "")


# -- by browser -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _State:
    """What comes back with the browser; sealed, so that nobody reads or changes it."""

    provider_id: str
    protocol_id: str
    origin: str
    redirect_uri: str
    nonce: str
    verifier: str
    browser: str
    """Digest of the browser's cookie: another browser cannot finish what this one has begun."""
    expires_at: float


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _origin(call: Call) -> str:
    origin = call.query.get("origin", "")
    if not origin:
        raise Invalid("The query needs origin: the dashboard that the token is for.")
    if origin not in call.house.config.identity.trusted_dashboards:
        raise Forbidden(f"{origin!r:.200} is not a trusted dashboard host.")
    return origin


@routes.get("/v3/auth/OS-FEDERATION/websso/{protocol_id}", rule=PUBLIC)
@routes.post("/v3/auth/OS-FEDERATION/websso/{protocol_id}", rule=PUBLIC)
def begin_by_protocol(call: Call) -> Reply:
    """Send a browser to the identity provider, where there is only one with this protocol."""
    _origin(call)
    protocol_id = call.params["protocol_id"]
    with call.house.db.read() as c:
        query = select(t.protocols.c.provider_id).join(
            t.identity_providers, t.identity_providers.c.id == t.protocols.c.provider_id
        )
        found = c.execute(
            query.where(t.protocols.c.id == protocol_id, t.identity_providers.c.enabled)
        ).scalars()
        known = [id for id in found if id in call.house.config.identity.oidc]
    if len(known) != 1:
        raise NotFound(
            f"There are {len(known)} identity providers with protocol {protocol_id!r:.64}: name one, at "
            "/v3/auth/OS-FEDERATION/identity_providers/ID/protocols/PROTOCOL/websso."
        )
    return _begin(call, known[0], protocol_id)


@routes.get(_BY_BROWSER, rule=PUBLIC)
@routes.post(_BY_BROWSER, rule=PUBLIC)
def log_in_by_browser(call: Call) -> Reply:
    """Send a browser to an identity provider; when it comes back, bring the token to the dashboard."""
    if "state" in call.query:
        return _come_back(call)
    _origin(call)
    return _begin(call, call.params["provider_id"], call.params["protocol_id"])


def _begin(call: Call, provider_id: str, protocol_id: str) -> Reply:
    with call.house.db.read() as c:
        mapped.find(c, provider_id, protocol_id)
    browser = _cookie(call) or secrets.token_urlsafe(32)
    path = _BY_BROWSER.format(provider_id=quote(provider_id), protocol_id=quote(protocol_id))
    state = _State(
        provider_id,
        protocol_id,
        _origin(call),
        f"{call.base_url}{path}",
        secrets.token_urlsafe(32),
        secrets.token_urlsafe(48),
        _digest(browser),
        time.time() + BROWSER_S,
    )
    payload = [getattr(state, name) for name in _State.__dataclass_fields__]
    url = openid.provider(call.house, provider_id).authorization_url(
        redirect_uri=state.redirect_uri,
        state=tokens.seal_as(service.keys(call.house), "websso", payload),
        nonce=state.nonce,
        challenge=_digest(state.verifier),
    )
    secure = "; Secure" if call.base_url.startswith("https:") else ""
    cookie = f"{COOKIE}={browser}; Path=/identity; Max-Age={BROWSER_S}; HttpOnly; SameSite=Lax{secure}"
    return Reply(status=302, headers={"Location": url, "Set-Cookie": cookie, "Cache-Control": "no-store"})


def _cookie(call: Call) -> str:
    for part in call.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _come_back(call: Call) -> Reply:
    provider_id, protocol_id = call.params["provider_id"], call.params["protocol_id"]
    with refusing(call, {"identity_provider": provider_id}, [protocol_id]):
        state = _State(*tokens.open_as(service.keys(call.house), "websso", call.query["state"]))
        ours = hmac.compare_digest(state.browser, _digest(_cookie(call)))
        if not ours or (state.provider_id, state.protocol_id) != (provider_id, protocol_id):
            raise Unauthorized("This log-in was begun in another browser.")
        if state.expires_at < time.time():
            raise Unauthorized("This log-in has taken too long: begin again.")
        if "code" not in call.query:
            raise Unauthorized(
                f"The identity provider refused: {call.query.get('error', 'no reason given')!r:.200}"
            )
        claims = openid.provider(call.house, provider_id).redeem(
            call.query["code"],
            redirect_uri=state.redirect_uri,
            verifier=state.verifier,
            nonce=state.nonce,
        )
        standing = _finish(call, provider_id, protocol_id, claims)
    audit.authenticated(call, standing.token.user_id, standing.token.methods)
    token = tokens.seal(service.keys(call.house), standing.token)
    return _bring(state.origin, token)


_SCRIPT = 'document.forms["sso"].submit();'


def _bring(origin: str, token: str) -> Reply:
    """Answer with a page that posts the token to the dashboard."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    page = (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Clearsky</title></head><body>'
        f'<form id="sso" name="sso" action="{html.escape(origin, quote=True)}" method="post">'
        f'<input type="hidden" name="token" value="{html.escape(token, quote=True)}">'
        '<noscript><input type="submit" value="Continue"></noscript></form>'
        f"<script>{_SCRIPT}</script></body></html>"
    )
    headers = {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": f"default-src 'none'; script-src 'sha256-{digest}'; frame-ancestors 'none'",
        "Set-Cookie": f"{COOKIE}=; Path=/identity; Max-Age=0; HttpOnly; SameSite=Lax",
    }
    return Reply(page.encode(), headers=headers, content_type="text/html; charset=utf-8")
