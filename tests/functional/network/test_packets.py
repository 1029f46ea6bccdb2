"""Networks that carry packets: the translation, the difference, and OVN itself, judged by what arrives."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from clearsky.network.model import (
    FixedIp,
    FloatingIp,
    Network,
    Port,
    Router,
    Rule,
    SecurityGroup,
    Subnet,
    Topology,
)

pytestmark = [pytest.mark.functional, pytest.mark.xdist_group("engines")]


def _network(id, number):
    return Network(id, id, True, 1450, "vxlan", None, number, False)


def _subnet(id, network, cidr, gateway):
    return Subnet(id, network, 4, cidr, gateway, True, None, None, ("9.9.9.9",), ())


def _port(id, network, subnet, mac, ip, groups=(), owner="compute:nova", device="", **more):
    return Port(
        id,
        network,
        id,
        mac,
        True,
        device,
        owner,
        "host1",
        bool(groups),
        (FixedIp(subnet, ip),),
        tuple(groups),
        (),
        **more,
    )


def _rule(id, group, direction, **more):
    empty = dict.fromkeys(
        ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")
    )
    return Rule(
        **({"id": id, "security_group_id": group, "direction": direction, "ethertype": "IPv4"} | empty | more)
    )


MAC = "fa:16:3e:00:00:1{}"
PUBLIC = Network("public", "public", True, 1500, "flat", "physnet1", None, True)
TOPOLOGY = Topology(
    networks=(_network("red", 1), _network("blue", 2), _network("green", 3), PUBLIC),
    subnets=(
        _subnet("red-s", "red", "10.1.0.0/24", "10.1.0.1"),
        _subnet("blue-s", "blue", "10.1.0.0/24", "10.1.0.1"),
        _subnet("green-s", "green", "10.2.0.0/24", "10.2.0.1"),
        Subnet("public-s", "public", 4, "172.24.4.0/24", "172.24.4.1", False, None, None, (), ()),
    ),
    ports=(
        _port("red1", "red", "red-s", MAC.format(1), "10.1.0.11", ["sg-open"]),
        _port("red2", "red", "red-s", MAC.format(2), "10.1.0.12", ["sg-open"]),
        _port("red3", "red", "red-s", MAC.format(3), "10.1.0.13", ["sg-shut"]),
        _port("blue1", "blue", "blue-s", MAC.format(1), "10.1.0.11", ["sg-open"]),
        _port("blue2", "blue", "blue-s", MAC.format(4), "10.1.0.14", ["sg-open"]),
        _port("green1", "green", "green-s", MAC.format(5), "10.2.0.11", ["sg-open"]),
        _port(
            "r-red", "red", "red-s", MAC.format(6), "10.1.0.1", owner="network:router_interface", device="r"
        ),
        _port(
            "r-green",
            "green",
            "green-s",
            MAC.format(7),
            "10.2.0.1",
            owner="network:router_interface",
            device="r",
        ),
        _port(
            "r-gw",
            "public",
            "public-s",
            MAC.format(8),
            "172.24.4.10",
            owner="network:router_gateway",
            device="r",
        ),
    ),
    routers=(Router("r", "r", True, True, "r-gw", ()),),
    floating_ips=(FloatingIp("fip", "172.24.4.20", "10.1.0.11", "r", "red1"),),
    security_groups=(SecurityGroup("sg-open", True), SecurityGroup("sg-shut", True)),
    rules=(
        _rule("open-in", "sg-open", "ingress"),
        _rule("open-out", "sg-open", "egress"),
        _rule("shut-out", "sg-shut", "egress"),
    ),
    gateway_hosts=("host1",),
)


@pytest.fixture(scope="module")
def guests(engine_host):
    engine_host.driver.apply(TOPOLOGY)
    gateways = {subnet.id: subnet.gateway_ip for subnet in TOPOLOGY.subnets}
    made = {}
    for port in TOPOLOGY.ports:
        if port.device_owner == "compute:nova":
            fixed = port.fixed_ips[0]
            made[port.id] = engine_host.plug(
                port.id, port.mac_address, f"{fixed.ip_address}/24", gateways[fixed.subnet_id]
            )
    engine_host.wait_up(*made)
    return made


def test_applying_again_changes_nothing(engine_host, guests):
    assert engine_host.driver.apply(TOPOLOGY) == 0


def test_neighbours_reach_each_other(guests):
    assert guests["red1"].reaches("10.1.0.12")


def test_the_same_addresses_in_another_network_are_another_world(guests):
    assert guests["blue1"].reaches("10.1.0.14")
    assert not guests["red1"].reaches("10.1.0.14", seconds=1)
    assert not guests["blue1"].reaches("10.1.0.12", seconds=1)


def test_a_group_without_ingress_rules_lets_nothing_in_but_answers(guests):
    assert not guests["red1"].reaches("10.1.0.13", seconds=1)
    assert guests["red3"].reaches("10.1.0.11")


def test_a_router_joins_two_networks(guests):
    assert guests["red1"].reaches("10.2.0.11")


def test_the_host_reaches_a_floating_ip_and_a_guest_the_host(guests):
    from tests.functional.network.conftest import run

    run("ping", "-c", "3", "-i", "0.2", "-W", "2", "172.24.4.20")
    assert guests["red2"].reaches("172.24.4.1")


def test_a_false_source_address_is_dropped(guests):
    guest = guests["red2"]
    guest.run("ip", "address", "add", "10.1.0.99/24", "dev", "eth0")
    try:
        told = guest.run(
            "ping", "-c", "2", "-i", "0.2", "-W", "1", "-I", "10.1.0.99", "10.1.0.11", check=False
        )
        assert " 0 received" in told
    finally:
        guest.run("ip", "address", "del", "10.1.0.99/24", "dev", "eth0")


def test_a_deleted_rule_stops_what_it_allowed(engine_host, guests):
    assert guests["blue2"].reaches("10.1.0.11")
    without = replace(TOPOLOGY, rules=tuple(rule for rule in TOPOLOGY.rules if rule.id != "open-in"))
    assert engine_host.driver.apply(without) > 0
    time.sleep(0.3)  # the chassis programs its flows after the database has them
    assert not guests["blue2"].reaches("10.1.0.11", seconds=1)
    engine_host.driver.apply(TOPOLOGY)
    time.sleep(0.3)
    assert guests["blue2"].reaches("10.1.0.11")


def test_foreign_rows_are_left_alone(engine_host, guests):
    from tests.functional.network.conftest import run

    remote = f"--db={engine_host.settings.northbound}"
    run("ovn-nbctl", remote, "ls-add", "somebody-elses")
    engine_host.driver.apply(TOPOLOGY)
    assert "somebody-elses" in run("ovn-nbctl", remote, "ls-list")
