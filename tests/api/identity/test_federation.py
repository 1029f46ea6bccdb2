"""Users from elsewhere, by a real OpenID Connect provider in a process of its own."""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import re
import socket
import subprocess
import sys
import time
import urllib.parse
from dataclasses import replace
from pathlib import Path

import pytest
from tests.api.conftest import Client

from clearsky.config_sections import Oidc

V3 = "/identity/v3"
IDP = f"{V3}/OS-FEDERATION/identity_providers/home"
AUTH = f"{IDP}/protocols/openid/auth"
BROWSER = f"{V3}/auth/OS-FEDERATION/identity_providers/home/protocols/openid/websso"
DASHBOARD = "https://dashboard.example.org/auth/websso/"
SECRET = "the-clients-secret"


class Provider:
    def __init__(self, port):
        self.port, self.issuer = port, f"http://127.0.0.1:{port}"

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def token(self, user="ada", scope="openid"):
        form = {"grant_type": "password", "username": user, "password": "right", "scope": scope}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": "Basic " + base64.b64encode(f"clearsky:{SECRET}".encode()).decode(),
        }
        status, body, _ = self.ask("POST", "/token", urllib.parse.urlencode(form), **headers)
        assert status == 200, body
        return json.loads(body)["access_token"]

    def sign(self, header=None, **claims):
        """Return a token of this provider that is right but for what is given; None leaves a claim out."""
        right = {
            "iss": self.issuer,
            "aud": "clearsky",
            "sub": "ada",
            "email": "ada@example.org",
            "exp": time.time() + 60,
        }
        claims = {name: value for name, value in (right | claims).items() if value is not None}
        body = json.dumps({"header": header or {}, "claims": claims})
        status, text, _ = self.ask("POST", "/test/sign", body, **{"Content-Type": "application/json"})
        assert status == 200
        return text.decode()


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(__file__).with_name("openid_provider.py")
    log = (tmp_path_factory.mktemp("openid") / "log").open("wb")
    process = subprocess.Popen([sys.executable, str(script), str(port), SECRET], stdout=log, stderr=log)
    found, end = Provider(port), time.monotonic() + 60
    try:
        while True:
            try:
                found.ask("GET", "/keys")
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


MAPPING = [
    {
        "remote": [{"type": "HTTP_OIDC_SUB"}, {"type": "HTTP_OIDC_EMAIL"}],
        "local": [{"user": {"name": "{0}", "email": "{1}"}}],
    },
    {
        "remote": [{"type": "HTTP_OIDC_GROUPS", "whitelist": ["engineers", "poets"]}],
        "local": [{"groups": "{0}", "domain": {"id": "default"}}],
    },
]


@pytest.fixture
def federation(cloud, provider, make, tmp_path):
    """The provider is known as `home`; its engineers are members of the project demo."""
    secret = tmp_path / "client-secret"
    secret.write_text(SECRET)
    oidc = Oidc(issuer=provider.issuer, client_id="clearsky", client_secret_file=secret)
    identity = replace(cloud.house.config.identity, oidc={"home": oidc}, trusted_dashboards=(DASHBOARD,))
    cloud.house.config = replace(cloud.house.config, identity=identity)
    group = make.group(name="engineers")
    make.grant(make.role_id("member"), group=group["id"], project=cloud.member.project_id)
    _mapping(cloud, MAPPING)
    body = {"identity_provider": {"enabled": True, "remote_ids": [provider.issuer]}}
    assert cloud.admin.put(IDP, json=body).status_code == 201
    protocol = {"protocol": {"mapping_id": "rules"}}
    assert cloud.admin.put(f"{IDP}/protocols/openid", json=protocol).status_code == 201
    return group


def _mapping(cloud, rules):
    path = f"{V3}/OS-FEDERATION/mappings/rules"
    known = cloud.admin.get(path).status_code == 200
    answer = (cloud.admin.patch if known else cloud.admin.put)(path, json={"mapping": {"rules": rules}})
    assert answer.status_code in (200, 201), answer.text


def _log_in(cloud, text):
    return cloud.http.get(AUTH, headers={"Authorization": f"Bearer {text}"})


def _client(cloud, text):
    answer = _log_in(cloud, text)
    assert answer.status_code == 201, answer.text
    return Client(cloud.http, answer.headers["X-Subject-Token"], user_id=answer.json()["token"]["user"]["id"])


