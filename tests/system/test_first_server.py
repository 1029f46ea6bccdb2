"""The main job, as a newcomer does it: one command, then the unmodified clients."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from tests.system.conftest import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_a_server_with_the_openstack_command(cloud, key):
    run = cloud.openstack
    run("network", "create", "own")
    run("subnet", "create", "--network", "own", "--subnet-range", "192.168.7.0/24", "own")
    run("router", "create", "own")
    run("router", "set", "own", "--external-gateway", "public")
    run("router", "add", "subnet", "own", "own")
    group = run("security", "group", "create", "own")["id"]
    for rule in (("--protocol", "icmp"), ("--protocol", "tcp", "--dst-port", "22")):
        run("security", "group", "rule", "create", *rule, group)
    server = run(
        "server", "create", "--image", "tiny", "--flavor", "m1.tiny", "--network", "own", "--key-name", "trial",
        "--security-group", "own", "--property", "purpose=trial", "--wait", "own",
    )  # fmt: skip
    assert server["status"] == "ACTIVE", server
    address = run("floating", "ip", "create", "public")["floating_ip_address"]
    run("server", "add", "floating", "ip", "own", address)
    cloud.wait_for_ssh(address, key)

    told = json.loads(
        cloud.ssh(address, key, "curl -s http://169.254.169.254/openstack/latest/meta_data.json")
    )
    assert (told["uuid"], told["hostname"], told["meta"]) == (server["id"], "own", {"purpose": "trial"})
    root = "http://169.254.169.254/latest/meta-data"
    assert cloud.ssh(address, key, f"curl -s {root}/local-ipv4").startswith("192.168.7.")
    assert cloud.ssh(address, key, f"curl -s {root}/public-keys/0/openssh-key").startswith("ssh-ed25519 ")
    network = json.loads(
        cloud.ssh(address, key, "curl -s http://169.254.169.254/openstack/latest/network_data.json")
    )
    mac = cloud.ssh(address, key, "cat /sys/class/net/eth0/address").strip()
    assert [link["ethernet_mac_address"] for link in network["links"]] == [mac]
    mtu = cloud.ssh(address, key, "cat /sys/class/net/eth0/mtu").strip()
    assert int(mtu) == network["links"][0]["mtu"] < 1500
    assert cloud.ssh(address, key, "hostname").strip() == "own"
    assert int(cloud.ssh(address, key, "df -m / | tail -1").split()[1]) > 800, (
        "the root file system has not grown"
    )

    for kind in ("--soft", "--hard"):
        before = cloud.ssh(address, key, "cat /proc/sys/kernel/random/boot_id")
        run("server", "reboot", kind, "--wait", "own")
        cloud.wait_for_ssh(address, key)
        assert cloud.ssh(address, key, "cat /proc/sys/kernel/random/boot_id") != before
    assert "login:" in run("console", "log", "show", "own")

    run("server", "stop", "own")
    until("SHUTOFF", lambda: run("server", "show", "own")["status"] == "SHUTOFF")
    run("server", "start", "own")
    until("ACTIVE", lambda: run("server", "show", "own")["status"] == "ACTIVE")
    cloud.wait_for_ssh(address, key)

    trace = cloud.clearsky("trace", server["id"])
    assert "ensure_domain" in trace
    assert "libvirt's domain" in trace
    assert "chassis          host1" in trace
    assert "ACTIVE" not in trace.split("steps")[1]

    run("server", "delete", "--wait", "own")
    run("floating", "ip", "delete", address)
    run("router", "remove", "subnet", "own", "own")
    run("router", "delete", "own")
    run("network", "delete", "own")
    run("security", "group", "delete", "own")
    assert not (cloud.state / "servers" / server["id"]).exists()


def test_a_server_with_openstacksdk(cloud, key):
    script = cloud.folder / "sdk.py"
    script.write_text(SDK)
    told = json.loads(cloud.run(sys.executable, script, timeout=240).stdout.strip().splitlines()[-1])
    assert told["status"] == "ACTIVE"
    assert told["addresses"] >= 1
    assert told["gone"] is True


SDK = """
import json
import openstack

