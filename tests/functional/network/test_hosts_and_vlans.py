"""Which host may carry a port, and networks that are VLANs of the physical network: by real packets."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tests.functional.network import wire
from tests.functional.network.programs import heard, ports
from tests.functional.network.world import TOPOLOGY, _port, _subnet

from clearsky.network.model import Network

pytestmark = [pytest.mark.functional]
OUTSIDE = ("fa:16:3e:00:00:aa", "10.7.0.200")
PARENT, SUB = ("fa:16:3e:00:00:71", "10.7.0.11"), ("fa:16:3e:00:00:72", "10.8.0.11")
VLANS = {
    "networks": (
        *TOPOLOGY.networks,
        Network("seven", "seven", True, 1500, "vlan", "physnet1", 7, False),
        Network("eight", "eight", True, 1500, "vlan", "physnet1", 8, False),
    ),
    "subnets": (
        *TOPOLOGY.subnets,
        _subnet("seven-s", "seven", "10.7.0.0/24", None),
        _subnet("eight-s", "eight", "10.8.0.0/24", None),
    ),
    "ports": (
        *TOPOLOGY.ports,
        _port("seven1", "seven", "seven-s", *PARENT, ["sg-open"]),
        replace(
            _port("eight1", "eight", "eight-s", *SUB, ["sg-open"], owner="trunk:subport"),
            parent=("seven1", 100),
        ),
    ),
}


def tagged(frame, vlan):
    return frame[:12] + b"\x81\x00" + vlan.to_bytes(2, "big") + frame[12:]


def test_a_port_is_carried_by_the_host_it_is_bound_to_and_no_other(apply, engine_host, guests):
    assert guests["red1"].reaches("10.1.0.12")
    apply(ports=ports(red2={"host": "host2"}))
    end = time.monotonic() + 15
    while guests["red1"].reaches("10.1.0.12", seconds=1):
        assert time.monotonic() < end, "host1 carries a port that is bound to host2"
    assert guests["red1"].reaches("10.1.0.1"), "other ports are cut off too"
    apply()
    engine_host.wait_up("red2")
    assert guests["red1"].reaches("10.1.0.12")


def test_a_vlan_network_is_that_vlan_outside_and_a_trunk_can_stand_on_it(apply, engine_host):
    apply(**VLANS)
    guest = engine_host.plug("seven1", PARENT[0], "10.7.0.11/24")
    engine_host.wait_up("seven1", "eight1")
    out = wire.udp(PARENT, ("ff:ff:ff:ff:ff:ff", "10.7.0.255"), b"seven-goes-out")
    assert heard(None, guest, out, "seven-goes-out") == "7"
    sub = tagged(wire.udp(SUB, ("ff:ff:ff:ff:ff:ff", "10.8.0.255"), b"eight-goes-out"), 100)
    assert heard(None, guest, sub, "eight-goes-out") == "8"
    for mark, vlan, seen in ((b"for-seven", 7, "0"), (b"for-eight", 8, "100"), (b"for-nine", 9, "silence")):
        target = SUB if vlan == 8 else PARENT
        source = (OUTSIDE[0], "10.8.0.200") if vlan == 8 else OUTSIDE
        frame = tagged(wire.udp(source, target, mark), vlan)
        assert heard(guest, None, frame, mark.decode()) == seen
    assert heard(guest, None, wire.udp(OUTSIDE, PARENT, b"without-a-tag"), "without-a-tag") == "silence"