def _scoped(cloud, token, project_id):
    auth = {
        "identity": {"methods": ["token"], "token": {"id": token}},
        "scope": {"project": {"id": project_id}},
    }
    return cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth})


@pytest.mark.parametrize("scope", ["openid", "opaque"])
def test_a_providers_token_becomes_an_unscoped_one_and_that_one_a_projects(
    cloud, provider, federation, scope
):
    answer = _log_in(cloud, provider.token("ada", scope))
    assert answer.status_code == 201, answer.text
    token = answer.json()["token"]
    assert token["user"]["name"] == "ada"
    assert token["methods"] == ["openid"]
    assert token["user"]["OS-FEDERATION"] == {
        "identity_provider": {"id": "home"}, "protocol": {"id": "openid"}, "groups": [{"id": federation["id"]}],
    }  # fmt: skip
    assert "project" not in token
    unscoped = answer.headers["X-Subject-Token"]
    own = cloud.http.get(f"{V3}/auth/projects", headers={"X-Auth-Token": unscoped}).json()["projects"]
    assert [one["id"] for one in own] == [cloud.member.project_id]
    older = cloud.http.get(f"{V3}/OS-FEDERATION/projects", headers={"X-Auth-Token": unscoped})
    assert older.json()["projects"] == own
    scoped = _scoped(cloud, unscoped, cloud.member.project_id)
    assert {role["name"] for role in scoped.json()["token"]["roles"]} == {"member", "reader"}
    assert scoped.json()["token"]["user"]["OS-FEDERATION"]["groups"] == [{"id": federation["id"]}]
    used = {"X-Auth-Token": scoped.headers["X-Subject-Token"]}
    assert cloud.http.post("/network/v2.0/networks", json={"network": {}}, headers=used).status_code == 201


def test_the_user_is_the_same_one_each_time_and_in_the_providers_domain(cloud, provider, federation):
    first, second = _client(cloud, provider.token()), _client(cloud, provider.token())
    assert first.user_id == second.user_id
    user = cloud.admin.get(f"{V3}/users/{first.user_id}").json()["user"]
    assert user["domain_id"] == cloud.admin.get(IDP).json()["identity_provider"]["domain_id"]
    assert user["email"] == "ada@example.org"
    assert _client(cloud, provider.token("bob")).user_id != first.user_id


def test_who_is_in_no_group_gets_in_but_nowhere(cloud, provider, federation):
    bob = _client(cloud, provider.token("bob"))
    assert _scoped(cloud, bob.token, cloud.member.project_id).status_code == 401


def test_a_name_that_is_taken_does_not_make_somebody_else(cloud, provider, federation, make):
    domain_id = cloud.admin.get(IDP).json()["identity_provider"]["domain_id"]
    taken = make.user(name="ada", domain_id=domain_id)
    ada = _client(cloud, provider.token())
    assert ada.user_id != taken["id"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another"},
        {"aud": None},
        {"azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"nbf": 4102444800},
        {"header": {"kid": "unknown"}},
    ],
)
def test_a_token_that_is_wrong_in_one_way_is_refused(cloud, provider, federation, wrong):
    assert _log_in(cloud, provider.sign()).status_code == 201
    assert _log_in(cloud, provider.sign(**wrong)).status_code == 401


