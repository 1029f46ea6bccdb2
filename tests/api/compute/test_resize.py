"""Resize, confirm, revert: both sizes are claimed until the word is given."""

from __future__ import annotations

import pytest
from tests.api.compute.conftest import LATEST, make_flavor

from clearsky.compute import service


@pytest.fixture
def large(cloud):
    return make_flavor(cloud, "large", ram=256, vcpus=2, disk=2)


def _claimed(cloud):
    providers = cloud.admin.get("/placement/resource_providers").json()["resource_providers"]
    return cloud.admin.get(f"/placement/resource_providers/{providers[0]['uuid']}/usages").json()["usages"]


def _resized(cloud, boot, act, large):
    id = boot()
    cloud.settle()
    act(id, "resize", {"flavorRef": large})
    return id


def test_a_confirmed_resize_keeps_the_new_size(cloud, boot, show, act, large):
    id = _resized(cloud, boot, act, large)
    assert show(id)["status"] == "VERIFY_RESIZE"
    assert show(id)["flavor"]["ram"] == 256
    assert _claimed(cloud) == {"VCPU": 3, "MEMORY_MB": 384, "DISK_GB": 3}
    (wanted,) = service.desired(cloud.house, "host1").servers
    assert (wanted.memory_mib, wanted.checkpoint[0]) == (256, "keep")
    act(id, "confirmResize", status=204)
    assert show(id)["status"] == "ACTIVE"
    assert _claimed(cloud) == {"VCPU": 2, "MEMORY_MB": 256, "DISK_GB": 2}
    (wanted,) = service.desired(cloud.house, "host1").servers
    assert wanted.checkpoint is None
    (migration,) = cloud.admin.get("/compute/v2.1/os-migrations", headers=LATEST).json()["migrations"]
    assert (migration["status"], migration["migration_type"], migration["instance_uuid"]) == (
        "confirmed",
        "resize",
        id,
    )


def test_a_reverted_resize_brings_the_old_size_and_disk_back(cloud, boot, show, act, large):
    id = _resized(cloud, boot, act, large)
    answer = cloud.member.post(f"/compute/v2.1/servers/{id}/action", json={"revertResize": None})
    assert answer.status_code == 202
    assert show(id)["status"] == "REVERT_RESIZE"
    (wanted,) = service.desired(cloud.house, "host1").servers
    assert (wanted.memory_mib, wanted.checkpoint[0]) == (128, "restore")
    cloud.settle()
    assert (show(id)["status"], show(id)["flavor"]["ram"]) == ("ACTIVE", 128)
    assert _claimed(cloud) == {"VCPU": 1, "MEMORY_MB": 128, "DISK_GB": 1}
    act(id, "confirmResize", status=409)


def test_a_stopped_server_stays_off_when_it_is_resized(cloud, boot, show, act, large):
    id = boot()
    cloud.settle()
    act(id, "os-stop")
    act(id, "resize", {"flavorRef": large})
    assert show(id)["status"] == "VERIFY_RESIZE"
    act(id, "confirmResize", status=204)
    assert show(id)["status"] == "SHUTOFF"


def test_a_resize_for_which_there_is_no_room_leaves_the_server_as_it_was(cloud, boot, show, act):
    id = boot()
    cloud.settle()
    huge = make_flavor(cloud, "huge", ram=300000, vcpus=1, disk=1)
    cloud.admin.put(f"/compute/v2.1/os-quota-sets/{cloud.member.project_id}", json={"quota_set": {"ram": -1}})
    act(id, "resize", {"flavorRef": huge})
    assert (show(id)["status"], show(id)["flavor"]["ram"]) == ("ACTIVE", 128)
    assert _claimed(cloud) == {"VCPU": 1, "MEMORY_MB": 128, "DISK_GB": 1}
    (migration,) = cloud.admin.get("/compute/v2.1/os-migrations").json()["migrations"]
    assert migration["status"] == "error"
    (asked, *_) = cloud.member.get(f"/compute/v2.1/servers/{id}/os-instance-actions").json()[
        "instanceActions"
    ]
    assert (asked["action"], asked["message"]) == ("resize", "Error")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"disk": 0}, "smaller"), (None, "must change flavor"), ("nope", "flavorRef")],
)
def test_a_resize_with_nonsense_says_why(cloud, boot, show, act, flavor, change, words):
    id = boot()
    cloud.settle()
    target = {None: flavor, "nope": "nope"}.get(change if not isinstance(change, dict) else "x")
    wanted = target or make_flavor(cloud, "less", **change)
    assert words in act(id, "resize", {"flavorRef": wanted}, status=400).text
    assert show(id)["status"] == "ACTIVE"


def test_quota_counts_what_a_resize_adds(cloud, boot, act, large):
    id = boot()
    cloud.settle()
    cloud.admin.put(
        f"/compute/v2.1/os-quota-sets/{cloud.member.project_id}", json={"quota_set": {"ram": 200}}
    )
    assert "ram: requested 128" in act(id, "resize", {"flavorRef": large}, status=403).text


def test_a_server_is_deleted_in_the_middle_of_a_resize_and_leaves_nothing(cloud, boot, act, large):
    id = _resized(cloud, boot, act, large)
    assert cloud.member.delete(f"/compute/v2.1/servers/{id}").status_code == 204
    cloud.settle()
    assert _claimed(cloud) == {"VCPU": 0, "MEMORY_MB": 0, "DISK_GB": 0}