cloud = openstack.connect(cloud="trial")
network = cloud.network.create_network(name="sdk")
cloud.network.create_subnet(network_id=network.id, name="sdk", ip_version=4, cidr="10.77.0.0/24")
server = cloud.create_server(
    "sdk", image="tiny", flavor="m1.nano", network="sdk", key_name="trial", wait=True, auto_ip=False, userdata="#!/bin/sh\\n"
)
found = {"status": server.status, "addresses": len(server.addresses["sdk"])}
cloud.compute.reboot_server(server, "HARD")
cloud.compute.wait_for_server(cloud.compute.get_server(server.id))
cloud.delete_server(server.id, wait=True)
found["gone"] = cloud.get_server(server.id) is None
cloud.delete_network(network.id)
print(json.dumps(found))
"""


def test_a_guest_that_switches_itself_off_is_shutoff_and_can_be_started(cloud, key):
    run = cloud.openstack
    server = run(
        "server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "demo", "--key-name", "trial",
        "--security-group", "ssh-and-ping", "--config-drive", "True", "--wait", "selfish",
    )  # fmt: skip
    address = run("floating", "ip", "create", "public")["floating_ip_address"]
    run("server", "add", "floating", "ip", "selfish", address)
    cloud.wait_for_ssh(address, key)
    drive = cloud.ssh(address, key, "/usr/sbin/blkid -L config-2").strip()
    mounted = cloud.ssh(address, key, f"sudo mount {drive} /mnt && cat /mnt/openstack/latest/meta_data.json")
    assert json.loads(mounted)["uuid"] == server["id"]
    cloud.ssh(address, key, "sudo poweroff", check=False)
    until("SHUTOFF", lambda: run("server", "show", "selfish")["status"] == "SHUTOFF")
    run("server", "start", "selfish")
    cloud.wait_for_ssh(address, key)
    run("server", "delete", "--wait", "selfish")
    run("floating", "ip", "delete", address)


def test_processes_of_guests_have_no_privileges(cloud, key):
    run = cloud.openstack
    run("server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "demo", "--wait", "humble")
    for pid in cloud.guests():
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        assert "0" not in status["Uid"].split()
        assert int(status["CapEff"], 16) == 0
    assert cloud.guests()
    run("server", "delete", "--wait", "humble")
    until("no guest", lambda: not cloud.guests())


def test_up_again_changes_nothing_and_is_quick(cloud):
    before = cloud.pids(), cloud.openstack("network", "list"), cloud.openstack("image", "list")
    started = time.monotonic()
    cloud.clearsky("up")
    assert time.monotonic() - started < 20
    assert before == (cloud.pids(), cloud.openstack("network", "list"), cloud.openstack("image", "list"))
    assert json.loads(cloud.clearsky("status", "--json"))["wrong"] == []


def test_an_update_replaces_our_own_processes_and_nothing_else(cloud):
    cloud.openstack(
        "server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "demo", "--wait", "stays"
    )
    before, guests = cloud.pids(), cloud.guests()
    cloud.clearsky("up")
    assert cloud.pids() == before
    program = (
        "from clearsky import config; from clearsky.engines import build, keeper;"
        "build.current = lambda: 'newer'; keeper.of(config.load()).start()"
    )
    cloud.run(sys.executable, "-c", program)
    ours = {"api", "worker", "agent"}

    def replaced() -> bool:
        now = cloud.pids()
        return now.keys() == before.keys() and all(
            (now[name] != before[name]) == (name in ours) for name in now
        )

    until("new processes of ours, the same engines", replaced)
    until("nothing wrong", lambda: cloud.openstack("server", "show", "stays")["status"] == "ACTIVE")
    assert cloud.guests() == guests
    # What the update started calls itself newer; the program on the disk is not.
    assert "older state" in cloud.clearsky("status", check=False)
    cloud.clearsky("up")
    until("nothing old", lambda: "older state" not in cloud.clearsky("status", check=False))
    cloud.openstack("server", "delete", "--wait", "stays")
