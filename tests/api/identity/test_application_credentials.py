"""Application credentials: a secret for a program, good for some roles, some requests, and no longer than its owner."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from sqlalchemy import select
from tests.api.conftest import Client

from clearsky.identity import tables, times

V3 = "/identity/v3"


@pytest.fixture
def create(cloud):
    """Return a function that makes an application credential of the user member."""

    def make(client=None, status=201, **body):
        client = client or cloud.member
        body = {"name": "robot"} | body
        path = f"{V3}/users/{client.user_id}/application_credentials"
        answer = client.post(path, json={"application_credential": body})
        assert answer.status_code == status, answer.text
        return answer.json().get("application_credential")

    return make


def _log_in(cloud, scope=None, **given):
    auth = {"identity": {"methods": ["application_credential"], "application_credential": given}}
    if scope:
        auth["scope"] = scope
    return cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth})


def _client(cloud, made):
    answer = _log_in(cloud, id=made["id"], secret=made["secret"])
    assert answer.status_code == 201, answer.text
    token = answer.json()["token"]
    return Client(cloud.http, answer.headers["X-Subject-Token"], token["project"]["id"], token["user"]["id"])


def test_the_secret_is_shown_once_and_logs_in_by_id_and_by_name(cloud, create):
    made = create()
    shown = cloud.member.get(f"{V3}/users/{cloud.member.user_id}/application_credentials/{made['id']}")
    assert "secret" not in shown.json()["application_credential"]
    by_id = _log_in(cloud, id=made["id"], secret=made["secret"])
    user = {"name": "member", "domain": {"id": "default"}}
    by_name = _log_in(cloud, name="robot", user=user, secret=made["secret"])
    for answer in (by_id, by_name):
        token = answer.json()["token"]
        assert token["project"]["id"] == cloud.member.project_id
        assert token["application_credential"] == {"id": made["id"], "name": "robot", "restricted": True}
    with cloud.house.db.read() as c:
        stored = c.execute(select(tables.application_credentials)).one()
    assert made["secret"] not in str(stored)


def test_a_wrong_secret_and_an_unknown_id_look_the_same(cloud, create):
    made = create()
    wrong, unknown = _log_in(cloud, id=made["id"], secret="x"), _log_in(cloud, id="nobody", secret="x")
    assert (wrong.status_code, wrong.json()) == (401, unknown.json())


def test_it_has_the_roles_that_were_asked_for_and_no_others(cloud, create):
    made = create(roles=[{"name": "reader"}])
    assert [role["name"] for role in made["roles"]] == ["reader"]
    robot = _client(cloud, made)
    assert robot.get("/network/v2.0/networks").status_code == 200
    assert robot.post("/network/v2.0/networks", json={"network": {}}).status_code == 403
    create(name="more", roles=[{"name": "admin"}], status=400)
    create(name="none", roles=[{"name": "no-such-role"}], status=404)


def test_a_scope_cannot_be_chosen(cloud, create):
    made = create()
    answer = _log_in(cloud, scope={"system": {"all": True}}, id=made["id"], secret=made["secret"])
    assert answer.status_code == 401


def test_its_token_makes_no_further_tokens(cloud, create):
    robot = _client(cloud, create())
    auth = {"identity": {"methods": ["token"], "token": {"id": robot.token}}}
    assert cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth}).status_code == 403


def test_a_restricted_one_manages_no_others_and_an_unrestricted_one_does(cloud, create):
    robot = _client(cloud, create())
    create(client=robot, name="second", status=403)
    free = _client(cloud, create(name="free", unrestricted=True))
    second = create(client=free, name="second")
    path = f"{V3}/users/{cloud.member.user_id}/application_credentials/{second['id']}"
    assert robot.delete(path).status_code == 403
    assert free.delete(path).status_code == 204


def test_it_ends_when_it_says(cloud, create, monkeypatch):
    made = create(expires_at=times.plain(time.time() + 3600))
    robot = _client(cloud, made)
    shown = robot.get(f"{V3}/auth/tokens", headers={"X-Subject-Token": robot.token}).json()["token"]
    assert shown["expires_at"] == made["expires_at"] + "Z"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    assert robot.get("/network/v2.0/networks").status_code == 401
    assert _log_in(cloud, id=made["id"], secret=made["secret"]).status_code == 401


@pytest.mark.parametrize("expires_at", ["2000-01-01T00:00:00Z", "tomorrow", ""])
def test_an_end_that_is_past_or_no_time_is_refused(create, expires_at):
    create(expires_at=expires_at, status=400)


def test_it_is_void_once_deleted_at_once(cloud, create):
    made = create()
    robot = _client(cloud, made)
    assert robot.get("/network/v2.0/networks").status_code == 200
    path = f"{V3}/users/{cloud.member.user_id}/application_credentials/{made['id']}"
    assert cloud.member.delete(path).status_code == 204
    assert robot.get("/network/v2.0/networks").status_code == 401
    assert cloud.member.get(path).status_code == 404


def test_it_goes_when_its_owner_loses_a_role_on_the_project(cloud, create):
    made = create()
    robot = _client(cloud, made)
    role = cloud.admin.get(f"{V3}/roles?name=member").json()["roles"][0]["id"]
    grant = f"{V3}/projects/{cloud.member.project_id}/users/{cloud.member.user_id}/roles/{role}"
    assert cloud.admin.delete(grant).status_code == 204
    assert robot.get("/network/v2.0/networks").status_code == 401
    assert cloud.admin.put(grant).status_code == 204
    assert _log_in(cloud, id=made["id"], secret=made["secret"]).status_code == 401


def test_names_are_unique_among_a_users_own(cloud, create):
    create()
    create(status=409)
    create(client=cloud.foreign)


def test_lists_hold_the_users_own_and_are_filtered_by_name(cloud, create):
    create(name="a", access_rules=[{"service": "compute", "method": "GET", "path": "/v2.1/servers"}])
    create(name="b")
    path = f"{V3}/users/{cloud.member.user_id}/application_credentials"
    found = cloud.member.get(path).json()["application_credentials"]
    assert {one["name"] for one in found} == {"a", "b"}
    assert all({role["name"] for role in one["roles"]} == {"member", "reader"} for one in found)
    assert [one["name"] for one in cloud.member.get(f"{path}?name=b").json()["application_credentials"]] == [
        "b"
    ]
    assert cloud.foreign.get(path).status_code == 403


def test_nobody_hands_on_anothers_rights_not_even_an_administrator(cloud):
    body = {"application_credential": {"name": "x"}}
    path = f"{V3}/users/{cloud.member.user_id}/application_credentials"
    assert cloud.admin.post(path, json=body).status_code == 403


def test_a_user_has_only_so_many(cloud, create):
    few = replace(cloud.house.config.identity, application_credentials_per_user=1)
    cloud.house.config = replace(cloud.house.config, identity=few)
    create()
    create(name="second", status=403)


# -- access rules -----------------------------------------------------------------------------------------------

NETWORKS = {"service": "network", "method": "GET", "path": "/v2.0/networks"}


def test_a_token_with_access_rules_is_good_for_these_requests_only(cloud, create):
    rules = [NETWORKS, {"service": "compute", "method": "GET", "path": "/v2.1/servers/*"}]
    robot = _client(cloud, create(access_rules=rules))
    assert robot.get("/network/v2.0/networks").status_code == 200
    assert robot.get("/network/v2.0/subnets").status_code == 401
    assert robot.post("/network/v2.0/networks", json={"network": {}}).status_code == 401
    assert robot.get("/compute/v2.1/servers/nothing-there").status_code == 404
    assert robot.get("/compute/v2.1/servers").status_code == 401
    assert robot.get(f"{V3}/users/{robot.user_id}").status_code == 401


def test_a_service_that_does_not_know_access_rules_is_not_shown_such_a_token(cloud, create):
    robot = _client(cloud, create(access_rules=[NETWORKS]))
    asked = {"X-Subject-Token": robot.token}
    assert robot.get(f"{V3}/auth/tokens", headers=asked).status_code == 404
    known = robot.get(f"{V3}/auth/tokens", headers=asked | {"OpenStack-Identity-Access-Rules": "1.0"})
    rule = known.json()["token"]["application_credential"]["access_rules"][0]
    assert {name: rule[name] for name in NETWORKS} == NETWORKS


def test_a_service_that_passes_a_request_on_may_use_the_token_for_more(cloud, create):
    robot = _client(cloud, create(access_rules=[NETWORKS]))
    role = cloud.admin.get(f"{V3}/roles?name=service").json()["roles"][0]["id"]
    path = "/network/v2.0/subnets"
    assert robot.get(path, headers={"X-Service-Token": cloud.foreign.token}).status_code == 401
    grant = f"{V3}/projects/{cloud.foreign.project_id}/users/{cloud.foreign.user_id}/roles/{role}"
    assert cloud.admin.put(grant).status_code == 204
    assert robot.get(path, headers={"X-Service-Token": cloud.foreign.token}).status_code == 200


def test_equal_rules_are_one_and_stay_while_they_are_used(cloud, create):
    made = create(access_rules=[NETWORKS])
    create(name="second", access_rules=[{"id": made["access_rules"][0]["id"]}])
    path = f"{V3}/users/{cloud.member.user_id}/access_rules"
    found = cloud.member.get(path).json()["access_rules"]
    assert len(found) == 1
    one = f"{path}/{found[0]['id']}"
    assert cloud.member.get(one).json()["access_rule"] == found[0]
    assert cloud.member.get(f"{path}?service=compute").json()["access_rules"] == []
    assert cloud.member.delete(one).status_code == 403
    for credential in cloud.member.get(f"{V3}/users/{cloud.member.user_id}/application_credentials").json()[
        "application_credentials"
    ]:
        cloud.member.delete(f"{V3}/users/{cloud.member.user_id}/application_credentials/{credential['id']}")
    assert cloud.member.delete(one).status_code == 204
    assert cloud.member.get(one).status_code == 404


def test_anothers_rule_cannot_be_named(cloud, create):
    made = create(access_rules=[NETWORKS])
    create(client=cloud.foreign, access_rules=[{"id": made["access_rules"][0]["id"]}], status=404)


@pytest.mark.parametrize(
    "wrong",
    [
        {"service": "network", "method": "GET"},
        {"service": "network", "method": "STEAL", "path": "/v2.0/networks"},
        {"service": "network", "method": "GET", "path": "no-slash"},
        {"service": "network", "method": "GET", "path": "/" + "x" * 225},
    ],
)
def test_a_rule_that_is_none_is_refused(create, wrong):
    create(access_rules=[wrong], status=400)
