"""Processes die at random moments while the world changes; afterwards every packet goes where it should."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from tests.functional.network import frames
from tests.functional.network.changes import Changes
from tests.functional.network.conftest import run
from tests.functional.network.probes import Probes, compare, told
from tests.functional.network.semantics import Promise, get_all
from tests.functional.network.soup import Soup
from tests.functional.network.taps import Taps
from tests.functional.network.whole import whole_cloud

from clearsky.network.reconcile import COMPARE_S

pytestmark = [pytest.mark.functional, pytest.mark.timeout(400)]
SEED = 4071
COUNT = 200
VICTIMS = ("ovn-northd", "ovn-controller", "ovs-vswitchd", "ovn-nb", "ovn-sb", "worker", "agent")


class World:
    def __init__(self, cloud) -> None:
        self.cloud = cloud
        self.soup = Soup(cloud.http, SEED, ["host1"], tenants=5)
        self.taps = Taps("csw")
        self.changes = Changes(self.soup, SEED)
        self.spoken: set[tuple[str, str]] = set()
        """(network, address) of every port that has ever sent something."""

    def plug(self) -> None:
        """Let the cards be those of the ports that there are."""
        ports = {
            id: self.soup.client.get(f"/network/v2.0/ports/{id}").json()["port"] for id in self.soup.guests
        }
        self.taps.unplug(set(self.taps.fds) - set(ports))
        new = {id: self.cloud.place for id in ports if id not in self.taps.fds}
        self.taps.plug(new, {id: ports[id]["mac_address"] for id in new})

    def settle(self) -> Promise:
        """Wait until the data plane is done; return what is promised then."""
        self.cloud.applied()
        self.cloud.sync()
        end = time.monotonic() + 60
        while down := [
            p["id"] for p in self._ports().values() if p["admin_state_up"] and p["status"] != "ACTIVE"
        ]:
            assert time.monotonic() < end, f"not up: {down}"
            time.sleep(0.2)
        self.cloud.sync()
        return Promise(get_all(self.soup.client))

    def _ports(self) -> dict[str, dict[str, Any]]:
        """Return the ports that are guests', by id."""
        found = self.soup.client.get("/network/v2.0/ports").json()["ports"]
        return {port["id"]: port for port in found if port["id"] in self.soup.guests}

    def check(self) -> Counter[str]:
        """Compare every conversation and every shout; return how many packets arrived."""
        promise = self.settle()
        probes = Probes(promise, self.soup.guests, SEED)
        # A router goes on sending to where an address was, until it forgets.
        gone = {ip for _, ip in self.spoken - set(promise.at)}
        talk = [
            packet
            for packet in probes.conversations()
            if packet.kind != "routed" or packet.dst not in gone or promise.receivers(packet)
        ]
        self.spoken |= set(promise.at)
        found, delivered = compare(self.taps, promise, [*talk, *probes.shouts()])
        assert not found, told(promise, found)
        return delivered


@pytest.fixture(scope="module")
def world():
    with whole_cloud() as cloud:
        made = World(cloud)
        made.plug()
        yield made
        made.taps.close()


STREAM_S, EVERY_S = 8.0, 0.004
CONTROL = ("ovn-northd", "ovn-nb", "ovn-sb", "worker", "ovn-controller")


def test_flows_outlive_the_control_plane_without_losing_a_packet(world):
    promise = world.settle()
    probes = Probes(promise, world.soup.guests, SEED)
    flows = {}
    for packet in probes.conversations():
        if packet.proto == frames.UDP and promise.receivers(packet):
            flows.setdefault((packet.kind, packet.version), packet)
    assert {kind for kind, _ in flows} == {"straight", "routed", "to a floating IP"}
    assert not compare(world.taps, promise, list(flows.values()))[0]
    sent: dict[int, tuple[float, str]] = {}
    deaths: list[tuple[float, str]] = []
    world.taps.heard.clear()
    began = time.monotonic()
    while (now := time.monotonic() - began) < STREAM_S:
        if len(deaths) < len(CONTROL) and now > len(deaths) * STREAM_S / (len(CONTROL) + 2):
            deaths.append((round(now, 2), CONTROL[len(deaths)]))
            os.kill(world.cloud.pids()[deaths[-1][1]], signal.SIGKILL)
        for packet in flows.values():
            number = world.taps.number()
            sent[number] = round(now, 3), f"{packet.kind} IPv{packet.version}"
            os.write(world.taps.fds[packet.sender], frames.render(packet, number))
        while (left := began + now + EVERY_S - time.monotonic()) > 0:
            world.taps.listen(left)
    for _ in range(100):
        world.taps.listen(0.01)
    lost = [told for number, told in sent.items() if number not in world.taps.heard]
    assert not lost, f"{len(lost)} of {len(sent)} were lost: {lost[:20]}; deaths: {deaths}"
    assert len(sent) > 1000
    world.check()


def test_rows_that_somebody_edits_are_mended_within_a_period_and_shown(world):
    promise = world.settle()
    port = next(id for id in world.soup.guests if promise.ports[id]["admin_state_up"])
    router = next(iter(promise.routers))
    before = _status(world)["network"]["mended"]
    edit = ("ovn-nbctl", f"--db={world.cloud.settings.northbound}")
    began = time.monotonic()
    run(*edit, "lsp-set-addresses", port, "fa:16:3e:00:00:01")
    run(*edit, "lsp-set-port-security", port)
    run(*edit, "lr-nat-del", f"router-{router}")
    run(*edit, "--type=port-group", "acl-del", "clearsky_drop")  # everything is open to everybody
    run(*edit, "ls-del", f"net-{promise.ports[port]['network_id']}")
    while (seen := _status(world)["network"])["mended"] - before < len(("ports", "acls", "switch")):
        assert time.monotonic() - began < COMPARE_S + 30, seen
        time.sleep(0.5)
    world.check()
    assert [one for one in _status(world)["wrong"] if "networks" in one] == []
    assert "repair_network" in _clearsky(world, "trace", "network")
    lines = _clearsky(world, "status").splitlines()
    assert sum("mended" in line for line in lines) == 1


def test_the_data_plane_survives_deaths_in_the_middle_of_changes(world):
    before = world.check()
    rng, over, killed = random.Random(SEED), threading.Event(), Counter()

    def kill() -> None:
        while not over.wait(rng.uniform(0.1, 1.2)):
            name = rng.choice(VICTIMS)
            with suppress(OSError, ValueError, KeyError):
                os.kill(world.cloud.pids()[name], signal.SIGKILL)
                killed[name] += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for number in range(COUNT):
            world.changes.step()
            if number % 20 == 10:
                world.plug()
            time.sleep(rng.uniform(0, 0.15))
    finally:
        over.set()
        killer.join()
    assert set(killed) == set(VICTIMS), killed
    world.plug()
    after = world.check()
    assert min(before["routed"], after["routed"], after["straight"]) > 50, (before, after)
    assert len(world.changes.done) > 15, world.changes.done


def _clearsky(world, *words: str) -> str:
    words = (sys.executable, "-m", "clearsky.cli.main", "--config", str(world.cloud.settings.file), *words)
    return run(*words, check=False)


def _status(world) -> dict[str, Any]:
    return json.loads(_clearsky(world, "status", "--json"))