def _encoded(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def test_a_token_that_was_signed_by_nobody_or_by_anybody_is_refused(cloud, provider, federation):
    """`none`, and a shared secret that is the provider's public key, are the two classic forgeries."""
    claims = {"iss": provider.issuer, "aud": "clearsky", "sub": "ada", "exp": int(time.time()) + 60}
    public = provider.ask("GET", "/keys")[1]
    forged = []
    for algorithm, key in (("none", b""), ("HS256", public), ("HS256", b"")):
        head = json.dumps({"alg": algorithm, "kid": "first", "typ": "JWT"}).encode()
        signed = f"{_encoded(head)}.{_encoded(json.dumps(claims).encode())}"
        digest = hmac.new(key, signed.encode(), "sha256").digest() if algorithm != "none" else b""
        forged.append(f"{signed}.{_encoded(digest)}")
    for text in (*forged, "a.b.c", "rubbish", ""):
        assert _log_in(cloud, text).status_code == 401, text
    assert cloud.http.get(AUTH).status_code == 401


def test_a_token_with_another_signature_is_refused(cloud, provider, federation):
    head, body, _ = provider.sign().split(".")
    _, _, other = provider.sign(sub="eve").split(".")
    assert _log_in(cloud, f"{head}.{body}.{other}").status_code == 401


def test_userinfo_adds_claims_of_the_same_subject(cloud, provider, federation):
    oidc = cloud.house.config.identity.oidc["home"]
    identity = replace(cloud.house.config.identity, oidc={"home": replace(oidc, userinfo=True)})
    cloud.house.config = replace(cloud.house.config, identity=identity)
    cloud.house.caches.pop("identity.openid", None)
    rules = [{"remote": [{"type": "HTTP_OIDC_NICKNAME"}], "local": [{"user": {"name": "{0}"}}]}]
    _mapping(cloud, rules)
    assert _log_in(cloud, provider.token()).json()["token"]["user"]["name"] == "the ada"


def test_a_provider_that_the_operator_has_not_set_is_never_asked(cloud, provider, federation):
    identity = replace(cloud.house.config.identity, oidc={})
    cloud.house.config = replace(cloud.house.config, identity=identity)
    assert _log_in(cloud, provider.token()).status_code == 401


def test_a_provider_that_is_away_is_told_as_such(cloud, provider, federation):
    oidc = replace(cloud.house.config.identity.oidc["home"], issuer="http://127.0.0.1:9")
    identity = replace(cloud.house.config.identity, oidc={"home": oidc})
    cloud.house.config = replace(cloud.house.config, identity=identity)
    cloud.house.caches.pop("identity.openid", None)
    assert _log_in(cloud, provider.token()).status_code == 503


def test_a_remote_id_that_is_not_the_providers_is_refused(cloud, provider, federation):
    body = {"identity_provider": {"remote_ids": ["https://another.example.org"]}}
    assert cloud.admin.patch(IDP, json=body).status_code == 200
    assert _log_in(cloud, provider.token()).status_code == 403


@pytest.mark.parametrize("action", ["disable", "delete", "delete protocol", "disable user"])
def test_federated_users_are_out_at_once(cloud, provider, federation, action):
    ada = _client(cloud, provider.token())
    assert ada.get(f"{V3}/auth/projects").status_code == 200
    if action == "disable":
        cloud.admin.patch(IDP, json={"identity_provider": {"enabled": False}})
    elif action == "delete":
        assert cloud.admin.delete(IDP).status_code == 204
    elif action == "disable user":
        cloud.admin.patch(f"{V3}/users/{ada.user_id}", json={"user": {"enabled": False}})
    else:
        assert cloud.admin.delete(f"{IDP}/protocols/openid").status_code == 204
        assert _log_in(cloud, provider.token()).status_code == 404
        return
    assert ada.get(f"{V3}/auth/projects").status_code == 401
    assert _log_in(cloud, provider.token()).status_code in (401, 404)


def test_memberships_last_as_long_as_the_provider_is_trusted_with(cloud, provider, federation, monkeypatch):
    body = {"identity_provider": {"authorization_ttl": 10}}
    assert cloud.admin.patch(IDP, json=body).status_code == 200
    ada = _client(cloud, provider.token())
    body = {"application_credential": {"name": "robot"}}
    scoped = _scoped(cloud, ada.token, cloud.member.project_id).headers["X-Subject-Token"]
    made = cloud.http.post(
        f"{V3}/users/{ada.user_id}/application_credentials", json=body, headers={"X-Auth-Token": scoped}
    ).json()["application_credential"]
    given = {"id": made["id"], "secret": made["secret"]}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": given}}
    robot = cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth})
    assert robot.status_code == 201, robot.text
    used = {"X-Auth-Token": robot.headers["X-Subject-Token"]}
    assert cloud.http.get("/network/v2.0/networks", headers=used).status_code == 200
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 601)
    assert cloud.http.get("/network/v2.0/networks", headers=used).status_code == 401
    assert cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth}).status_code == 401


def test_a_mapping_gives_projects_with_roles_once(cloud, provider, federation):
    project = {"name": "of-{0}", "roles": [{"name": "member"}]}
    rules = [
        {"remote": [{"type": "OIDC-sub"}], "local": [{"user": {"name": "{0}"}}, {"projects": [project]}]}
    ]
    _mapping(cloud, rules)
    for _ in range(2):
        ada = _client(cloud, provider.token())
    own = ada.get(f"{V3}/auth/projects").json()["projects"]
    assert [one["name"] for one in own] == ["of-ada"]
    assert _scoped(cloud, ada.token, own[0]["id"]).status_code == 201
    rules[0]["local"][1]["projects"][0]["roles"] = [{"name": "no-such-role"}]
    _mapping(cloud, rules)
    assert _log_in(cloud, provider.token()).status_code == 403


