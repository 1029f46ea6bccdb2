"""Images of servers' disks, backups, and servers that are kept as images."""

from __future__ import annotations

import pytest
from tests.api.compute.conftest import LATEST

from clearsky import simulation
from clearsky.compute import service
from clearsky.errors import Unavailable
from clearsky.image import inspect
from clearsky.image import service as images


def _image(cloud, id):
    answer = cloud.member.get(f"/image/v2/images/{id}")
    return answer.json() if answer.status_code == 200 else None


def test_an_image_of_a_server_can_be_booted_from(cloud, boot, show, act):
    id = boot()
    cloud.settle()
    answer = act(id, "createImage", {"name": "copy", "metadata": {"purpose": "test"}})
    image_id = answer.json()["image_id"]
    assert answer.headers["Location"].endswith(f"/v2/images/{image_id}")
    made = _image(cloud, image_id)
    assert (made["status"], made["visibility"], made["disk_format"]) == ("active", "private", "qcow2")
    assert (made["image_type"], made["instance_uuid"], made["purpose"]) == ("snapshot", id, "test")
    assert made["size"] > 0
    assert made["virtual_size"] == 1 << 30
    assert show(id)["status"] == "ACTIVE"
    (wanted,) = service.desired(cloud.house, "host1").servers
    assert wanted.snapshot == "", "the host may forget its copy"
    again = boot(name="two", imageRef=image_id)
    cloud.settle()
    assert show(again)["status"] == "ACTIVE"


def test_before_2_45_the_image_is_named_in_a_header_only(cloud, boot, act):
    id = boot()
    cloud.settle()
    answer = act(id, "createImage", {"name": "copy"}, version="2.44")
    assert answer.content == b""
    assert _image(cloud, answer.headers["Location"].rpartition("/")[2])["status"] == "active"


def test_a_deleted_image_ends_the_copy_and_the_server_goes_on(cloud, boot, show):
    id = boot()
    cloud.settle()
    asked = cloud.member.post(
        f"/compute/v2.1/servers/{id}/action", json={"createImage": {"name": "copy"}}, headers=LATEST
    )
    assert show(id)["OS-EXT-STS:task_state"] == "image_snapshot"
    assert cloud.member.delete(f"/image/v2/images/{asked.json()['image_id']}").status_code == 204
    cloud.settle()
    assert (show(id)["status"], show(id)["OS-EXT-STS:task_state"]) == ("ACTIVE", None)


def test_a_server_that_is_deleted_takes_its_unfinished_image_along(cloud, boot):
    id = boot()
    cloud.settle()
    asked = cloud.member.post(
        f"/compute/v2.1/servers/{id}/action", json={"createImage": {"name": "copy"}}, headers=LATEST
    )
    cloud.member.delete(f"/compute/v2.1/servers/{id}")
    cloud.settle()
    assert _image(cloud, asked.json()["image_id"]) is None


def test_backups_rotate(cloud, boot, act):
    id = boot()
    cloud.settle()
    made = []
    for number in range(3):
        body = {"name": f"backup-{number}", "backup_type": "daily", "rotation": 2}
        made.append(act(id, "createBackup", body).json()["image_id"])
    assert [_image(cloud, one) is not None for one in made] == [False, True, True]
    assert _image(cloud, made[2])["backup_type"] == "daily"


def test_a_shelved_server_holds_no_host_and_comes_back_from_its_image(cloud, boot, show, act):
    id = boot()
    cloud.settle()
    ports = show(id)["addresses"]
    act(id, "shelve")
    server = show(id, cloud.admin)
    assert (server["status"], server["OS-EXT-SRV-ATTR:host"]) == ("SHELVED_OFFLOADED", None)
    assert server["addresses"] == ports
    assert service.desired(cloud.house, "host1").servers == ()
    assert cloud.admin.get(f"/placement/allocations/{id}").json()["allocations"] == {}
    (kept,) = cloud.member.get("/image/v2/images?name=one-shelved").json()["images"]
    act(id, "shelve", status=409)
    act(id, "os-start", status=409)
    act(id, "unshelve")
    server = show(id, cloud.admin)
    assert (server["status"], server["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "host1")
    assert server["addresses"] == ports
    (wanted,) = service.desired(cloud.house, "host1").servers
    assert wanted.root_disk.image_id == kept["id"]
    assert _image(cloud, kept["id"]) is None, "it runs again: the image is not needed any more"


def test_a_shelved_server_that_no_host_takes_stays_on_its_shelf(cloud, boot, show, act):
    id = boot()
    cloud.settle()
    act(id, "shelve")
    (host,) = cloud.admin.get("/compute/v2.1/os-services", headers=LATEST).json()["services"]
    cloud.admin.put(f"/compute/v2.1/os-services/{host['id']}", json={"status": "disabled"}, headers=LATEST)
    act(id, "unshelve")
    assert show(id)["status"] == "SHELVED_OFFLOADED"
    cloud.admin.put(f"/compute/v2.1/os-services/{host['id']}", json={"status": "enabled"}, headers=LATEST)
    act(id, "unshelve")
    assert show(id)["status"] == "ACTIVE"


def test_a_shelved_server_can_be_deleted_and_takes_its_image_along(cloud, boot, act):
    id = boot()
    cloud.settle()
    act(id, "shelve")
    assert cloud.member.delete(f"/compute/v2.1/servers/{id}").status_code == 204
    cloud.settle()
    assert cloud.member.get(f"/compute/v2.1/servers/{id}").status_code == 404
    assert cloud.member.get("/image/v2/images?name=one-shelved").json()["images"] == []
    assert cloud.member.get(f"/network/v2.0/ports?device_id={id}").json()["ports"] == []


def test_an_image_that_the_host_cannot_make_leaves_the_server_as_it_was(cloud, boot, show, act):
    id = boot()
    cloud.settle()
    cloud.agent.fail[id] = "the disk is full"
    answer = act(id, "createImage", {"name": "copy"})
    assert _image(cloud, answer.json()["image_id"]) is None
    assert show(id)["OS-EXT-STS:task_state"] is None
    del cloud.agent.fail[id]
    cloud.settle()
    assert show(id)["status"] == "ACTIVE"


def test_two_runs_that_fill_one_image_at_once_leave_it_whole(cloud, boot, tmp_path, monkeypatch):
    id = boot()
    cloud.settle()
    asked = cloud.member.post(
        f"/compute/v2.1/servers/{id}/action", json={"createImage": {"name": "copy"}}, headers=LATEST
    )
    image_id = asked.json()["image_id"]
    simulation.step(cloud.house, cloud.agent)
    source = cloud.house.config.state / "servers" / id / "snapshot.qcow2"
    real = inspect.check

    def interrupted(*arguments):
        monkeypatch.setattr(inspect, "check", real)
        images.fill(cloud.house, image_id, source)  # the other run, from its beginning to its end
        return real(*arguments)

    monkeypatch.setattr(inspect, "check", interrupted)
    with pytest.raises(Unavailable):
        images.fill(cloud.house, image_id, source)
    assert _image(cloud, image_id)["status"] == "active"
    cloud.settle()
    made = _image(cloud, image_id)
    assert made["status"] == "active"
    assert len(cloud.member.get(f"/image/v2/images/{image_id}/file").content) == made["size"]
