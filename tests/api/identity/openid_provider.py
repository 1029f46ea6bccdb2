"""A real OpenID Connect provider on loopback, made of Authlib and Flask: `python openid_provider.py PORT SECRET`.

Its users are in USERS; every log-in by browser is granted at once, to whom `?login_hint=` (or the cookie) names.
Access tokens are JWTs (RFC 9068), or opaque ones where the scope holds `opaque`.
"""

from __future__ import annotations

import secrets
import sys
import time

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, jsonify, request
from joserfc.jwk import KeySet, RSAKey

PORT, SECRET = int(sys.argv[1]), sys.argv[2]
ISSUER = f"http://127.0.0.1:{PORT}"
USERS = {
    "ada": {"name": "Ada Lovelace", "email": "ada@example.org", "groups": ["engineers", "poets"]},
    "bob": {"name": "Bob", "email": "bob@example.org", "groups": ["poets"]},
    "eve": {"name": "Eve", "email": "eve@example.org", "groups": []},
}
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
KEYS = KeySet([KEY])
TOKENS: dict[str, dict] = {}
CODES: dict[str, object] = {}


class Client:
    def __init__(self, client_id: str) -> None:
        self.client_id = client_id

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri.startswith("http://testserver/identity/")

    def check_client_secret(self, client_secret):
        return secrets.compare_digest(client_secret, SECRET)

    def check_endpoint_auth_method(self, method, endpoint):
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return True


class User(dict):
    def get_user_id(self):
        return self["sub"]


def _user(name):
    return User(USERS[name], sub=name) if name in USERS else None


class Code(dict):
    def get_redirect_uri(self):
        return self["redirect_uri"]

    def get_scope(self):
        return self["scope"]

    def get_nonce(self):
        return self["nonce"]

    def get_auth_time(self):
        return int(self["at"])

    def get_acr(self):
        return None

    def get_amr(self):
        return None

    code_challenge = property(lambda self: self["challenge"])
    code_challenge_method = property(lambda self: self["challenge_method"])


class CodeGrant(grants.AuthorizationCodeGrant):
    def save_authorization_code(self, code, request):
        data = request.payload.data
        CODES[code] = Code(
            client_id=request.client.client_id, redirect_uri=request.payload.redirect_uri, scope=request.payload.scope,
            nonce=data.get("nonce"), at=time.time(), sub=request.user["sub"], challenge=data.get("code_challenge"),
            challenge_method=data.get("code_challenge_method"),
        )  # fmt: skip

    def query_authorization_code(self, code, client):
        found = CODES.get(code)
        return found if found and found["client_id"] == client.client_id else None

    def delete_authorization_code(self, authorization_code):
        for code in [code for code, one in CODES.items() if one is authorization_code]:
            del CODES[code]

    def authenticate_user(self, authorization_code):
        return _user(authorization_code["sub"])


class OpenID(OpenIDCode):
    def exists_nonce(self, nonce, request):
        return any(one["nonce"] == nonce for one in CODES.values())

    def resolve_client_private_key(self, client):
        return KEY

    def get_client_algorithm(self, client):
        return "RS256"

    def get_client_claims(self, client):
        return {"iss": ISSUER, "aud": [client.client_id], "exp": int(time.time()) + 300}

    def get_jwt_config(self, grant, client=None):
        return {"key": KEY.as_dict(private=True), "alg": "RS256", "iss": ISSUER, "exp": 300}

    def generate_user_info(self, user, scope):
        return UserInfo(sub=user["sub"], name=user["name"], email=user["email"], groups=user["groups"])


class PasswordGrant(grants.ResourceOwnerPasswordCredentialsGrant):
    def authenticate_user(self, username, password):
        return _user(username) if password == "right" else None


class Jwt(JWTBearerTokenGenerator):
    def get_jwks(self):
        return KEYS.as_dict(private=True)

    def get_audiences(self, client, user, scope):
        return client.client_id

    def get_extra_claims(self, client, grant_type, user, scope):
        return {"groups": user["groups"], "email": user["email"], "name": user["name"]} if user else {}


class Introspection(IntrospectionEndpoint):
    def check_permission(self, token, client, request):
        return True

    def query_token(self, token_string, token_type_hint):
        return TOKENS.get(token_string)

    def introspect_token(self, token):
        user = USERS[token["sub"]]
        return {
            "active": True,
            "client_id": token["client_id"],
            "sub": token["sub"],
            "exp": token["exp"],
            **user,
        }


def _generate(grant_type, client, user=None, scope=None, expires_in=None, include_refresh_token=True):
    if "opaque" in (scope or ""):
        text = secrets.token_urlsafe(20)
        TOKENS[text] = Opaque(sub=user["sub"], client_id=client.client_id, exp=int(time.time()) + 300)
        return {"access_token": text, "token_type": "Bearer", "expires_in": 300, "scope": scope}
    return Jwt(ISSUER, alg="RS256")(
        grant_type, client, user=user, scope=scope, expires_in=expires_in, include_refresh_token=False
    )


class Opaque(dict):
    def is_expired(self):
        return False

    def is_revoked(self):
        return False


app = Flask(__name__)
server = AuthorizationServer(app, query_client=Client, save_token=lambda token, request: None)
server.register_grant(CodeGrant, [OpenID(), CodeChallenge(required=True)])
server.register_grant(PasswordGrant)
server.register_endpoint(Introspection)
server.register_token_generator("default", _generate)


@app.get("/.well-known/openid-configuration")
def discovery():
    named = ("authorization", "token", "introspection", "userinfo")
    ends = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in named}
    return jsonify(ends | {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"})


@app.get("/keys")
def keys():
    return jsonify(KEYS.as_dict(private=False))


@app.get("/authorization")
def authorization():
    user = _user(request.args.get("login_hint", "ada"))
    return server.create_authorization_response(
        grant_user=user, grant=server.get_consent_grant(end_user=user)
    )


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/introspection")
def introspection():
    return server.create_endpoint_response(Introspection.ENDPOINT_NAME)


@app.get("/userinfo")
def userinfo():
    from joserfc import jwt

    text = request.headers.get("Authorization", "").removeprefix("Bearer ")
    sub = TOKENS[text]["sub"] if text in TOKENS else jwt.decode(text, KEYS).claims["sub"]
    return jsonify(USERS[sub] | {"sub": sub, "nickname": f"the {sub}"})


@app.post("/test/sign")
def sign():
    """Sign what a test asks for, with the real key: tokens that are wrong in one way only."""
    from joserfc import jwt

    asked = request.get_json()
    return jwt.encode({"alg": "RS256", "kid": "first", "typ": "JWT"} | asked["header"], asked["claims"], KEY)


@app.post("/test/rotate")
def rotate():
    """Take another key into use, beside the old one."""
    global KEY, KEYS  # noqa: PLW0603
    KEY = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})
    KEYS = KeySet([KEY])
    return jsonify(KEY.as_dict(private=False))


if __name__ == "__main__":
    app.run("127.0.0.1", PORT, threaded=True)
