"""What `path` says of the small world, object by object; test_path_soup.py compares it with packets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.functional.network.world import TOPOLOGY, _port, _rule

from clearsky.network.model import FloatingIp, Forwarding, SecurityGroup
from clearsky.network.path import journey
from clearsky.network.path.packet import Packet
from clearsky.network.path.surroundings import Surroundings

pytestmark = [pytest.mark.functional]
ADDRESS = {port.id: port.fixed_ips[0].ip_address for port in TOPOLOGY.ports}


@pytest.fixture
def ask(engine_host, guests):
    """Apply a changed world and ask in it; the old one is back at the end."""

    def apply(topology):
        from tests.functional.network.conftest import run

        engine_host.driver.apply(topology)
        run("ovn-nbctl", f"--db={engine_host.settings.northbound}", "--timeout=10", "--wait=hv", "sync")

    def path(source, destination, topology=TOPOLOGY, protocol="icmp", port=0):
        if topology is not TOPOLOGY:
            apply(topology)
        around = Surroundings(topology)
        with engine_host.driver.look() as lens:
            if source in around.ports:
                packet = Packet(protocol, ADDRESS[source], destination, destination_port=port)
                there = journey.depart_guest(lens, around, source, packet)
            else:
                packet = Packet(protocol, source, destination, destination_port=port)
                there = journey.depart_outside(lens, around, "public", packet)
            asker = source if source in around.ports else ""
            return there, journey.answer(lens, around, asker, packet, there)

    yield path
    apply(TOPOLOGY)


def last(leg):
    return leg.outcome, leg.hops[-1].at.kind, leg.hops[-1].at.id


def ports(**changes):
    return tuple(replace(port, **changes.get(port.id, {})) for port in TOPOLOGY.ports)


def test_neighbours_by_the_rules_of_their_groups(ask):
    there, back = ask("red1", "10.1.0.12")
    assert [(hop.at.kind, hop.at.id) for hop in there.hops] == [
        ("port", "red1"),
        ("security_group", "sg-open"),
        ("security_group", "sg-open"),
        ("port", "red2"),
    ]
    assert "rule open-in" in there.hops[2].what
    assert last(back) == ("arrives", "port", "red1")


def test_a_group_without_a_rule_is_named(ask):
    there, back = ask("red1", "10.1.0.13", protocol="tcp", port=80)
    assert (last(there), back) == (("dropped", "security_group", "sg-shut"), None)
    assert "tcp port 80 from 10.1.0.11 in" in there.hops[-1].what


def test_a_router_and_its_translations_are_seen_both_ways(ask):
    there, back = ask("red2", "8.8.8.8", protocol="udp", port=53)
    assert last(there) == ("leaves", "network", "public")
    assert any(hop.at.kind == "router" and "172.24.4.10 (SNAT)" in hop.what for hop in there.hops)
    assert last(back) == ("arrives", "port", "red2")
    there, back = ask("172.24.4.1", "172.24.4.20", protocol="tcp", port=22)
    assert ("floating_ip", "fip") in [(hop.at.kind, hop.at.id) for hop in there.hops]
    assert last(there) == ("arrives", "port", "red1")
    assert last(back) == ("leaves", "network", "public")


def test_a_stateless_group_is_seen_to_lose_the_answer(ask):
    groups = (SecurityGroup("sg-open", True), SecurityGroup("sg-shut", False))
    there, back = ask("red3", "10.1.0.11", replace(TOPOLOGY, security_groups=groups))
    assert last(there) == ("arrives", "port", "red1")
    assert last(back) == ("dropped", "security_group", "sg-shut")
    answers = (*TOPOLOGY.rules, _rule("back", "sg-shut", "ingress", protocol="icmp"))
    there, back = ask("red3", "10.1.0.11", replace(TOPOLOGY, security_groups=groups, rules=answers))
    assert last(back) == ("arrives", "port", "red3")


@pytest.mark.parametrize(
    ("changes", "source", "destination", "stopper"),
    [
        ({"ports": ports(red1={"admin_state_up": False})}, "red1", "10.1.0.12", ("port", "red1")),
        ({"ports": ports(red2={"admin_state_up": False})}, "red1", "10.1.0.12", ("port", "red2")),
        ({"ports": ports(red1={"security_group_ids": ()})}, "red1", "10.1.0.12", ("port", "red1")),
        (
            {"routers": (replace(TOPOLOGY.routers[0], admin_state_up=False),)},
            "red1",
            "10.2.0.11",
            ("router", "r"),
        ),
        ({"ports": ports(**{"r-red": {"admin_state_up": False}})}, "red1", "10.2.0.11", ("port", "r-red")),
        ({}, "blue1", "10.2.0.11", ("network", "blue")),
        ({}, "red1", "10.1.0.77", ("network", "red")),
        ({}, "red1", "10.2.0.77", ("network", "green")),
        ({}, "172.24.4.1", "10.1.0.12", ("network", "public")),
        ({}, "red1", "10.9.9.9", None),
    ],
)
def test_what_stops_a_packet_is_named(ask, changes, source, destination, stopper):
    there, _ = ask(source, destination, replace(TOPOLOGY, **changes) if changes else TOPOLOGY)
    if stopper is None:
        assert there.outcome == "leaves"
    else:
        assert last(there) == ("dropped", *stopper), there.hops


def test_without_translation_the_answer_is_lost_outside(ask):
    routers = (replace(TOPOLOGY.routers[0], enable_snat=False),)
    there, back = ask("red2", "8.8.8.8", replace(TOPOLOGY, routers=routers))
    assert last(there) == ("leaves", "network", "public")
    assert last(back) == ("dropped", "router", "r")
    assert "enable_snat is false" in back.hops[-1].what


def test_the_router_answers_pings_and_nothing_else(ask):
    there, back = ask("red1", "10.2.0.1")
    assert (last(there), last(back)) == (("arrives", "router", "r"), ("arrives", "port", "red1"))
    stateless = (SecurityGroup("sg-open", True), SecurityGroup("sg-shut", False))
    there, back = ask("red3", "10.1.0.1", replace(TOPOLOGY, security_groups=stateless))
    assert (last(there), last(back)) == (("arrives", "router", "r"), ("dropped", "security_group", "sg-shut"))
    there, back = ask("red1", "10.2.0.1", protocol="tcp", port=80)
    assert (last(there), back) == (("dropped", "router", "r"), None)


def test_a_packet_for_an_address_that_a_port_may_not_have_is_dropped_at_it(ask):
    routers = (replace(TOPOLOGY.routers[0], routes=(("10.50.0.0/24", "10.2.0.11"),)),)
    there, _ = ask("red1", "10.50.0.1", replace(TOPOLOGY, routers=routers))
    assert last(there) == ("dropped", "port", "green1")
    assert any("extra route to 10.50.0.0/24" in hop.what for hop in there.hops)
    pairs = ports(green1={"allowed_address_pairs": (("fa:16:3e:00:00:15", "10.50.0.0/24"),)})
    there, back = ask("red1", "10.50.0.1", replace(TOPOLOGY, routers=routers, ports=pairs))
    assert last(there) == ("arrives", "port", "green1")
    assert back is not None


def test_forwarded_ports_lead_inside_and_back(ask):
    floating = FloatingIp("pf", "172.24.4.30", None, "r", None)
    forwarding = Forwarding("f", "pf", "r", "172.24.4.30", "tcp", ((8022, 22),), "10.2.0.11")
    world = replace(TOPOLOGY, floating_ips=(*TOPOLOGY.floating_ips, floating), forwardings=(forwarding,))
    for source, end in (
        ("red2", ("arrives", "port", "red2")),
        ("172.24.4.1", ("leaves", "network", "public")),
    ):
        there, back = ask(source, "172.24.4.30", world, protocol="tcp", port=8022)
        assert ("floating_ip", "pf") in [(hop.at.kind, hop.at.id) for hop in there.hops]
        assert (last(there), there.packet.destination_port) == (("arrives", "port", "green1"), 22)
        assert (last(back), back.packet.source, back.packet.source_port) == (end, "172.24.4.30", 8022)
    there, _ = ask("172.24.4.1", "172.24.4.30", world, protocol="tcp", port=8023)
    assert there.outcome == "dropped"


def test_an_answer_past_the_router_that_changed_addresses_is_not_known_for_one(ask):
    """The forwarded port leads back into the asker's own network, and the answer comes straight from there."""
    floating = FloatingIp("pf", "172.24.4.30", None, "r", None)
    forwarding = Forwarding("f", "pf", "r", "172.24.4.30", "tcp", ((8022, 22),), "10.1.0.11")
    world = replace(TOPOLOGY, floating_ips=(*TOPOLOGY.floating_ips, floating), forwardings=(forwarding,))
    there, back = ask("red2", "172.24.4.30", world, protocol="tcp", port=8022)
    assert (last(there), last(back)) == (
        ("arrives", "port", "red1"),
        ("dropped", "security_group", "sg-open"),
    )
    unsecured = ports(red2={"port_security_enabled": False, "security_group_ids": ()})
    there, back = ask("red2", "172.24.4.30", replace(world, ports=unsecured), protocol="tcp", port=8022)
    assert (last(there), last(back)) == (("arrives", "port", "red1"), ("dropped", "port", "red2"))
    assert "memory of connections" in back.hops[-1].what
    udp = replace(world, ports=unsecured, forwardings=(replace(forwarding, protocol="udp"),))
    there, back = ask("red2", "172.24.4.30", udp, protocol="udp", port=8022)
    assert (last(there), last(back)) == (("arrives", "port", "red1"), ("dropped", "port", "red2"))
    assert "comes from 10.1.0.11 port 22" in back.hops[-1].what


def test_metadata_is_reached_on_the_guests_own_host(ask):
    mac = "fa:16:3e:00:00:77"
    metadata = _port(
        "meta", "red", "red-s", mac, "10.1.0.2", owner="network:distributed", device="ovnmeta-red"
    )
    world = replace(TOPOLOGY, ports=(*TOPOLOGY.ports, metadata))
    there, back = ask("red2", "169.254.169.254", world, protocol="tcp", port=80)
    assert (last(there), last(back)) == (("arrives", "port", "meta"), ("arrives", "port", "red2"))
    assert {hop.host for hop in (*there.hops, *back.hops)} == {"host1"}
