"""Unified limits: registered defaults, what a project or domain has instead, who sees them, and what is enforced."""

from __future__ import annotations

import pytest

from clearsky.identity import service

V3 = "/identity/v3"


@pytest.fixture
def image_service(cloud):
    return cloud.admin.get(f"{V3}/services?type=image").json()["services"][0]["id"]


@pytest.fixture
def registered(cloud, image_service):
    body = {"service_id": image_service, "resource_name": "image_count_total", "default_limit": 5}
    answer = cloud.admin.post(f"{V3}/registered_limits", json={"registered_limits": [body]})
    assert answer.status_code == 201, answer.text
    return answer.json()["registered_limits"][0]


def _limit(cloud, image_service, amount, **owner):
    body = {"service_id": image_service, "resource_name": "image_count_total", "resource_limit": amount}
    return cloud.admin.post(f"{V3}/limits", json={"limits": [body | owner]})


def _asked(cloud, project_id):
    return service.project_limits(cloud.house, project_id, "image", ["image_count_total", "image_size_total"])


def test_a_project_has_the_registered_default_until_it_has_its_own(cloud, image_service, registered):
    project = cloud.member.project_id
    assert _asked(cloud, project) == {"image_count_total": 5}
    made = _limit(cloud, image_service, 7, project_id=project).json()["limits"][0]
    assert _asked(cloud, project) == {"image_count_total": 7}
    assert _asked(cloud, cloud.foreign.project_id) == {"image_count_total": 5}
    answer = cloud.admin.patch(f"{V3}/limits/{made['id']}", json={"limit": {"resource_limit": -1}})
    assert answer.json()["limit"]["resource_limit"] == -1
    assert _asked(cloud, project) == {"image_count_total": -1}
    assert cloud.admin.delete(f"{V3}/limits/{made['id']}").status_code == 204
    assert _asked(cloud, project) == {"image_count_total": 5}


def test_the_limit_of_this_region_comes_before_that_of_all(cloud, image_service, registered):
    body = {
        "service_id": image_service,
        "region_id": "RegionOne",
        "resource_name": "image_count_total",
        "default_limit": 9,
    }
    assert cloud.admin.post(f"{V3}/registered_limits", json={"registered_limits": [body]}).status_code == 201
    assert _asked(cloud, cloud.member.project_id) == {"image_count_total": 9}


def test_a_tenant_sees_the_limits_of_the_own_project_only(cloud, image_service, registered):
    mine = _limit(cloud, image_service, 7, project_id=cloud.member.project_id).json()["limits"][0]
    other = _limit(cloud, image_service, 8, project_id=cloud.foreign.project_id).json()["limits"][0]
    assert [one["id"] for one in cloud.member.get(f"{V3}/limits").json()["limits"]] == [mine["id"]]
    assert cloud.member.get(f"{V3}/limits/{mine['id']}").json()["limit"] == mine
    assert cloud.member.get(f"{V3}/limits/{other['id']}").status_code == 403
    assert len(cloud.admin.get(f"{V3}/limits").json()["limits"]) == 2
    found = cloud.admin.get(f"{V3}/limits?project_id={cloud.foreign.project_id}").json()["limits"]
    assert [one["id"] for one in found] == [other["id"]]


@pytest.mark.parametrize("path", ["registered_limits", "limits"])
def test_only_operators_set_limits(cloud, image_service, registered, path):
    body = {"service_id": image_service, "resource_name": "x"}
    more = {"default_limit": 1} if path == "registered_limits" else {"resource_limit": 1, "project_id": "a"}
    assert cloud.member.post(f"{V3}/{path}", json={path: [body | more]}).status_code == 403


def test_a_limit_needs_a_registered_one_and_an_owner_that_exists(cloud, image_service, registered):
    project = {"project_id": cloud.member.project_id}
    body = {"service_id": image_service, "resource_name": "other", "resource_limit": 1} | project
    answer = cloud.admin.post(f"{V3}/limits", json={"limits": [body]})
    assert answer.status_code == 403
    assert "'other'" in answer.text
    assert _limit(cloud, image_service, 1, project_id="nobody").status_code == 404
    assert _limit(cloud, image_service, 1, **project, domain_id="default").status_code == 400
    assert _limit(cloud, image_service, 1).status_code == 400
    assert _limit(cloud, image_service, -2, **project).status_code == 400
    assert _limit(cloud, image_service, 1, **project).status_code == 201
    assert _limit(cloud, image_service, 1, **project).status_code == 409


def test_one_bad_limit_of_several_changes_nothing(cloud, image_service, registered):
    good = {"service_id": image_service, "resource_name": "image_size_total", "default_limit": 1}
    answer = cloud.admin.post(
        f"{V3}/registered_limits", json={"registered_limits": [good, good | {"service_id": "none"}]}
    )
    assert answer.status_code == 400
    assert "'none'" in answer.text
    assert len(cloud.admin.get(f"{V3}/registered_limits").json()["registered_limits"]) == 1


def test_a_registered_limit_in_use_keeps_its_name_and_stays(cloud, image_service, registered):
    _limit(cloud, image_service, 7, project_id=cloud.member.project_id)
    path = f"{V3}/registered_limits/{registered['id']}"
    assert cloud.admin.patch(path, json={"registered_limit": {"resource_name": "other"}}).status_code == 403
    assert cloud.admin.delete(path).status_code == 403
    answer = cloud.admin.patch(path, json={"registered_limit": {"default_limit": 6}})
    assert answer.json()["registered_limit"]["default_limit"] == 6


def test_limits_go_with_their_project_and_their_service(cloud, image_service, registered):
    project = cloud.admin.post(f"{V3}/projects", json={"project": {"name": "short-lived"}}).json()["project"]
    _limit(cloud, image_service, 7, project_id=project["id"])
    assert cloud.admin.delete(f"{V3}/projects/{project['id']}").status_code == 204
    assert cloud.admin.get(f"{V3}/limits").json()["limits"] == []
    assert cloud.admin.delete(f"{V3}/services/{image_service}").status_code == 204
    assert cloud.admin.get(f"{V3}/registered_limits").json()["registered_limits"] == []


def test_the_model_is_flat(cloud):
    assert cloud.member.get(f"{V3}/limits/model").json()["model"]["name"] == "flat"
