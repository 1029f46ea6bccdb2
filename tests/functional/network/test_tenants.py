"""Isolation, proven: every pair of ports of a generated world of tenants, by real packets, beside an independent model."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.api.conftest import ADMIN_PASSWORD, Client, _client
from tests.functional.network import frames
from tests.functional.network.conftest import Host, run
from tests.functional.network.probes import (
    Difference,
    Probes,
    compare,
    compare_answers,
    compare_questions,
    told,
)
from tests.functional.network.semantics import Promise, addresses, get_all
from tests.functional.network.soup import Soup
from tests.functional.network.taps import Place, Taps, here

from clearsky import app, config
from clearsky.db.tables import load_all
from clearsky.identity import service as identity
from clearsky.work.worker import run_until_idle

pytestmark = [pytest.mark.functional]
SEED = 2026
UNLIMITED = config.Quota(
    networks=-1, subnets=-1, ports=-1, routers=-1, floating_ips=-1, security_groups=-1, security_group_rules=-1,
    rbac_policies=-1, address_groups=-1,
)  # fmt: skip


@dataclass
class World:
    client: Client
    taps: Taps
    soup: Soup
    promise: Promise
    probes: Probes


@pytest.fixture(scope="module")
def world(engine_host: Host) -> Iterator[World]:
    own = engine_host.settings
    place = Place("host1", own.open_vswitch, own.network.integration_bridge, here())
    settings = replace(
        own, quota=UNLIMITED, identity=config.Identity(argon2_time_cost=1, argon2_memory_kib=64)
    )
    house = app.open_house(settings)
    load_all().create_all(house.db.engine)
    identity.bootstrap(house, admin_password=ADMIN_PASSWORD, region="R", endpoint="http://testserver")
    taps = Taps()
    with TestClient(app.api(house)) as http:
        client = _client(http, "admin", ADMIN_PASSWORD, "admin")
        soup = Soup(client, SEED, [place.host])
        run_until_idle(house, {"network": app.reconcilers()["network"]})
        promise = Promise(get_all(client))
        ports = [promise.ports[id] for id in soup.guests]
        taps.plug({port["id"]: place for port in ports}, {port["id"]: port["mac_address"] for port in ports})
        engine_host.wait_up(*(port["id"] for port in ports if port["admin_state_up"]))
        run("ovn-nbctl", f"--db={settings.northbound}", "--timeout=30", "--wait=hv", "sync")
        yield World(client, taps, soup, promise, Probes(promise, soup.guests, SEED))
    taps.close()
    house.close()


def judge(world: World, outcome: tuple[list[Difference], Counter[str]], *kinds: str) -> None:
    """No difference at all; and of these kinds many packets arrived, so that silence is not the reason."""
    found, delivered = outcome
    assert not found, told(world.promise, found)
    assert all(delivered[kind] > ENOUGH for kind in kinds), delivered


ENOUGH = 20


def test_the_world_is_as_large_and_mixed_as_it_should_be(world):
    ports = [world.promise.ports[id] for id in world.soup.guests]
    ranges = Counter(subnet["cidr"] for subnet in world.promise.subnets.values())
    assert len(world.soup.tenants) >= 10
    assert len({port["network_id"] for port in ports}) >= 30
    assert sorted(ranges.values())[-5] > 3, "ranges do not overlap"
    assert len(world.promise.floating) > 5
    for kind in (
        lambda port: not port["port_security_enabled"],
        lambda port: not port["admin_state_up"],
        lambda port: port["port_security_enabled"] and not port["security_groups"],
        lambda port: port["allowed_address_pairs"],
    ):
        assert any(kind(port) for port in ports)


def test_who_may_speak_with_whom(world):
    packets = list(world.probes.conversations())
    judge(world, compare(world.taps, world.promise, packets), "straight", "routed", "to a floating IP")
    judge(world, compare_answers(world.taps, world.promise, packets), "an answer")


def test_nobody_is_deceived(world):
    packets = list(world.probes.lies())
    judge(world, compare(world.taps, world.promise, packets), "an honest ARP answer", "a false MAC")


def test_a_shout_is_heard_in_its_own_network(world):
    packets = list(world.probes.shouts())
    heard = ("broadcast", "multicast", "a gratuitous ARP", "a neighbour advertisement to all")
    judge(world, compare(world.taps, world.promise, packets), *heard)


def test_whoever_asks_for_an_address_finds_its_owner(world):
    packets = list(world.probes.questions())
    judge(world, compare_questions(world.taps, world.promise, packets), "who has this address")


def test_a_lease_is_of_the_own_network_and_a_request_is_heard_by_nobody(world):
    asking = {}
    for port in world.probes.guests:
        if any(":" not in ip for ip in addresses(port)) and port["admin_state_up"]:
            plain = frames.Packet(
                port["id"], port["mac_address"], frames.BROADCAST, "0.0.0.0", "255.255.255.255"
            )
            asking[port["id"]] = replace(plain, proto=frames.UDP, sport=68, dport=67)
    came = world.taps.exchange(list(asking.values()), 0.3)
    assert not any(came), "a request for a lease was heard by guests"
    got: dict[str, Any] = {id: [] for id in asking}
    for id, frame in world.taps.others:
        if frame[12:14] == b"\x08\x00" and frame[23] == frames.UDP and frame[34:36] == b"\x00\x43":
            got[id].append(socket.inet_ntoa(frame[58:62]))
    for id, leases in got.items():
        assert len(leases) == 1, leases
        assert leases[0] in addresses(world.promise.ports[id])
