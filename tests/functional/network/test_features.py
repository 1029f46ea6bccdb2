"""Trunks, forwarded ports, marks and limits, address groups, stateless groups, names and leases: by real packets."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tests.functional.network import wire
from tests.functional.network.conftest import run
from tests.functional.network.programs import CALL, SERVE, ask, heard, ports, python
from tests.functional.network.world import TOPOLOGY, _port, _rule

from clearsky.network.model import (
    AddressGroup,
    FloatingIp,
    Forwarding,
    QosRule,
    SecurityGroup,
)

pytestmark = [pytest.mark.functional]
SUB_MAC = "fa:16:3e:00:00:99"


@pytest.fixture
def serve():
    programs = []

    def start(guest, port):
        program = python(guest, SERVE, str(port))
        programs.append(program)
        assert program.stdout.readline() == "ready\n"

    yield start
    for program in programs:
        program.kill()
        program.wait()
        program.stdout.close()


def test_a_trunk_carries_another_network_in_a_vlan(apply, guests):
    """By frames made by hand, because not every kernel can make a VLAN device."""
    parent, green = guests["red1"], guests["green1"]
    sub, far = (SUB_MAC, "10.2.0.50"), ("fa:16:3e:00:00:15", "10.2.0.11")

    def tagged(mark, vlan=100):
        frame = wire.udp(sub, far, mark)
        return frame[:12] + b"\x81\x00" + vlan.to_bytes(2, "big") + frame[12:]

    assert heard(green, parent, tagged(b"too-early"), "too-early") == "silence"
    port = _port("sub", "green", "green-s", SUB_MAC, "10.2.0.50", ["sg-open"], owner="trunk:subport")
    apply(ports=(*TOPOLOGY.ports, replace(port, parent=("red1", 100))))
    assert heard(green, parent, tagged(b"in-its-vlan"), "in-its-vlan") == "0"
    assert heard(parent, green, wire.udp(far, sub, b"answer-back"), "answer-back") == "100"
    assert heard(green, parent, tagged(b"other-vlan", 101), "other-vlan") == "silence"
    stolen = wire.udp((SUB_MAC, "10.2.0.99"), far, b"stolen-address")
    stolen = stolen[:12] + b"\x81\x00\x00\x64" + stolen[12:]
    assert heard(green, parent, stolen, "stolen-address") == "silence"
    assert parent.reaches("10.1.0.12"), "the trunk's own network is cut off"


def test_forwarded_ports_lead_inside_and_others_do_not(apply, guests, serve):
    floating = FloatingIp("pf", "172.24.4.30", None, "r", None)
    pairs = ((8022, 22), (9000, 7000), (9001, 7001))
    apply(
        floating_ips=(*TOPOLOGY.floating_ips, floating),
        forwardings=(Forwarding("f", "pf", "r", "172.24.4.30", "tcp", pairs, "10.2.0.11"),),
    )
    for port in (22, 7001):
        serve(guests["green1"], port)
    assert ask(None, CALL, "172.24.4.30", "8022") == "172.24.4.1"
    assert ask(None, CALL, "172.24.4.30", "9001") == "172.24.4.1"
    assert "failed" in ask(None, CALL, "172.24.4.30", "9002")


def test_an_address_group_decides_who_comes_in(apply, guests):
    def group(*addresses):
        return {
            "address_groups": (AddressGroup("who", addresses),),
            "rules": (*TOPOLOGY.rules, _rule("in", "sg-shut", "ingress", remote_address_group_id="who")),
        }

    apply(**group("10.1.0.12/32", "fd00::/64"))
    assert guests["red2"].reaches("10.1.0.13")
    assert not guests["red1"].reaches("10.1.0.13", seconds=1)
    apply(**group("10.1.0.11/32"))
    assert guests["red1"].reaches("10.1.0.13")
    assert not guests["red2"].reaches("10.1.0.13", seconds=1)


def test_a_stateless_group_lets_no_answers_in_by_itself(apply, guests):
    """red3's group lets everything out and nothing in: with a memory of connections answers come, without they do not."""
    assert guests["red3"].reaches("10.1.0.11")
    groups = (SecurityGroup("sg-open", True), SecurityGroup("sg-shut", False))
    apply(security_groups=groups)
    assert not guests["red3"].reaches("10.1.0.11", seconds=1)
    apply(
        security_groups=groups, rules=(*TOPOLOGY.rules, _rule("back", "sg-shut", "ingress", protocol="icmp"))
    )
    assert guests["red3"].reaches("10.1.0.11")


SEND = """
import socket, sys, time
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(int(sys.argv[3])):
    line.sendto(b"x" * 1200, (sys.argv[1], int(sys.argv[2])))
    time.sleep(0.002)
"""
COUNT = """
import socket, sys, time
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS
line.bind(("0.0.0.0", int(sys.argv[1])))
line.settimeout(3)
print("ready", flush=True)
got, marks = 0, set()
try:
    while True:
        data, about, _, _ = line.recvmsg(2000, 100)
        got += len(data)
        marks |= {item[2][0] >> 2 for item in about}
        line.settimeout(0.7)
except TimeoutError:
    pass
print(got, *sorted(marks))
"""


def _count(sender, receiver, address, packets):
    with python(receiver, COUNT, "5005") as program:
        assert program.stdout.readline() == "ready\n"
        ask(sender, SEND, address, "5005", str(packets))
        got, *marks = program.communicate(timeout=20)[0].split()
    return int(got), [int(mark) for mark in marks]


