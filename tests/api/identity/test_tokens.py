"""Tokens: who gets one, what it is good for, and when it stops."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.api.conftest import ADMIN_PASSWORD, PASSWORD

from clearsky.identity import service


def _login(cloud, name="member", password=PASSWORD, scope=None):
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope is not None:
        auth["scope"] = scope
    return cloud.http.post("/identity/v3/auth/tokens", json={"auth": auth})


@pytest.mark.parametrize(
    ("name", "scope", "key"),
    [
        ("member", {"project": {"name": "demo", "domain": {"id": "default"}}}, "project"),
        ("admin", {"system": {"all": True}}, "system"),
        ("admin", {"domain": {"id": "default"}}, "domain"),
    ],
)
def test_a_token_is_for_what_was_asked(cloud, name, scope, key):
    answer = _login(cloud, name, ADMIN_PASSWORD if name == "admin" else PASSWORD, scope)
    assert answer.status_code == 201, answer.text
    assert key in answer.json()["token"]


def test_a_scope_without_a_role_is_refused(cloud):
    answer = _login(cloud, scope={"project": {"name": "elsewhere", "domain": {"id": "default"}}})
    assert answer.status_code == 401


def test_a_wrong_password_and_an_unknown_user_look_the_same(cloud):
    wrong, unknown = _login(cloud, password="wrong"), _login(cloud, name="nobody")
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.json() == unknown.json()


def test_after_too_many_failures_the_right_password_is_refused_too(cloud):
    for _ in range(cloud.house.config.identity.lockout_attempts):
        assert _login(cloud, password="wrong").status_code == 401
    assert _login(cloud).status_code == 401


def test_a_revoked_token_is_void_at_once_also_elsewhere(cloud, house):
    other = replace(house, caches={})  # another process: the same database, caches of its own
    token = cloud.member.token
    assert service.validate(other, token).user_name == "member"
    answer = cloud.member.delete("/identity/v3/auth/tokens", headers={"X-Subject-Token": token})
    assert answer.status_code == 204
    assert cloud.member.get("/network/v2.0/networks").status_code == 401
    with pytest.raises(service.Unauthorized):
        service.validate(other, token)


def test_a_role_that_is_taken_counts_at_once(cloud):
    roles = cloud.admin.get("/identity/v3/roles?name=member").json()["roles"]
    path = (
        f"/identity/v3/projects/{cloud.member.project_id}/users/{cloud.member.user_id}/roles/{roles[0]['id']}"
    )
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.member.get("/network/v2.0/networks").status_code == 401


def test_a_new_password_voids_the_old_tokens(cloud):
    path = f"/identity/v3/users/{cloud.member.user_id}/password"
    body = {"user": {"original_password": PASSWORD, "password": "another"}}
    assert cloud.member.post(path, json=body).status_code == 204
    assert cloud.member.get("/network/v2.0/networks").status_code == 401
    assert _login(cloud).status_code == 401
    assert _login(cloud, password="another").status_code == 201


def test_keys_rotate_without_logging_anybody_out(cloud):
    keys = service.keys(cloud.house)
    keys.rotate(keep=3)
    cloud.house.caches.pop("identity.tokens")
    assert cloud.member.get("/network/v2.0/networks").status_code == 200


def test_a_user_reads_oneself_and_nobody_else(cloud):
    assert cloud.member.get(f"/identity/v3/users/{cloud.member.user_id}").status_code == 200
    assert cloud.member.get(f"/identity/v3/users/{cloud.foreign.user_id}").status_code == 403
    assert cloud.member.get("/identity/v3/users").status_code == 403


def test_rubbish_for_a_token_is_401(cloud):
    for text in ("x", "gAAAA" + "b" * 200, "é"):
        answer = cloud.http.get("/network/v2.0/networks", headers={"X-Auth-Token": text.encode()})
        assert answer.status_code == 401
