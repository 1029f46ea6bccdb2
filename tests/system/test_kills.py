"""kill -9 of every process at random moments: nothing is lost, nothing sticks, nothing is left over."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.system.conftest import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]
SEED = 20261
COUNT = 20
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VICTIMS = ("api", "worker", "agent", "libvirtd", "ovn-controller", "ovs-vswitchd")


def test_killed_processes_lose_nothing_and_disturb_no_guest(fresh):
    cloud = fresh()
    cloud.clearsky("up")
    run = cloud.openstack
    witness = run(
        "server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "demo", "--wait", "witness"
    )
    (guest,) = cloud.guests()
    devices = cloud.devices()

    rng, over, killed = random.Random(SEED), threading.Event(), []

    def kill() -> None:
        while not over.wait(rng.uniform(0.3, 2.0)):
            name = rng.choice(VICTIMS)
            with suppress(OSError, ValueError, KeyError):
                os.kill(cloud.pids()[name], signal.SIGKILL)
                killed.append(name)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        done = cloud.run(
            sys.executable, Path(__file__).with_name("tenant.py"), str(SEED), str(COUNT), timeout=600
        )
    finally:
        over.set()
        killer.join()
    deleted = set(json.loads(done.stdout)["deleted"])
    assert set(killed) == set(VICTIMS), "the seed has to reach every process"

    def settled() -> bool:
        with suppress(AssertionError):
            states = {one["ID"]: one["Status"] for one in run("server", "list")}
            return not deleted & states.keys() and set(states.values()) == {"ACTIVE"}
        return False

    until("every server is ACTIVE or gone", settled, 240, 2)
    assert guest in cloud.guests(), "a running guest was disturbed"
    until(
        "only healthy processes",
        lambda: json.loads(cloud.clearsky("status", "--json", check=False))["wrong"] == [],
    )
    names = {one["Name"]: one["ID"] for one in run("server", "list")}
    assert len(names) == COUNT - len(deleted) + 1

    run("server", "delete", "--wait", *(name for name in names if name != "witness"))
    until("only the witness's guest", lambda: cloud.guests() == [guest])
    until("only the witness's devices", lambda: cloud.devices() == devices)
    until("only the witness's files", lambda: os.listdir(cloud.state / "servers") == [witness["id"]])
    ports = run("port", "list", "--network", "demo", "--long")
    assert [one["Device Owner"].split(":")[0] for one in ports].count("compute") == 1
    with closing(sqlite3.connect(f"file:{cloud.state}/clearsky.db?mode=ro", uri=True)) as rows:
        claims = {row[0] for row in rows.execute("select consumer_id from placement_allocations")}
    assert claims == {witness["id"]}
    known = {one["ID"] for one in run("port", "list", cloud="trial-admin")}
    switch = cloud.run(
        "ovn-nbctl",
        f"--db=unix:{cloud.runtime}/ovn/nb.sock",
        "--bare",
        "--columns=name",
        "list",
        "logical_switch_port",
    )
    assert {name for name in switch.stdout.split() if UUID.fullmatch(name)} <= known
