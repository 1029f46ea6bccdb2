"""How long a token lives, what ends it, who may ask about it, and what the audit log says."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

import pytest
import structlog
from starlette.testclient import TestClient
from tests.api.conftest import PASSWORD, Client

from clearsky import app
from clearsky.house import House
from clearsky.identity import reconcile, service
from clearsky.work.worker import run_until_idle

V3 = "/identity/v3"


@pytest.fixture
def elsewhere(cloud):
    """A second api process: the same database and settings, nothing else in common."""
    house = House(cloud.house.config, type(cloud.house.db)(cloud.house.config.database_url))
    house.check_responses = True
    with TestClient(app.api(house), raise_server_exceptions=False) as http:
        yield http
    house.close()


def _log_in(http, name="member", password=PASSWORD, **auth):
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    body = {"identity": {"methods": ["password"], "password": {"user": user}}} | auth
    return http.post(f"{V3}/auth/tokens", json={"auth": body})


def _rescope(cloud, token, scope):
    auth = {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": scope}
    return cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth})


def _works(http, token):
    return http.get("/network/v2.0/networks", headers={"X-Auth-Token": token}).status_code == 200


def _asked(cloud, token, **query):
    return cloud.admin.get(f"{V3}/auth/tokens", headers={"X-Subject-Token": token}, params=query)


@pytest.mark.parametrize(
    "end", ["revoke", "revoke all", "password", "disable", "role", "project", "domain", "delete"]
)
def test_what_ends_a_token_ends_it_in_every_process_at_once(cloud, elsewhere, make, end):
    domain = make.domain()
    project = make.project(domain_id=domain["id"])
    user = make.user(domain_id=domain["id"])
    grant = make.grant(make.role_id("member"), user=user["id"], project=project["id"])
    token = make.login(user, {"project": {"id": project["id"]}}).token
    assert _works(cloud.http, token)
    assert _works(elsewhere, token)
    admin, one = cloud.admin, f"{V3}/users/{user['id']}"
    done = {
        "revoke": lambda: admin.delete(f"{V3}/auth/tokens", headers={"X-Subject-Token": token}),
        "revoke all": lambda: admin.delete(f"{one}/tokens"),
        "password": lambda: admin.patch(one, json={"user": {"password": "new"}}),
        "disable": lambda: admin.patch(one, json={"user": {"enabled": False}}),
        "role": lambda: admin.delete(grant),
        "project": lambda: admin.patch(
            f"{V3}/projects/{project['id']}", json={"project": {"enabled": False}}
        ),
        "domain": lambda: admin.patch(f"{V3}/domains/{domain['id']}", json={"domain": {"enabled": False}}),
        "delete": lambda: admin.delete(one),
    }[end]()
    assert done.status_code in (200, 204), done.text
    assert not _works(elsewhere, token)
    assert not _works(cloud.http, token)


def test_a_token_is_made_from_a_token_and_belongs_to_its_chain(cloud):
    first = _log_in(cloud.http, scope="unscoped")
    own = first.json()["token"]
    scope = {"project": {"id": cloud.member.project_id}}
    second = _rescope(cloud, first.headers["X-Subject-Token"], scope)
    token = second.json()["token"]
    assert token["expires_at"] == own["expires_at"]
    assert token["audit_ids"][1:] == own["audit_ids"]
    assert token["methods"] == ["token", "password"]
    third = _rescope(cloud, second.headers["X-Subject-Token"], "unscoped").json()["token"]
    assert third["audit_ids"][1:] == own["audit_ids"]


def test_revoking_a_token_leaves_those_made_from_it(cloud):
    first = _log_in(cloud.http, scope="unscoped").headers["X-Subject-Token"]
    second = _rescope(cloud, first, {"project": {"id": cloud.member.project_id}}).headers["X-Subject-Token"]
    assert (
        cloud.http.delete(
            f"{V3}/auth/tokens", headers={"X-Subject-Token": first, "X-Auth-Token": first}
        ).status_code
        == 204
    )
    assert _works(cloud.http, second)
    assert _rescope(cloud, first, "unscoped").status_code == 404


def test_a_token_for_the_system_is_not_made_one_for_a_project(cloud, make):
    operator = make.persona("admin", system="all")
    scope = {"project": {"id": cloud.member.project_id}}
    assert _rescope(cloud, operator.token, scope).status_code == 403


@pytest.mark.parametrize("scope", [{}, {"project": {}, "domain": {}}, {"moon": {}}, "everything", {"system": {}},
                                   {"project": {"name": "demo"}}, {"domain": {}}, {"OS-TRUST:trust": {}}])  # fmt: skip
def test_a_scope_that_is_none_is_refused(cloud, scope):
    assert _log_in(cloud.http, scope=scope).status_code == 400


@pytest.mark.parametrize("scope", [{"project": {"id": "nowhere"}}, {"domain": {"id": "nowhere"}}, {"system": {"all": True}},
                                   {"project": {"name": "x", "domain": {"name": "y"}}}])  # fmt: skip
def test_a_scope_that_one_has_no_role_on_is_refused_like_one_that_is_not_there(cloud, scope):
    answer = _log_in(cloud.http, scope=scope)
    assert answer.status_code == 401
    assert "nowhere" not in answer.text


def test_the_default_project_is_the_scope_where_none_is_named(cloud):
    path = f"{V3}/users/{cloud.member.user_id}"
    body = {"user": {"default_project_id": cloud.member.project_id}}
    assert cloud.admin.patch(path, json=body).status_code == 200
    assert _log_in(cloud.http).json()["token"]["project"]["id"] == cloud.member.project_id
    assert "project" not in _log_in(cloud.http, scope="unscoped").json()["token"]
    disabled = {"project": {"enabled": False}}
    cloud.admin.patch(f"{V3}/projects/{cloud.member.project_id}", json=disabled)
    assert "project" not in _log_in(cloud.http).json()["token"]


# -- asking about a token ---------------------------------------------------------------------------------------


def test_a_token_is_shown_and_checked_with_or_without_the_catalog(cloud):
    whole = _asked(cloud, cloud.member.token)
    assert whole.headers["X-Subject-Token"] == cloud.member.token
    assert "catalog" in whole.json()["token"]
    assert "catalog" not in _asked(cloud, cloud.member.token, nocatalog="").json()["token"]
    head = cloud.admin.head(f"{V3}/auth/tokens", headers={"X-Subject-Token": cloud.member.token})
    assert (head.status_code, head.content) == (200, b"")
    assert cloud.admin.get(f"{V3}/auth/tokens").status_code == 400
    assert _asked(cloud, "rubbish").status_code == 404


def test_a_user_asks_about_ones_own_tokens_only(cloud):
    own = {"X-Subject-Token": cloud.member.token}
    assert cloud.member.get(f"{V3}/auth/tokens", headers=own).status_code == 200
    assert cloud.foreign.get(f"{V3}/auth/tokens", headers=own).status_code == 403
    assert cloud.foreign.delete(f"{V3}/auth/tokens", headers=own).status_code == 403


def test_a_token_that_has_ended_can_be_asked_about_for_a_while(cloud, monkeypatch):
    settings = cloud.house.config.identity
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + settings.token_lifetime_s + 10)
    admin = _log_in(cloud.http, "admin", "admin-secret", scope={"system": {"all": True}})
    asker = Client(cloud.http, admin.headers["X-Subject-Token"])
    path, subject = f"{V3}/auth/tokens", {"X-Subject-Token": cloud.member.token}
    assert asker.get(path, headers=subject).status_code == 404
    assert asker.get(f"{path}?allow_expired=1", headers=subject).status_code == 200
    assert asker.delete(path, headers=subject).status_code == 404
    later = now + settings.token_lifetime_s + settings.allow_expired_s - 1
    monkeypatch.setattr(time, "time", lambda: later)
    admin = _log_in(cloud.http, "admin", "admin-secret", scope={"system": {"all": True}})
    asker = Client(cloud.http, admin.headers["X-Subject-Token"])
    assert asker.get(f"{path}?allow_expired=1", headers=subject).status_code == 200
    monkeypatch.setattr(time, "time", lambda: later + 2)
    assert asker.get(f"{path}?allow_expired=1", headers=subject).status_code == 404


def test_a_revoked_token_is_not_shown_however_one_asks(cloud):
    assert (
        cloud.member.delete(f"{V3}/auth/tokens", headers={"X-Subject-Token": cloud.member.token}).status_code
        == 204
    )
    assert _asked(cloud, cloud.member.token, allow_expired="1").status_code == 404


def test_revocation_events_name_the_token_and_are_for_services(cloud):
    audit_id = _asked(cloud, cloud.member.token).json()["token"]["audit_ids"][0]
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    cloud.member.delete(f"{V3}/auth/tokens", headers={"X-Subject-Token": cloud.member.token})
    path = f"{V3}/OS-REVOKE/events"
    found = cloud.admin.get(path, params={"since": before}).json()["events"]
    assert audit_id in {event.get("audit_id") for event in found}
    assert cloud.admin.get(path, params={"since": "2100-01-01T00:00:00Z"}).json()["events"] == []
    assert cloud.admin.get(path, params={"since": "yesterday"}).status_code == 400
    assert cloud.foreign.get(path).status_code == 403


@pytest.mark.parametrize(
    ("path", "status"), [("auth/tokens/OS-PKI/revoked", 403), ("OS-SIMPLE-CERT/ca", 410)]
)
def test_what_was_for_signed_tokens_says_that_it_is_gone(cloud, path, status):
    assert cloud.anonymous.get(f"{V3}/{path}").status_code == status


# -- keys -------------------------------------------------------------------------------------------------------


def test_rotating_logs_nobody_out_in_any_process_while_a_token_lives(cloud, elsewhere, monkeypatch):
    token = cloud.member.token
    assert _works(elsewhere, token)
    for _ in range(5):  # more often than keys would be kept by their number
        assert reconcile.rotate_token_keys(cloud.house)
        fresh = _log_in(cloud.http, scope={"project": {"id": cloud.member.project_id}}).headers[
            "X-Subject-Token"
        ]
        for http in (cloud.http, elsewhere):
            http.app.house.caches.pop("identity.tokens", None)
            assert _works(http, token)
            assert _works(http, fresh)


def test_old_keys_are_forgotten_when_nothing_that_lives_needs_them(cloud, monkeypatch):
    folder = service.keys(cloud.house).folder
    period = cloud.house.config.identity.key_rotation_s
    now = time.time()
    for step in range(1, 12):
        moment = now + step * period
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        assert reconcile.rotate_token_keys(cloud.house, if_older_than_s=period)
        os.utime(folder / "0", (moment, moment))
    assert len(list(folder.iterdir())) == reconcile.token_keys_to_keep(cloud.house)


def test_keys_are_rotated_by_the_worker_once_they_are_old(cloud, monkeypatch):
    from clearsky.work import queue

    folder, kinds = service.keys(cloud.house).folder, reconcile.RECONCILERS

    def work():
        with cloud.house.db.write() as c:
            queue.enqueue(c, "identity_keys", "all")
        run_until_idle(cloud.house, kinds)
        return max(int(path.name) for path in folder.iterdir() if path.name.isdigit())

    assert work() == 1
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + cloud.house.config.identity.key_rotation_s + 1)
    assert work() == 2
    os.utime(folder / "0", (time.time(), time.time()))
    assert work() == 2


def test_two_processes_that_rotate_at_once_do_it_one_after_the_other(cloud):
    keys = service.keys(cloud.house)
    other = service.keys(replace(cloud.house, caches={}))
    threads = [threading.Thread(target=one.rotate, args=(10,)) for one in (keys, other) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = sorted(int(path.name) for path in keys.folder.iterdir() if path.name.isdigit())
    assert numbers == list(range(10))
    assert not [path for path in keys.folder.iterdir() if path.name.endswith(".new")]
    cloud.house.caches.pop("identity.tokens")
    assert _works(cloud.http, cloud.member.token)


# -- the audit log ----------------------------------------------------------------------------------------------


@pytest.fixture
def events(monkeypatch):
    """Return what the audit log is told."""
    from clearsky.identity import audit

    capture = structlog.testing.LogCapture()
    monkeypatch.setattr(audit, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


def test_log_ins_are_told_with_who_from_where_and_whether(cloud, events):
    _log_in(cloud.http)
    _log_in(cloud.http, password="wrong-password-xyz")
    good, bad = events
    assert (good["action"], good["outcome"]) == ("authenticate", "success")
    assert good["initiator"]["id"] == cloud.member.user_id
    assert good["initiator"]["host"]["address"]
    assert (bad["outcome"], bad["target"]["name"]) == ("failure", "member")
    assert bad["reason"]["reasonType"] == "401"


def test_changes_are_told_and_never_a_secret(cloud, events):
    path = f"{V3}/users/{cloud.member.user_id}"
    made = cloud.member.post(
        f"{path}/application_credentials",
        json={"application_credential": {"name": "r", "secret": "s3cr3t-one"}},
    ).json()["application_credential"]
    body = {"credential": {"type": "totp", "blob": "S3CR3TTW", "user_id": cloud.member.user_id}}
    cloud.member.post(f"{V3}/credentials", json=body)
    key = cloud.member.post(f"{path}/credentials/OS-EC2", json={"tenant_id": cloud.member.project_id})
    given = {"id": made["id"], "secret": "s3cr3t-one"}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": given}}
    token = cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth}).headers["X-Subject-Token"]
    _log_in(cloud.http, password="s3cr3t-three")
    assert [event["action"] for event in events] == [
        "create.application_credential", "create.credential", "create.credential", "authenticate", "authenticate",
    ]  # fmt: skip
    told = str(events)
    for secret in (
        "s3cr3t-one",
        "S3CR3TTW",
        "s3cr3t-three",
        PASSWORD,
        token,
        key.json()["credential"]["secret"],
    ):
        assert secret not in told


def test_changes_of_users_and_grants_are_told_too(cloud, events, make):
    user = make.user(name="watched", password="s3cr3t-four")
    path = f"{V3}/projects/{cloud.member.project_id}/users/{user['id']}/roles/{make.role_id('reader')}"
    assert cloud.admin.put(path).status_code == 204
    assert cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"enabled": False}}).status_code == 200
    assert cloud.admin.patch(f"{V3}/users/nobody", json={"user": {"enabled": False}}).status_code == 404
    assert cloud.admin.delete(f"{V3}/users/{user['id']}").status_code == 204
    assert [event["action"] for event in events] == [
        "create.user",
        "create.role",
        "update.user",
        "delete.user",
    ]
    assert [events[0]["target"]["id"], events[2]["target"]["id"]] == [user["id"]] * 2
    assert all(event["initiator"]["id"] == cloud.admin.user_id for event in events)
    assert "s3cr3t-four" not in str(events)
