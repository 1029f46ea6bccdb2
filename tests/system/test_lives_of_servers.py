"""What can be done to a server besides starting it, with a guest that shows whether it is true."""

from __future__ import annotations

import json

import pytest
from tests.system.conftest import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server(cloud, key):
    run = cloud.openstack
    made = run(
        "server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "demo", "--key-name", "trial",
        "--security-group", "ssh-and-ping", "--wait", "lively",
    )  # fmt: skip
    address = run("floating", "ip", "create", "public")["floating_ip_address"]
    run("server", "add", "floating", "ip", "lively", address)
    cloud.wait_for_ssh(address, key)
    cloud.ssh(address, key, "echo kept > kept && sync")
    yield made["id"], address
    run("server", "delete", "--wait", "lively")
    run("floating", "ip", "delete", address)
    assert not (cloud.state / "servers" / made["id"]).exists()


def _status(cloud, wanted, seconds=60):
    def there():
        shown = cloud.openstack("server", "show", "lively")
        assert shown["status"] != "ERROR" or wanted == "ERROR", shown
        return shown["status"] == wanted and shown["OS-EXT-STS:task_state"] is None and shown

    return until(wanted, there, seconds, 0.5)


def test_a_suspended_guest_goes_on_where_it_was(cloud, key, server):
    _, address = server
    before = cloud.ssh(address, key, "cat /proc/sys/kernel/random/boot_id")
    cloud.openstack("server", "suspend", "lively")
    _status(cloud, "SUSPENDED")
    assert cloud.guests() == []
    cloud.openstack("server", "resume", "lively")
    _status(cloud, "ACTIVE")
    cloud.wait_for_ssh(address, key)
    assert cloud.ssh(address, key, "cat /proc/sys/kernel/random/boot_id") == before


def test_a_port_appears_in_the_running_guest_and_goes_again(cloud, key, server):
    _, address = server
    run = cloud.openstack
    run("network", "create", "aside")
    # Without a gateway: another default route would take the answers to this very connection.
    run(
        "subnet",
        "create",
        "--network",
        "aside",
        "--subnet-range",
        "10.55.0.0/24",
        "--gateway",
        "none",
        "aside",
    )
    port = run("port", "create", "--network", "aside", "extra")
    run("server", "add", "port", "lively", "extra")

    def macs():
        return cloud.ssh(address, key, "cat /sys/class/net/*/address", check=False)

    until("the guest sees the port", lambda: port["mac_address"] in macs(), 30)
    run("server", "remove", "port", "lively", "extra")
    until("the guest has lost it", lambda: port["mac_address"] not in macs(), 30)
    until("the port is free", lambda: run("port", "show", "extra")["device_id"] == "", 30)
    run("port", "delete", "extra")
    run("network", "delete", "aside")


def test_an_image_of_a_running_server_holds_its_files(cloud, key, server):
    run = cloud.openstack
    made = run("server", "image", "create", "--name", "copy", "lively")
    until("an active image", lambda: run("image", "show", "copy")["status"] == "active", 60)
    assert made["name"] == "copy"
    run(
        "server", "create", "--image", "copy", "--flavor", "m1.nano", "--network", "demo", "--key-name", "trial",
        "--security-group", "ssh-and-ping", "--wait", "copied",
    )  # fmt: skip
    address = run("floating", "ip", "create", "public")["floating_ip_address"]
    run("server", "add", "floating", "ip", "copied", address)
    cloud.wait_for_ssh(address, key)
    assert cloud.ssh(address, key, "cat kept").strip() == "kept"
    run("server", "delete", "--wait", "copied")
    run("floating", "ip", "delete", address)
    run("image", "delete", "copy")


def test_a_rescued_server_shows_its_own_disk_as_the_second(cloud, key, server):
    _, address = server
    run = cloud.openstack
    run("server", "rescue", "lively")
    _status(cloud, "RESCUE")
    cloud.wait_for_ssh(address, key)
    assert cloud.ssh(address, key, "cat kept", check=False).strip() == ""
    mounted = "sudo mount /dev/vdb2 /mnt && cat /mnt/home/clear/kept; sudo umount /mnt"
    assert cloud.ssh(address, key, mounted).strip() == "kept"
    run("server", "unrescue", "lively")
    _status(cloud, "ACTIVE")
    cloud.wait_for_ssh(address, key)
    assert cloud.ssh(address, key, "cat kept").strip() == "kept"


def test_a_resize_is_seen_by_the_guest_and_a_revert_undoes_it(cloud, key, server):
    id, address = server
    run = cloud.openstack

    def memory():
        return int(cloud.ssh(address, key, "grep MemTotal /proc/meminfo").split()[1]) // 1024

    before = memory()
    run("server", "resize", "--flavor", "m1.small", "lively")
    _status(cloud, "VERIFY_RESIZE", 90)
    cloud.wait_for_ssh(address, key)
    assert memory() > before * 1.5
    cloud.ssh(address, key, "echo later > later && sync")
    run("server", "resize", "revert", "lively")
    _status(cloud, "ACTIVE", 90)
    cloud.wait_for_ssh(address, key)
    assert abs(memory() - before) < 20
    assert cloud.ssh(address, key, "cat kept").strip() == "kept"
    assert cloud.ssh(address, key, "cat later", check=False).strip() == "", "the disk is the old one"
    assert not (cloud.state / "servers" / id / "checkpoint.qcow2").exists()


def test_a_shelved_server_comes_back_with_its_files_and_address(cloud, key, server):
    id, address = server
    run = cloud.openstack
    run("server", "shelve", "lively")
    _status(cloud, "SHELVED_OFFLOADED", 120)
    assert cloud.guests() == []
    assert not (cloud.state / "servers" / id).exists()
    run("server", "unshelve", "lively")
    _status(cloud, "ACTIVE", 120)
    cloud.wait_for_ssh(address, key)
    assert cloud.ssh(address, key, "cat kept").strip() == "kept"


def test_the_guest_posts_its_password_once(cloud, key, server):
    _, address = server
    url = "http://169.254.169.254/openstack/latest/password"
    post = f"curl -s -o /dev/null -w '%{{http_code}}' -d encrypted {url}"
    assert cloud.ssh(address, key, post) == "200"
    until("the guest sees it too", lambda: cloud.ssh(address, key, f"curl -s {url}") == "encrypted", 20)
    assert cloud.ssh(address, key, post) == "409"


def test_a_running_server_is_measured(cloud, key, server):
    script = cloud.folder / "measure.py"
    script.write_text(
        "import json, openstack, sys\n"
        "cloud = openstack.connect(cloud='trial-admin')\n"
        "answer = cloud.compute.get(f'/servers/{sys.argv[1]}/diagnostics', microversion='2.48')\n"
        "print(json.dumps([answer.status_code, answer.json()]))\n"
    )
    import sys

    def measured():
        status, body = json.loads(cloud.run(sys.executable, script, server[0]).stdout)
        return status == 200 and body

    found = until("numbers", measured, 30, 1)
    assert (found["state"], found["driver"], found["num_nics"]) == ("running", "libvirt", 1)
    assert found["cpu_details"][0]["time"] > 0
    assert found["nic_details"][0]["rx_octets"] > 0
    assert found["nic_details"][0]["mac_address"]


def test_a_rebuilt_server_has_lost_its_files_and_kept_its_address(cloud, key, server):
    _, address = server
    cloud.openstack("server", "rebuild", "--image", "tiny", "--wait", "lively")
    _status(cloud, "ACTIVE")
    cloud.wait_for_ssh(address, key)
    assert cloud.ssh(address, key, "cat kept", check=False).strip() == ""
