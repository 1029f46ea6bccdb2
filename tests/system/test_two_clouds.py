"""Two real clouds at once on one machine, each switch in a network namespace of its own; one of them behind TLS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.system.conftest import Cloud, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
SETTINGS = """
[cloud]
name = "{name}"
namespace = "{namespace}"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
clouds_file = "{folder}/clouds.yaml"
cache_dir = "{cache}"
user = "clearsky-{name}"
keeper = "supervisor"
host = "host-{name}"
[api]
host = "{address}"
port = {port}
[network]
device_prefix = "{prefix}"
public_cidr = "{cidr}"
[identity]
argon2_time_cost = 1
"""
RUN = f"{os.getpid() % 10000:04}"
BLUE, GREEN = f"cst{RUN}b", f"cst{RUN}g"
"""Namespaces have their names machine-wide: each run of the tests takes its own."""
CLOUDS = {
    "blue": {
        "namespace": BLUE,
        "address": "127.0.0.1",
        "port": 8811,
        "cidr": "172.24.8.0/24",
        "prefix": "csb",
    },
    "green": {
        "namespace": GREEN,
        "address": "10.213.99.1",
        "port": 8812,
        "cidr": "172.24.9.0/24",
        "prefix": "csg",
    },
}


@pytest.fixture(scope="module")
def clouds(cache):
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    made = {}
    for name, values in CLOUDS.items():
        folder = Path(tempfile.mkdtemp(prefix="cst", dir="/tmp"))
        folder.chmod(0o755)
        (folder / "clearsky.toml").write_text(
            SETTINGS.format(name=name, folder=folder, cache=cache, **values)
        )
        made[name] = Cloud(folder, holder.pid, name)
    own = Path("/proc/self/ns/net").readlink()
    until("a namespace", lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != own, every=0.01)
    machine = made["blue"]
    machine.run("ip", "link", "set", "lo", "up")
    machine.run("ip", "address", "add", "10.213.99.1/32", "dev", "lo")
    yield made
    for cloud in made.values():
        if cloud.state.exists():
            cloud.clearsky("down", "--purge", check=False)
        shutil.rmtree(cloud.folder, ignore_errors=True)
    holder.kill()
    holder.wait()


def test_two_clouds_run_beside_each_other_and_are_reached_from_the_machine(clouds):
    addresses = {}
    for cloud in clouds.values():
        cloud.clearsky("up")
    assert {name: cloud.endpoint() for name, cloud in clouds.items()} == {
        "blue": "http://127.0.0.1:8811/identity/v3",
        "green": "https://10.213.99.1:8812/identity/v3",
    }
    for name, cloud in clouds.items():
        key = cloud.folder / "key.pem"
        cloud.openstack("keypair", "create", "--private-key", str(key), "key")
        key.chmod(0o600)
        cloud.openstack(
            "server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "demo", "--key-name", "key",
            "--security-group", "ssh-and-ping", "--wait", name,
        )  # fmt: skip
        addresses[name] = cloud.openstack("floating", "ip", "create", "public")["floating_ip_address"]
        cloud.openstack("server", "add", "floating", "ip", name, addresses[name])
    for name, cloud in clouds.items():
        key = cloud.folder / "key.pem"
        cloud.wait_for_ssh(addresses[name], key)
        assert cloud.ssh(addresses[name], key, "hostname").strip() == name
        # Enough bytes that a checksum nobody fills in, or an MTU that does not fit, would show.
        sent = cloud.ssh(
            addresses[name], key, "head -c 3000000 /dev/zero | md5sum; head -c 3000000 /dev/zero"
        )
        assert len(sent) > 3_000_000
        assert json_status(cloud) == []
        assert guest_to_machine(cloud, addresses[name], key) == BYTES
    inside = clouds["blue"].run("ip", "-n", BLUE, "-br", "link").stdout
    assert "br-int" in inside
    assert "br-int" not in clouds["blue"].run("ip", "-br", "link").stdout


def guest_to_machine(cloud: Cloud, address: str, key: Path) -> int:
    """Let a guest send to the machine's own address; return how many bytes came."""
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(cloud.run, sys.executable, "-c", LISTENER)
        until("a listener", lambda: ":5001" in cloud.run("ss", "-ltn").stdout)
        cloud.ssh(address, key, f"head -c {BYTES} /dev/zero | nc -w 20 10.213.99.1 5001", check=False)
        return int(heard.result().stdout)


BYTES = 5_000_000
LISTENER = """
import socket
with socket.create_server(("10.213.99.1", 5001)) as listener:
    listener.settimeout(30)
    line, _ = listener.accept()
    line.settimeout(30)
    count = 0
    while part := line.recv(1 << 20):
        count += len(part)
    print(count)
"""


def json_status(cloud: Cloud) -> list[str]:

    return list(json.loads(cloud.clearsky("status", "--json", check=False))["wrong"])


def test_the_console_works_over_tls(clouds):
    cloud = clouds["green"]
    url = cloud.openstack("console", "url", "show", "green")["url"]
    assert url.startswith("https://10.213.99.1:8812/console/?token=")
    script = cloud.folder / "console.py"
    script.write_text(CONSOLE)
    told = cloud.run(sys.executable, script, url, cloud.state / "tls" / "ca.pem")
    assert told.stdout.startswith("RFB 003.")


CONSOLE = """
import asyncio, ssl, sys
import websockets

async def main(url, trusted):
    url = url.replace("https://", "wss://").replace("/console/?", "/console/socket?")
    async with websockets.connect(url, ssl=ssl.create_default_context(cafile=trusted), proxy=None, subprotocols=["binary"]) as line:
        print((await line.recv()).decode())

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_third_cloud_in_a_namespace_that_is_taken_is_refused(clouds):
    cloud = clouds["blue"]
    text = (cloud.folder / "clearsky.toml").read_text()
    other = cloud.folder / "other.toml"
    other.write_text(text.replace("/state", "/state2").replace("/run", "/run2").replace("8811", "8813"))
    done = cloud.run(sys.executable, "-m", "clearsky.cli.main", "--config", other, "up", check=False)
    assert done.returncode != 0
    assert f"network namespace {BLUE}: it exists, and is not this cloud's" in done.stderr
    assert f"device {BLUE}-ex" in done.stderr
    assert not (cloud.folder / "state2").exists()


def test_a_purge_of_one_leaves_the_other_alone(clouds):
    blue, green = clouds["blue"], clouds["green"]
    guests = green.guests()
    blue.clearsky("down", "--purge")
    assert BLUE not in os.listdir("/run/netns")
    assert f"{BLUE}-ex" not in blue.run("ip", "-br", "link").stdout
    assert "clearsky_blue" not in blue.run("nft", "list", "tables").stdout
    assert green.guests() == guests
    assert json_status(green) == []
    address = green.openstack("floating", "ip", "list")[0]["Floating IP Address"]
    green.wait_for_ssh(address, green.folder / "key.pem", 10)
    green.clearsky("down", "--purge")
    assert not {BLUE, GREEN} & set(os.listdir("/run/netns"))
    names = [line.split()[0] for line in blue.run("ip", "-br", "link").stdout.splitlines()]
    assert names == ["lo"]
