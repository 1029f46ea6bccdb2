"""Isolation across three hosts: every pair of ports of a generated world of tenants, by real packets, beside a model."""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
import yaml
from tests.functional.network.conftest import run
from tests.functional.network.probes import Probes, compare, compare_answers, told
from tests.functional.network.semantics import Promise, get_all
from tests.functional.network.soup import Soup
from tests.functional.network.taps import CLONE_NEWNET, Place, Taps
from tests.system.site import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
SEED = 3026
UP_S = 120


def client_of(machine) -> httpx2.Client:
    cloud = yaml.safe_load((machine.folder / "clouds.yaml").read_text())["clouds"]["site-admin"]
    auth = cloud["auth"]
    root = auth["auth_url"].partition("/identity")[0]
    http = httpx2.Client(base_url=root, timeout=30, verify=cloud.get("cacert", True))
    user = {"name": auth["username"], "domain": {"id": "default"}, "password": auth["password"]}
    scope = {"project": {"name": auth["project_name"], "domain": {"id": "default"}}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    answer = http.post("/identity/v3/auth/tokens", json=body)
    assert answer.status_code == 201, answer.text
    http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
    return http


@pytest.fixture(scope="module")
def world(cache):
    site, taps = Site(cache), Taps("cst")
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        site.begin()
        site.add().clearsky("up")
        site.join()
        site.join()
        with Path(f"/proc/{site.control.namespace_pid}/ns/net").open() as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
        places = {
            f"host{machine.number}": Place(
                f"host{machine.number}",
                f"unix:{machine.runtime}/ovs/db.sock",
                "br-int",
                f"/proc/{machine.namespace_pid}",
            )
            for machine in site.machines
        }
        with closing(client_of(site.control)) as http:
            soup = Soup(http, SEED, [*places])
            rows = get_all(http)
            ports = {port["id"]: port for port in rows["ports"] if port["id"] in soup.guests}
            where = {id: places[port["binding:host_id"]] for id, port in ports.items()}
            taps.plug(where, {id: port["mac_address"] for id, port in ports.items()})
            _wait(http, soup)
            run(
                "ovn-nbctl",
                f"--db=unix:{site.control.runtime}/ovn/nb.sock",
                "--timeout=60",
                "--wait=hv",
                "sync",
            )
            promise = Promise(get_all(http))
            yield SimpleNamespace(
                taps=taps, soup=soup, promise=promise, probes=Probes(promise, soup.guests, SEED)
            )
    finally:
        taps.close()
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        site.end()


def _wait(http, soup) -> None:
    end = time.monotonic() + UP_S
    while True:
        found = http.get("/network/v2.0/ports").json()["ports"]
        mine = [one for one in found if one["id"] in soup.guests and one["admin_state_up"]]
        if all(one["status"] == "ACTIVE" for one in mine):
            return
        assert time.monotonic() < end, [one["id"] for one in mine if one["status"] != "ACTIVE"]
        time.sleep(0.3)


def judge(world, outcome, *kinds) -> None:
    found, delivered = outcome
    assert not found, told(world.promise, found)
    assert all(delivered[kind] > 20 for kind in kinds), delivered


def test_who_may_speak_with_whom_across_hosts(world):
    hosts = {world.promise.ports[id]["binding:host_id"] for id in world.soup.guests}
    assert len(hosts) == 3
    packets = list(world.probes.conversations())
    judge(world, compare(world.taps, world.promise, packets), "straight", "routed", "to a floating IP")
    judge(world, compare_answers(world.taps, world.promise, packets), "an answer")


def test_nobody_is_deceived_across_hosts(world):
    packets = [*world.probes.lies(), *world.probes.shouts()]
    judge(
        world, compare(world.taps, world.promise, packets), "an honest ARP answer", "broadcast", "multicast"
    )