def test_marks_and_limits_follow_the_policy(apply, guests):
    sent = 400
    plain, marks = _count(guests["red1"], guests["red2"], "10.1.0.12", sent)
    assert (plain > sent * 1200 * 0.9, marks) == (True, [0])
    apply(
        ports=ports(red1={"qos_policy_id": "q"}),
        qos_rules=(QosRule("q", "dscp_marking", "egress", None, None, 26),),
    )
    assert _count(guests["red1"], guests["red2"], "10.1.0.12", sent)[1] == [26]
    slow = QosRule("q", "bandwidth_limit", "egress", 500, 100, None)
    apply(ports=ports(red1={"qos_policy_id": "q"}), qos_rules=(slow,))
    limited, marks = _count(guests["red1"], guests["red2"], "10.1.0.12", sent)
    # 400 packets in about a second, of which 500 kbit/s (62 kB) and the burst may pass.
    assert marks == [0]
    assert limited < plain / 3
    other, _ = _count(guests["red3"], guests["red2"], "10.1.0.12", sent)
    assert other > plain * 0.8, "another port is slowed too"
    apply(ports=ports(red2={"qos_policy_id": "q"}), qos_rules=(replace(slow, direction="ingress"),))
    assert _count(guests["red1"], guests["red2"], "10.1.0.12", sent)[0] < plain / 3


def test_an_address_scope_is_routed_without_translation(apply, guests, serve):
    serve(None, 7070)
    assert ask(guests["green1"], CALL, "172.24.4.1", "7070") == "172.24.4.10"
    scoped = tuple(
        replace(s, address_scope_id="scope") if s.id in ("green-s", "public-s") else s
        for s in TOPOLOGY.subnets
    )
    run("ip", "route", "add", "10.2.0.0/24", "via", "172.24.4.10")
    try:
        apply(subnets=scoped)
        assert ask(guests["green1"], CALL, "172.24.4.1", "7070") == "10.2.0.11"
        assert ask(guests["red2"], CALL, "172.24.4.1", "7070") == "172.24.4.10"
    finally:
        run("ip", "route", "delete", "10.2.0.0/24")


NAME = """
import socket, struct, sys
question = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[1].split(".")) + b"\\0"
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.settimeout(2)
line.sendto(struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + question + struct.pack("!HH", 1, 1), ("10.1.0.1", 53))
try:
    answer = line.recv(512)
    print(socket.inet_ntoa(answer[-4:]) if struct.unpack("!H", answer[6:8])[0] else "none")
except OSError:
    print("silence")
"""


def test_names_of_neighbours_are_answered(apply, guests):
    apply(ports=ports(red2={"dns_name": "web"}))
    assert ask(guests["red1"], NAME, "web") == "10.1.0.12"
    assert ask(guests["red1"], NAME, "web.openstacklocal") == "10.1.0.12"
    assert ask(guests["red1"], NAME, "host-10-1-0-13.openstacklocal") == "10.1.0.13"
    assert ask(guests["green1"], NAME, "web") == "silence"


LEASE = """
import socket, struct, sys
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
line.bind(("", 68))
line.settimeout(3)
head = struct.pack("!4B I 2H 4I", 1, 1, 6, 0, 77, 0, 0x8000, 0, 0, 0, 0) + mac.ljust(16, b"\\0") + bytes(192)
line.sendto(head + bytes.fromhex("63825363") + b"\\x35\\x01\\x01\\xff", ("255.255.255.255", 67))
answer = line.recv(2000)
at, options = 240, {}
while answer[at] != 255:
    options[answer[at]] = answer[at + 2 : at + 2 + answer[at + 1]]
    at += 2 + answer[at + 1]
print(socket.inet_ntoa(answer[16:20]), *(options.get(int(code), b"-").hex() for code in sys.argv[2:]))
"""


def test_a_lease_carries_domain_and_extra_options(apply, guests):
    extra = (("bootfile-name", "pxelinux.0", 4), ("mtu", "1234", 4))
    apply(ports=ports(red1={"extra_dhcp_opts": extra, "dns_name": "web"}))
    told = ask(guests["red1"], LEASE, "fa:16:3e:00:00:11", "15", "67", "26", "12").split()
    assert told[0] == "10.1.0.11"
    assert bytes.fromhex(told[1]) == b"openstacklocal"
    assert bytes.fromhex(told[2]) == b"pxelinux.0"
    assert int(told[3], 16) == 1234
    assert bytes.fromhex(told[4]) == b"web"


def test_rows_that_somebody_changed_are_mended_and_told(engine_host, guests):
    remote = f"--db={engine_host.settings.northbound}"
    run("ovn-nbctl", remote, "lsp-set-addresses", "red1", "00:00:00:00:00:01")
    run("ovn-nbctl", remote, "lr-nat-del", "router-r")
    run("ovn-nbctl", remote, "--type=port-group", "acl-del", "pg_sg_open")
    time.sleep(0.5)  # the driver hears of it
    changes = engine_host.driver.apply(TOPOLOGY)
    assert "~ Logical_Switch_Port port-red1 addresses" in changes
    assert "+ NAT floating-fip" in changes
    assert "+ ACL rule-open-in" in changes
    assert engine_host.driver.drifted() == changes
    assert engine_host.driver.apply(TOPOLOGY) == []
    end = time.monotonic() + 10
    while not guests["red1"].reaches("10.1.0.12"):
        assert time.monotonic() < end


def test_the_chassis_that_lives_says_so(engine_host):
    found = engine_host.driver.chassis()
    assert [one.host for one in found] == ["host1"]
    assert time.time() - found[0].seen_at < 60
