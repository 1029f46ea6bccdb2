"""Rebuild, rescue, suspend: what a server is made from changes, and the server stays itself."""

from __future__ import annotations

from tests.api.compute.conftest import LATEST, make_image

from clearsky.compute import service


def _desired(cloud):
    (server,) = service.desired(cloud.house, "host1").servers
    return server


def test_a_rebuilt_server_has_another_disk_and_the_same_ports(cloud, boot, show, act):
    id = boot(metadata={"a": "1"})
    cloud.settle()
    before, ports = show(id), [nic.port_id for nic in _desired(cloud).nics]
    other = make_image(cloud, name="other", os_distro="debian")
    answer = cloud.member.post(
        f"/compute/v2.1/servers/{id}/action",
        json={"rebuild": {"imageRef": other, "name": "two", "metadata": {"b": "2"}, "description": "new"}},
        headers=LATEST,
    )
    assert answer.status_code == 202, answer.text
    shown = answer.json()["server"]
    assert (shown["status"], shown["name"], shown["image"]["id"]) == ("REBUILD", "two", other)
    assert shown["adminPass"]
    cloud.settle()
    server = show(id)
    assert (server["status"], server["metadata"], server["description"]) == ("ACTIVE", {"b": "2"}, "new")
    assert server["image"]["properties"] == {"os_distro": "debian"}
    assert server["addresses"] == before["addresses"]
    wanted = _desired(cloud)
    assert (wanted.root_disk.image_id, [nic.port_id for nic in wanted.nics]) == (other, ports)
    assert wanted.root_disk.token, "the host must see that the disk is to be made anew"


def test_a_stopped_server_is_rebuilt_and_stays_off(cloud, boot, show, act, image):
    id = boot()
    cloud.settle()
    act(id, "os-stop")
    act(id, "rebuild", {"imageRef": image})
    assert show(id)["status"] == "SHUTOFF"


def test_a_server_in_error_is_mended_by_a_rebuild(cloud, boot, show, act, image):
    id = boot()
    cloud.settle()
    act(id, "os-resetState", {"state": "error"}, client=cloud.admin)
    assert show(id)["status"] == "ERROR"
    act(id, "rebuild", {"imageRef": image})
    assert show(id)["status"] == "ACTIVE"


def test_a_rebuild_with_nonsense_changes_nothing(cloud, boot, show, act):
    id = boot()
    cloud.settle()
    before = show(id)
    act(id, "rebuild", {"imageRef": "11111111-1111-4111-8111-111111111111"}, status=400)
    act(id, "rebuild", {"imageRef": "not an id"}, status=400)
    act(id, "rebuild", {}, status=400)
    queued = cloud.admin.post(
        "/image/v2/images", json={"disk_format": "raw", "container_format": "bare", "visibility": "public"}
    ).json()["id"]
    assert "not active" in act(id, "rebuild", {"imageRef": queued}, status=400).text
    assert show(id) == before


def test_a_rescued_server_boots_from_another_disk_and_back(cloud, boot, show, act):
    id = boot()
    cloud.settle()
    other = make_image(cloud, name="rescue")
    answer = act(id, "rescue", {"rescue_image_ref": other, "adminPass": "secret"}, status=200)
    assert answer.json() == {"adminPass": "secret"}
    assert show(id)["status"] == "RESCUE"
    assert _desired(cloud).rescue.image_id == other
    act(id, "os-stop", status=409)
    act(id, "unrescue")
    assert show(id)["status"] == "ACTIVE"
    assert _desired(cloud).rescue is None
    act(id, "unrescue", status=409)


def test_a_suspended_server_goes_on_when_it_is_resumed(cloud, boot, show, act):
    id = boot()
    cloud.settle()
    act(id, "suspend")
    assert (show(id)["status"], show(id)["OS-EXT-STS:power_state"]) == ("SUSPENDED", 4)
    act(id, "os-start", status=409)
    act(id, "resume")
    assert show(id)["status"] == "ACTIVE"


def test_a_deleted_image_does_not_change_what_a_disk_stands_on(cloud, boot, image):
    qcow2 = b"QFI\xfb" + (3).to_bytes(4, "big")
    assert qcow2  # the format is written down with the server, not looked up again
    boot()
    cloud.settle()
    before = _desired(cloud).root_disk
    assert cloud.admin.delete(f"/image/v2/images/{image}").status_code == 204
    cloud.settle()
    after = _desired(cloud).root_disk
    assert (after.image_id, after.image_format, after.image_size_bytes) == (
        before.image_id,
        before.image_format,
        before.image_size_bytes,
    )


def test_a_crash_dump_reaches_the_host_once_under_its_token(cloud, boot, act, show):
    id = boot()
    cloud.settle()
    act(id, "trigger_crash_dump")
    assert _desired(cloud).action[0] == "crash_dump"
    assert show(id)["status"] == "ACTIVE"
    act(id, "trigger_crash_dump", status=400, version="2.16")
