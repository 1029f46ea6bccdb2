"""The same, or what excludes itself, asked for at the same time: an answer for each, and a state that is right."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

V3 = "/identity/v3"
AT_ONCE = 8


def _together(requests):
    """Make (client, method, path, body) requests at once; return the statuses."""
    with ThreadPoolExecutor(len(requests)) as pool:
        waiting = [
            pool.submit(client.request, method, path, json=body) for client, method, path, body in requests
        ]
        return [one.result().status_code for one in waiting]


@pytest.mark.parametrize("what", ["grant", "member", "implied", "endpoint", "policy", "tag"])
def test_the_same_put_at_once_is_done_once(cloud, make, what):
    user, project = make.user()["id"], make.project()["id"]
    endpoint = cloud.admin.get(f"{V3}/endpoints").json()["endpoints"][0]["id"]
    path = {
        "grant": f"projects/{project}/users/{user}/roles/{make.role_id('member')}",
        "member": f"groups/{make.group()['id']}/users/{user}",
        "implied": f"roles/{make.role()['id']}/implies/{make.role_id('member')}",
        "endpoint": f"OS-EP-FILTER/projects/{project}/endpoints/{endpoint}",
        "policy": f"policies/{make.make('policy', 'policies', type='t', blob='b')['id']}/OS-ENDPOINT-POLICY/endpoints/{endpoint}",
        "tag": f"projects/{project}/tags/blue",
    }[what]
    statuses = _together([(cloud.admin, "PUT", f"{V3}/{path}", None)] * AT_ONCE)
    assert set(statuses) <= {201, 204}, statuses
    assert cloud.admin.get(f"{V3}/{path}").status_code in (200, 204)


def test_different_tags_at_once_are_all_there(cloud, make):
    path = f"{V3}/projects/{make.project()['id']}/tags"
    statuses = _together([(cloud.admin, "PUT", f"{path}/t{number}", None) for number in range(AT_ONCE)])
    assert set(statuses) == {201}
    assert cloud.admin.get(path).json()["tags"] == [f"t{number}" for number in range(AT_ONCE)]


def test_one_of_several_with_the_same_name_is_made(cloud):
    body = {"project": {"name": "wanted"}}
    statuses = _together([(cloud.admin, "POST", f"{V3}/projects", body)] * AT_ONCE)
    assert sorted(statuses) == [201] + [409] * (AT_ONCE - 1)


def test_no_project_is_left_below_a_deleted_one(cloud, make):
    for _ in range(4):
        parent = make.project()["id"]
        bodies = [{"project": {"name": f"below-{parent}-{n}", "parent_id": parent}} for n in range(3)]
        requests = [(cloud.admin, "POST", f"{V3}/projects", body) for body in bodies]
        requests.insert(1, (cloud.admin, "DELETE", f"{V3}/projects/{parent}", None))
        statuses = _together(requests)
        assert set(statuses) <= {201, 204, 403, 404}, statuses
        below = cloud.admin.get(f"{V3}/projects?parent_id={parent}").json()["projects"]
        gone = cloud.admin.get(f"{V3}/projects/{parent}").status_code == 404
        assert not (gone and below)


def test_a_password_that_is_changed_twice_at_once_is_one_of_the_two(cloud, make):
    user = make.user()
    path = f"{V3}/users/{user['id']}/password"
    wanted = [{"user": {"original_password": "a-secret", "password": f"new-{n}"}} for n in range(2)]
    statuses = _together([(cloud.anonymous, "POST", path, body) for body in wanted])
    assert 204 in statuses
    good = [make.try_login(user, password=f"new-{n}").status_code for n in range(2)]
    assert sorted(good) == [201, 401]
