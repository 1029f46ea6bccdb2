"""`down` and `up` keep what a tenant has; `down --purge` leaves nothing on the host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.system.conftest import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_what_ran_runs_again_after_down_and_up_and_a_purge_leaves_nothing(fresh):
    cloud = fresh()
    links = cloud.run("ip", "-br", "link").stdout.split("\n")[0].split()[0]
    cloud.clearsky("up")
    run = cloud.openstack
    run("server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "demo", "--wait", "stays")
    cloud.clearsky("down")
    assert not cloud.guests()
    cloud.clearsky("up")
    until("a guest", cloud.guests)
    assert run("server", "show", "stays")["status"] == "ACTIVE"
    pids = [*cloud.pids().values(), *cloud.guests()]
    namespaces = {f"cst-{network[:11]}" for network in os.listdir(cloud.runtime / "metadata")}
    assert namespaces
    assert namespaces <= set(os.listdir("/run/netns"))

    cloud.clearsky("down", "--purge")
    alive = [
        pid
        for pid in pids
        if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert alive == []
    assert not cloud.devices()
    assert [line.split()[0] for line in cloud.run("ip", "-br", "link").stdout.splitlines()] == [links]
    assert not namespaces & set(os.listdir("/run/netns"))
    assert cloud.run("nft", "list", "tables").stdout == ""
    assert {path.name for path in cloud.folder.iterdir()} == {"clearsky.toml"}
    assert str(cloud.folder) not in Path("/proc/mounts").read_text()
