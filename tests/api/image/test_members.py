"""Members of shared images: who decides, who sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

I = "/image/v2/images"  # noqa: E741


@pytest.fixture
def shared(cloud):
    answer = cloud.member.post(I, json={"name": "shared"})
    members = f"{I}/{answer.json()['id']}/members"
    assert cloud.member.post(members, json={"member": cloud.foreign.project_id}).status_code == 200
    return members


def test_the_owner_sees_all_members_and_a_member_itself(cloud, shared):
    assert cloud.member.post(shared, json={"member": "third"}).json()["status"] == "pending"
    listed = cloud.member.get(shared).json()
    assert listed["schema"] == "/v2/schemas/members"
    assert {one["member_id"] for one in listed["members"]} == {cloud.foreign.project_id, "third"}
    assert [one["member_id"] for one in cloud.foreign.get(shared).json()["members"]] == [
        cloud.foreign.project_id
    ]
    assert cloud.foreign.get(f"{shared}/{cloud.foreign.project_id}").status_code == 200
    assert cloud.foreign.get(f"{shared}/third").status_code == 404
    assert len(cloud.admin.get(shared).json()["members"]) == 2


def test_only_the_member_decides(cloud, shared):
    mine = f"{shared}/{cloud.foreign.project_id}"
    assert cloud.member.put(mine, json={"status": "accepted"}).status_code == 403
    assert cloud.member.post(shared, json={"member": "third"}).status_code == 200
    assert cloud.foreign.put(f"{shared}/third", json={"status": "accepted"}).status_code == 404
    for status in ("accepted", "rejected", "pending"):
        assert cloud.foreign.put(mine, json={"status": status}).json()["status"] == status
    assert cloud.foreign.put(mine, json={"status": "bored"}).status_code == 400
    assert cloud.foreign.put(mine, json={}).status_code == 400
    assert cloud.admin.put(f"{shared}/third", json={"status": "accepted"}).status_code == 200


def test_only_the_owner_shares(cloud, shared):
    assert cloud.foreign.post(shared, json={"member": "fourth"}).status_code == 403
    assert cloud.foreign.delete(f"{shared}/{cloud.foreign.project_id}").status_code == 403
    assert cloud.reader.post(shared, json={"member": "fourth"}).status_code == 403
    assert cloud.member.post(shared, json={"member": cloud.foreign.project_id}).status_code == 409
    assert cloud.member.delete(f"{shared}/{cloud.foreign.project_id}").status_code == 204
    assert cloud.member.delete(f"{shared}/{cloud.foreign.project_id}").status_code == 404
    assert cloud.foreign.get(shared).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"member": ""}, {"member": None}, {"member": "a/b"}, [], {"member": "x" * 65}]
)
def test_a_member_must_be_named(cloud, shared, body):
    assert cloud.member.post(shared, json=body).status_code == 400


def test_only_shared_images_have_members(cloud):
    for visibility in ("private", "community"):
        id = cloud.member.post(I, json={"visibility": visibility}).json()["id"]
        members = f"{I}/{id}/members"
        assert cloud.member.post(members, json={"member": "x"}).status_code == 403
        assert cloud.member.get(members).status_code == 403
        assert cloud.member.get(f"{members}/x").status_code == 404
        assert cloud.member.delete(f"{members}/x").status_code == 403


def test_an_image_has_only_so_many_members(cloud, shared):
    settings = cloud.house.config
    cloud.house.config = replace(settings, image=replace(settings.image, member_limit=1))
    answer = cloud.member.post(shared, json={"member": "second"})
    assert answer.status_code == 413
    assert "at most 1" in answer.json()["message"]