def test_a_mapping_to_a_local_user_gives_that_ones_rights_and_no_more(cloud, provider, federation):
    user = {"name": "member", "domain": {"id": "default"}, "type": "local"}
    rules = [
        {
            "remote": [{"type": "OIDC-sub", "any_one_of": ["ada"]}],
            "local": [{"user": user}, {"group": {"id": federation["id"]}}],
        }
    ]
    _mapping(cloud, rules)
    token = _log_in(cloud, provider.token()).json()["token"]
    assert token["user"]["id"] == cloud.member.user_id
    assert "OS-FEDERATION" not in token["user"]
    assert _log_in(cloud, provider.token("bob")).status_code == 401


def test_keys_that_the_provider_has_changed_are_fetched_anew(cloud, provider, federation, monkeypatch):
    from clearsky.identity.federation import openid

    assert _log_in(cloud, provider.token()).status_code == 201
    provider.ask("POST", "/test/rotate")
    monkeypatch.setattr(openid, "LOOK_AGAIN_S", 0.0)
    assert _log_in(cloud, provider.token()).status_code == 201


# -- by browser -------------------------------------------------------------------------------------------------


def _begin(cloud, path=BROWSER, origin=DASHBOARD, method="GET"):
    return cloud.http.request(method, f"{path}?origin={urllib.parse.quote(origin)}", follow_redirects=False)


def _at_provider(provider, url, user="ada"):
    parts = urllib.parse.urlsplit(url)
    status, body, headers = provider.ask("GET", f"{parts.path}?{parts.query}&login_hint={user}")
    assert status == 302, body
    return headers["Location"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [BROWSER, f"{V3}/auth/OS-FEDERATION/websso/openid"])
def test_a_browser_is_sent_there_and_comes_back_with_a_token_for_the_dashboard(
    cloud, provider, federation, path, method
):
    answer = _begin(cloud, path, method=method)
    assert answer.status_code == 302, answer.text
    back = _at_provider(provider, answer.headers["Location"])
    page = cloud.http.get(back)
    assert page.status_code == 200, page.text
    assert f'action="{DASHBOARD}"' in page.text
    token = re.search(r'name="token" value="([^"]+)"', page.text)[1]
    assert "script-src 'sha256-" in page.headers["Content-Security-Policy"]
    assert _scoped(cloud, token, cloud.member.project_id).status_code == 201
    assert (
        cloud.http.get(back).status_code == 401
    )  # neither the cookie nor the code is good for a second time


def test_a_log_in_is_finished_by_the_browser_that_began_it_only(cloud, provider, federation):
    back = _at_provider(provider, _begin(cloud).headers["Location"])
    cloud.http.cookies.clear()
    assert cloud.http.get(back).status_code == 401


def test_a_log_in_takes_only_so_long(cloud, provider, federation, monkeypatch):
    back = _at_provider(provider, _begin(cloud).headers["Location"])
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 601)
    assert cloud.http.get(back).status_code == 401


def test_the_code_of_another_log_in_does_not_fit(cloud, provider, federation):
    """Another's code has another nonce and PKCE verifier."""
    mine = urllib.parse.urlsplit(_at_provider(provider, _begin(cloud).headers["Location"]))
    other = urllib.parse.urlsplit(_at_provider(provider, _begin(cloud).headers["Location"], "eve"))
    state = urllib.parse.parse_qs(mine.query)["state"][0]
    code = urllib.parse.parse_qs(other.query)["code"][0]
    assert cloud.http.get(BROWSER, params={"state": state, "code": code}).status_code == 401


@pytest.mark.parametrize("query", ["state=rubbish&code=x", "state=&code=x"])
def test_a_state_that_is_not_ours_is_refused(cloud, federation, query):
    assert cloud.http.get(f"{BROWSER}?{query}").status_code == 401


def test_a_dashboard_that_is_not_trusted_gets_nothing(cloud, federation):
    assert _begin(cloud, origin="https://evil.example.org/").status_code == 403
    assert cloud.http.get(BROWSER).status_code == 400


