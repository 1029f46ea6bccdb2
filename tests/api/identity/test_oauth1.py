"""OAuth 1.0: a consumer asks, a user says yes, and the consumer acts with the roles that it was given."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import pytest
from oauthlib import oauth1
from sqlalchemy import select, update
from tests.api.conftest import Client
from tests.api.identity.conftest import V3

from clearsky.identity import reconcile
from clearsky.identity import tables as t

ROOT = "http://testserver"
EXTENSION = f"{V3}/OS-OAUTH1"
BY_OAUTH1 = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}


@dataclass
class Story:
    """A consumer, and how it signs; each step can be spoilt by what the test gives."""

    cloud: Any
    consumer: dict[str, Any]

    def sign(self, path: str, **how: Any) -> dict[str, str]:
        key = how.pop("consumer_key", self.consumer["id"])
        options = {"client_secret": self.consumer["secret"], "signature_method": oauth1.SIGNATURE_HMAC} | how
        _, headers, _ = oauth1.Client(key, **options).sign(ROOT + path, "POST")
        return dict(headers)

    def ask(self, project_id: str, **how: Any) -> Any:
        headers = self.sign(f"{EXTENSION}/request_token", callback_uri="oob", **how)
        return self.cloud.http.post(
            f"{EXTENSION}/request_token", headers=headers | {"Requested-Project-Id": project_id}
        )

    def authorize(self, user: Client, token: dict[str, str], *roles: dict[str, str]) -> Any:
        return user.put(f"{EXTENSION}/authorize/{token['oauth_token']}", json={"roles": list(roles)})

    def exchange(self, token: dict[str, str], verifier: str | None, **how: Any) -> Any:
        options = {"resource_owner_key": token["oauth_token"], "verifier": verifier}
        options |= {"resource_owner_secret": token["oauth_token_secret"]} | how
        return self.cloud.http.post(
            f"{EXTENSION}/access_token", headers=self.sign(f"{EXTENSION}/access_token", **options)
        )

    def log_in(self, token: dict[str, str], **how: Any) -> Any:
        options = {"resource_owner_key": token["oauth_token"]}
        options |= {"resource_owner_secret": token["oauth_token_secret"]} | how
        return self.cloud.http.post(
            f"{V3}/auth/tokens", json=BY_OAUTH1, headers=self.sign(f"{V3}/auth/tokens", **options)
        )

    def access(self, user: Client, project_id: str, *roles: str) -> dict[str, str]:
        """Go all the way to an access token."""
        asked = form(self.ask(project_id))
        verifier = self.authorize(user, asked, *({"name": role} for role in roles)).json()["token"]
        return form(self.exchange(asked, verifier["oauth_verifier"]))


def form(answer: Any) -> dict[str, str]:
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"].startswith("application/x-www-form-urlencoded")
    return {name: values[0] for name, values in parse_qs(answer.text).items()}


@pytest.fixture
def story(cloud):
    made = cloud.admin.post(f"{EXTENSION}/consumers", json={"consumer": {"description": "a robot"}})
    assert made.status_code == 201, made.text
    return Story(cloud, made.json()["consumer"])


def test_a_consumer_is_created_changed_listed_shown_and_deleted(cloud, story):
    consumer = story.consumer
    path = f"{EXTENSION}/consumers/{consumer['id']}"
    assert consumer["links"]["self"] == ROOT + path
    assert len(consumer["secret"]) == 32
    shown = cloud.admin.get(path).json()["consumer"]
    assert shown == {name: value for name, value in consumer.items() if name != "secret"}
    changed = cloud.admin.patch(path, json={"consumer": {"description": None, "some:odd-name": 1}})
    assert changed.json()["consumer"] == shown | {"description": None, "some_odd_name": 1}
    assert cloud.admin.get(f"{EXTENSION}/consumers").json()["consumers"] == [changed.json()["consumer"]]
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.get(path).status_code == 404
    assert cloud.admin.delete(path).status_code == 404


@pytest.mark.parametrize("body", [{"secret": "mine"}, {"id": "other"}, {"description": 7}])
def test_a_consumer_keeps_its_secret_and_its_id(cloud, story, body):
    path = f"{EXTENSION}/consumers/{story.consumer['id']}"
    before = cloud.admin.get(path).json()
    assert cloud.admin.patch(path, json={"consumer": body}).status_code == 400
    assert cloud.admin.get(path).json() == before


def test_only_operators_manage_consumers(cloud, story):
    path = f"{EXTENSION}/consumers/{story.consumer['id']}"
    assert cloud.member.post(f"{EXTENSION}/consumers", json={"consumer": {}}).status_code == 403
    assert {cloud.member.request(method, path, json={"consumer": {}}).status_code
            for method in ("GET", "PATCH", "DELETE")} == {403}  # fmt: skip
    assert cloud.member.get(f"{EXTENSION}/consumers").status_code == 403


def test_secrets_are_encrypted_at_rest_and_stay_readable_when_keys_rotate(cloud, story):
    admin = cloud.admin
    asked = form(story.ask(admin.project_id))
    access = story.access(admin, admin.project_id, "reader")
    tables = (t.consumers, t.request_tokens, t.access_tokens)

    def stored() -> list[str]:
        with cloud.house.db.read() as c:
            return [c.execute(select(table.c.encrypted_secret)).scalar_one() for table in tables]

    before = stored()
    for secret in (story.consumer["secret"], asked["oauth_token_secret"], access["oauth_token_secret"]):
        assert not any(secret in text for text in before)
    for _ in range(4):
        assert reconcile.rotate_credential_keys(cloud.house)
    assert not set(before) & set(stored())
    assert story.log_in(access).status_code == 201


def test_a_consumer_acts_with_the_roles_that_it_was_given_and_no_others(cloud, story):
    admin = cloud.admin
    asked = form(story.ask(admin.project_id))
    assert {"oauth_token", "oauth_token_secret", "oauth_expires_at"} == set(asked)
    verifier = story.authorize(admin, asked, {"name": "reader"})
    assert verifier.status_code == 200, verifier.text
    access = form(story.exchange(asked, verifier.json()["token"]["oauth_verifier"]))
    answer = story.log_in(access)
    assert answer.status_code == 201, answer.text
    token = answer.json()["token"]
    assert token["methods"] == ["oauth1"]
    assert token["user"]["id"] == admin.user_id
    assert token["project"]["id"] == admin.project_id
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assert token["OS-OAUTH1"] == {
        "access_token_id": access["oauth_token"],
        "consumer_id": story.consumer["id"],
    }
    robot = Client(cloud.http, answer.headers["X-Subject-Token"])
    subject = {"X-Subject-Token": robot.token}
    validated = admin.get(f"{V3}/auth/tokens", headers=subject).json()["token"]
    assert validated["OS-OAUTH1"] == token["OS-OAUTH1"]
    assert robot.get("/network/v2.0/networks").status_code == 200
    assert robot.post("/network/v2.0/networks", json={"network": {}}).status_code == 403
    assert robot.post(f"{EXTENSION}/consumers", json={"consumer": {}}).status_code == 403


def test_an_implied_role_comes_with_the_one_that_was_given(cloud, story):
    token = story.log_in(story.access(cloud.admin, cloud.admin.project_id, "member")).json()["token"]
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}


@pytest.mark.parametrize("method", [oauth1.SIGNATURE_HMAC_SHA256, oauth1.SIGNATURE_HMAC_SHA512])
def test_stronger_signatures_are_taken(story, method):
    assert story.ask(story.cloud.admin.project_id, signature_method=method).status_code == 201


def test_the_scope_that_a_client_asks_for_does_not_count(cloud, story):
    access = story.access(cloud.admin, cloud.admin.project_id, "reader")
    options = {"resource_owner_key": access["oauth_token"]}
    options |= {"resource_owner_secret": access["oauth_token_secret"]}
    body = {"auth": BY_OAUTH1["auth"] | {"scope": {"system": {"all": True}}}}
    answer = cloud.http.post(
        f"{V3}/auth/tokens", json=body, headers=story.sign(f"{V3}/auth/tokens", **options)
    )
    assert answer.json()["token"]["project"]["id"] == cloud.admin.project_id


# -- the steps, spoilt ------------------------------------------------------------------------------------------


def test_a_request_token_is_refused_where_the_request_is_not_right(story):
    project_id = story.cloud.admin.project_id
    path = f"{EXTENSION}/request_token"
    post, header = story.cloud.http.post, {"Requested-Project-Id": project_id}
    assert post(path, headers=header).status_code == 400
    assert "oauth_consumer_key" in post(path, headers=header).text
    assert "Requested-Project-Id" in post(path, headers=story.sign(path)).text
    assert story.ask("no-such-project").status_code == 404
    assert story.ask(project_id, consumer_key="nobody").status_code == 404
    assert story.ask(project_id, client_secret="wrong").status_code == 401
    assert story.ask(project_id, signature_method=oauth1.SIGNATURE_PLAINTEXT).status_code == 400
    assert post(f"{path}?more=1", headers=story.sign(path) | header).status_code == 401
    elsewhere = story.sign(f"{EXTENSION}/access_token")
    assert post(path, headers=elsewhere | header).status_code == 401


@pytest.mark.parametrize(
    "how",
    [{"timestamp": "yesterday"}, {"timestamp": "1000"}, {"timestamp": str(int(time.time()) + 86400)},
     {"timestamp": "9" * 30}],
)  # fmt: skip
def test_a_timestamp_that_is_not_of_now_is_refused(story, how):
    answer = story.ask(story.cloud.admin.project_id, **how)
    assert answer.status_code == 400
    assert "oauth_timestamp" in answer.text


@pytest.mark.parametrize(
    "header",
    ["OAuth", "OAuth ", "OAuth rubbish", 'OAuth oauth_consumer_key="a', 'OAuth oauth_consumer_key="%ff"',
     'OAuth oauth_consumer_key="a", oauth_consumer_key="b"', "Basic YTpi", "OAuth =,=,", 'OAuth "=",'],
)  # fmt: skip
def test_rubbish_in_the_header_is_a_clear_error(cloud, header):
    headers = {"Authorization": header, "Requested-Project-Id": cloud.admin.project_id}
    assert cloud.http.post(f"{EXTENSION}/request_token", headers=headers).status_code in (400, 404)
    assert cloud.http.post(f"{EXTENSION}/access_token", headers=headers).status_code == 400
    assert cloud.http.post(f"{V3}/auth/tokens", json=BY_OAUTH1, headers=headers).status_code == 400


@pytest.mark.parametrize("host", ["a b", "", "[", "a/b", "x:y:z", "h:99999999"])
def test_a_host_that_is_none_is_a_clear_error(story, host):
    headers = story.sign(f"{EXTENSION}/request_token") | {"Host": host}
    headers |= {"Requested-Project-Id": story.cloud.admin.project_id}
    answer = story.cloud.http.post(f"{EXTENSION}/request_token", headers=headers)
    assert answer.status_code in (400, 401), answer.text


def test_a_stranger_does_not_learn_which_projects_there_are(story):
    for project_id in (story.cloud.admin.project_id, "no-such-project"):
        assert story.ask(project_id, client_secret="wrong").status_code == 401


def test_the_same_request_is_served_once(cloud, story):
    project_id = cloud.admin.project_id
    same = {"nonce": "n", "timestamp": str(int(time.time()))}
    assert story.ask(project_id, **same).status_code == 201
    again = story.ask(project_id, **same)
    assert again.status_code == 401
    assert "nonce" in again.text
    assert story.ask(project_id, **(same | {"nonce": "m"})).status_code == 201
    access = story.access(cloud.admin, project_id, "reader")
    assert story.log_in(access, **same).status_code == 201  # another token: another request
    assert story.log_in(access, **same).status_code == 401


def test_a_request_that_was_not_served_leaves_no_trace_of_its_nonce(cloud, story):
    same = {"nonce": "n", "timestamp": str(int(time.time()))}
    assert story.ask(cloud.admin.project_id, client_secret="wrong", **same).status_code == 401
    assert story.ask(cloud.admin.project_id, **same).status_code == 201


def test_roles_that_the_user_does_not_have_cannot_be_given(cloud, story, make):
    asked = form(story.ask(cloud.admin.project_id))
    own = make.role()
    assert story.authorize(cloud.admin, asked, {"id": own["id"]}).status_code == 401
    assert story.authorize(cloud.admin, asked, {"id": "f" * 32}).status_code == 404
    assert story.authorize(cloud.admin, asked, {"name": "no-such-role"}).status_code == 404
    assert story.authorize(cloud.admin, asked).status_code == 400
    assert story.authorize(cloud.admin, asked, {"id": own["id"], "name": own["name"]}).status_code == 400
    assert story.authorize(cloud.admin, {"oauth_token": "f" * 32}, {"name": "reader"}).status_code == 404
    assert story.authorize(cloud.member, asked, {"name": "reader"}).status_code == 403
    assert story.exchange(asked, "guess").status_code == 401


def test_tokens_that_were_handed_on_authorize_nothing(cloud, story):
    asked = form(story.ask(cloud.admin.project_id))
    robot = story.log_in(story.access(cloud.admin, cloud.admin.project_id, "admin"))
    handed_on = Client(cloud.http, robot.headers["X-Subject-Token"])
    assert story.authorize(handed_on, asked, {"name": "reader"}).status_code == 403
    assert handed_on.get(f"{V3}/users/{cloud.admin.user_id}/OS-OAUTH1/access_tokens").status_code == 403
    made = cloud.admin.post(
        f"{V3}/users/{cloud.admin.user_id}/application_credentials",
        json={"application_credential": {"name": "a", "secret": "s"}},
    ).json()["application_credential"]
    by = {"methods": ["application_credential"], "application_credential": {"id": made["id"], "secret": "s"}}
    answer = cloud.http.post(f"{V3}/auth/tokens", json={"auth": {"identity": by}})
    restricted = Client(cloud.http, answer.headers["X-Subject-Token"])
    assert story.authorize(restricted, asked, {"name": "reader"}).status_code == 403


def test_an_access_token_needs_the_verifier_and_the_consumer_that_asked(cloud, story):
    admin = cloud.admin
    asked = form(story.ask(admin.project_id))
    assert "authorizing" in story.exchange(asked, "guess").text
    verifier = story.authorize(admin, asked, {"name": "reader"}).json()["token"]["oauth_verifier"]
    assert story.exchange(asked, None).status_code == 400
    assert story.exchange(asked, "guess").status_code == 401
    assert story.exchange(asked, verifier, resource_owner_secret="wrong").status_code == 401
    assert story.exchange(asked, verifier, client_secret="wrong").status_code == 401
    assert story.exchange(asked, verifier, resource_owner_key="f" * 32).status_code == 404
    other = Story(cloud, admin.post(f"{EXTENSION}/consumers", json={"consumer": {}}).json()["consumer"])
    assert other.exchange(asked, verifier).status_code == 401
    assert story.exchange(asked, verifier).status_code == 201
    assert story.exchange(asked, verifier).status_code == 404


def test_tokens_end(cloud, story):
    admin = cloud.admin
    access = story.access(admin, admin.project_id, "reader")
    asked = form(story.ask(admin.project_id))
    verifier = story.authorize(admin, asked, {"name": "reader"}).json()["token"]["oauth_verifier"]
    robot = story.log_in(access).headers["X-Subject-Token"]
    with cloud.house.db.write() as c:
        for table in (t.request_tokens, t.access_tokens):
            c.execute(update(table).values(expires_at=time.time() - 1))
    assert story.authorize(admin, asked, {"name": "reader"}).status_code == 401
    assert story.exchange(asked, verifier).status_code == 401
    assert story.log_in(access).status_code == 401
    form(story.ask(admin.project_id))
    assert story.exchange(asked, verifier).status_code == 404  # swept out
    cloud.house.caches.clear()
    assert Client(cloud.http, robot).get(f"{V3}/auth/projects").status_code == 401


def test_a_token_ends_with_the_access_token_behind_it(cloud, story):
    access = story.access(cloud.admin, cloud.admin.project_id, "reader")
    soon = time.time() + 60
    with cloud.house.db.write() as c:
        c.execute(update(t.access_tokens).values(expires_at=soon))
    token = story.log_in(access).json()["token"]
    assert token["expires_at"] <= time.strftime("%Y-%m-%dT%H:%M:%S.999999Z", time.gmtime(soon))


def test_a_signature_by_another_consumer_is_no_log_in(cloud, story):
    access = story.access(cloud.admin, cloud.admin.project_id, "reader")
    other = Story(cloud, cloud.admin.post(f"{EXTENSION}/consumers", json={"consumer": {}}).json()["consumer"])
    assert other.log_in(access).status_code == 401
    assert story.log_in(access, resource_owner_secret="wrong").status_code == 401
    assert story.log_in(access, consumer_key="nobody").status_code == 401
    assert story.log_in(access, resource_owner_key="f" * 32).status_code == 404
    assert story.log_in(access, resource_owner_key=None).status_code == 400
    assert story.log_in(access, timestamp="1").status_code == 401


# -- taken back -------------------------------------------------------------------------------------------------


def test_a_users_access_tokens_are_listed_shown_and_taken_back(cloud, story):
    admin = cloud.admin
    access = story.access(admin, admin.project_id, "reader", "member")
    path = f"{V3}/users/{admin.user_id}/OS-OAUTH1/access_tokens"
    one = f"{path}/{access['oauth_token']}"
    shown = admin.get(one).json()["access_token"]
    assert shown == {
        "id": access["oauth_token"],
        "consumer_id": story.consumer["id"],
        "project_id": admin.project_id,
        "authorizing_user_id": admin.user_id,
        "expires_at": access["oauth_expires_at"],
        "links": {"self": ROOT + one, "roles": f"{ROOT}{one}/roles"},
    }
    assert admin.get(path).json()["access_tokens"] == [shown]
    roles = {role["name"]: role for role in admin.get(f"{one}/roles").json()["roles"]}
    assert set(roles) == {"reader", "member"}
    reader = roles["reader"]
    assert admin.get(f"{one}/roles/{reader['id']}").json()["role"] == reader
    assert admin.get(f"{one}/roles/{'f' * 32}").status_code == 404
    foreign = one.replace(admin.user_id, cloud.member.user_id)
    assert {admin.get(foreign).status_code, admin.delete(foreign).status_code} == {404}
    assert {cloud.member.request(method, one).status_code for method in ("GET", "DELETE")} == {403}
    robot = Client(cloud.http, story.log_in(access).headers["X-Subject-Token"])
    assert robot.get(f"{V3}/auth/projects").status_code == 200
    assert admin.delete(one).status_code == 204
    assert robot.get(f"{V3}/auth/projects").status_code == 401
    assert story.log_in(access).status_code == 404
    assert admin.get(path).json()["access_tokens"] == []


def test_with_the_consumer_goes_what_it_was_allowed(cloud, story):
    access = story.access(cloud.admin, cloud.admin.project_id, "reader")
    robot = Client(cloud.http, story.log_in(access).headers["X-Subject-Token"])
    assert robot.get(f"{V3}/auth/projects").status_code == 200
    assert cloud.admin.delete(f"{EXTENSION}/consumers/{story.consumer['id']}").status_code == 204
    assert robot.get(f"{V3}/auth/projects").status_code == 401
    assert story.log_in(access).status_code == 404
    subjects = [
        {name: event[name] for name in event if name.startswith("OS-OAUTH1")}
        for event in cloud.admin.get(f"{V3}/OS-REVOKE/events").json()["events"]
    ]
    assert {"OS-OAUTH1:consumer_id": story.consumer["id"]} in subjects


def _operator(make, project_id: str) -> Client:
    user = make.user()
    make.grant(make.role_id("admin"), user=user["id"], project=project_id)
    return make.login(user, {"project": {"id": project_id}})


@pytest.mark.parametrize("what", ["users", "projects"])
def test_with_the_user_or_project_goes_what_a_consumer_was_allowed(cloud, story, make, what):
    project = make.project()
    operator = _operator(make, project["id"])
    access = story.access(operator, project["id"], "reader")
    id = operator.user_id if what == "users" else project["id"]
    assert cloud.admin.delete(f"{V3}/{what}/{id}").status_code == 204
    assert story.log_in(access).status_code == 404
    with cloud.house.db.read() as c:
        assert c.execute(select(t.access_tokens)).all() == []


def test_a_role_that_the_user_loses_is_lost_to_the_consumer(cloud, story, make):
    project = make.project()
    operator = _operator(make, project["id"])
    grant = make.grant(make.role_id("reader"), user=operator.user_id, project=project["id"])
    access = story.access(operator, project["id"], "admin")
    assert "admin" in str(story.log_in(access).json()["token"]["roles"])
    admin_grant = grant.replace(make.role_id("reader"), make.role_id("admin"))
    assert cloud.admin.delete(admin_grant).status_code == 204
    left = story.log_in(access).json()["token"]["roles"]
    assert [role["name"] for role in left] == ["reader"]
    assert cloud.admin.delete(grant).status_code == 204
    assert story.log_in(access).status_code == 401