# -- resources --------------------------------------------------------------------------------------------------


def test_identity_providers_are_made_listed_changed_and_deleted(cloud, federation):
    shown = cloud.admin.get(IDP).json()["identity_provider"]
    listed = cloud.admin.get(f"{V3}/OS-FEDERATION/identity_providers").json()["identity_providers"]
    assert listed == [shown]
    assert cloud.admin.put(IDP, json={"identity_provider": {}}).status_code == 409
    changed = cloud.admin.patch(
        IDP, json={"identity_provider": {"description": "x", "remote_ids": ["a", "b"]}}
    )
    assert changed.json()["identity_provider"] == shown | {"description": "x", "remote_ids": ["a", "b"]}
    assert cloud.admin.patch(IDP, json={"identity_provider": {"domain_id": "default"}}).status_code == 400
    other = f"{V3}/OS-FEDERATION/identity_providers/other"
    assert cloud.admin.put(other, json={"identity_provider": {"remote_ids": ["a"]}}).status_code == 409
    assert cloud.admin.get(other).status_code == 404
    made = cloud.admin.put(other, json={"identity_provider": {"domain_id": "default"}})
    assert made.json()["identity_provider"]["domain_id"] == "default"
    found = cloud.admin.get(f"{V3}/OS-FEDERATION/identity_providers?enabled=false").json()[
        "identity_providers"
    ]
    assert [one["id"] for one in found] == ["other"]
    assert cloud.member.get(IDP).status_code == 403


def test_protocols_are_made_listed_changed_and_deleted(cloud, federation):
    path = f"{IDP}/protocols/saml2"
    assert cloud.admin.put(path, json={"protocol": {"mapping_id": "none"}}).status_code == 400
    made = cloud.admin.put(path, json={"protocol": {"mapping_id": "rules"}}).json()["protocol"]
    assert made["links"]["identity_provider"].endswith("/identity_providers/home")
    found = cloud.admin.get(f"{IDP}/protocols").json()["protocols"]
    assert [(one["id"], one["idp_id"]) for one in found] == [("openid", "home"), ("saml2", "home")]
    changed = cloud.admin.patch(path, json={"protocol": {"remote_id_attribute": "HTTP_X"}})
    assert changed.json()["protocol"]["remote_id_attribute"] == "HTTP_X"
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.get(path).status_code == 404


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"local": [], "remote": [{"type": "x"}]}],
        [{"local": [NotImplemented], "remote": []}],
        [
            {
                "local": [{"user": {"name": "{0}"}}],
                "remote": [{"type": "x", "any_one_of": ["a"], "whitelist": ["b"]}],
            }
        ],
        [
            {
                "local": [{"user": {"name": "{0}"}}],
                "remote": [{"type": "x", "any_one_of": ["("], "regex": True}],
            }
        ],
        [{"local": [{"group": {"name": "no domain"}}], "remote": [{"type": "x"}]}],
        [{"local": [{"nonsense": 1}], "remote": [{"type": "x"}]}],
    ],
)
def test_rules_that_mean_nothing_are_refused(cloud, rules):
    rules = json.loads(json.dumps(rules, default=lambda _: 7))
    answer = cloud.admin.put(f"{V3}/OS-FEDERATION/mappings/m", json={"mapping": {"rules": rules}})
    assert answer.status_code == 400


def test_service_providers_are_in_tokens_while_they_are_enabled(cloud):
    path = f"{V3}/OS-FEDERATION/service_providers/there"
    body = {
        "auth_url": "https://there.example.org/auth",
        "sp_url": "https://there.example.org/sp",
        "enabled": True,
    }
    made = cloud.admin.put(path, json={"service_provider": body}).json()["service_provider"]
    assert made["relay_state_prefix"] == "ss:mem:"
    asked = {"X-Subject-Token": cloud.member.token}
    token = cloud.member.get(f"{V3}/auth/tokens", headers=asked).json()["token"]
    assert token["service_providers"] == [
        {"id": "there", "auth_url": body["auth_url"], "sp_url": body["sp_url"]}
    ]
    assert cloud.admin.patch(path, json={"service_provider": {"enabled": False}}).status_code == 200
    token = cloud.member.get(f"{V3}/auth/tokens", headers=asked).json()["token"]
    assert "service_providers" not in token
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.get(f"{V3}/OS-FEDERATION/service_providers").json()["service_providers"] == []
