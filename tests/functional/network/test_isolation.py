"""Tenants cannot see or deceive each other: frames made by hand, captured on both sides."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.functional.network import wire
from tests.functional.network.world import TOPOLOGY

pytestmark = [pytest.mark.functional]
WIRE = str(Path(wire.__file__))
WHO = {port.id: (port.mac_address, port.fixed_ips[0].ip_address) for port in TOPOLOGY.ports}
SECONDS = 1.5


def heard(guests, listeners, sender, *frames):
    """Send frames from a guest; return what each listener got in, as bytes."""
    programs = {}
    for name in listeners:
        words = ["ip", "netns", "exec", guests[name].name, sys.executable, WIRE, "hear", "eth0", str(SECONDS)]
        programs[name] = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    for program in programs.values():
        assert program.stdout.readline() == "hearing\n"
    guests[sender].run(sys.executable, WIRE, "send", "eth0", *(frame.hex() for frame in frames))
    return {
        name: [bytes.fromhex(line) for line in program.communicate()[0].split()]
        for name, program in programs.items()
    }


def saw(frames, mark):
    return any(mark in frame for frame in frames)


def test_no_frame_of_one_network_is_seen_in_another(guests):
    red = WHO["red1"]
    frames = {
        b"unicast-to-blue2": wire.udp(red, WHO["blue2"], b"unicast-to-blue2"),
        b"unicast-to-red2!": wire.udp(red, WHO["red2"], b"unicast-to-red2!"),
        b"broadcast-of-red": wire.udp(red, (wire.BROADCAST, "10.1.0.255"), b"broadcast-of-red"),
        b"multicast-of-red": wire.udp(red, ("01:00:5e:00:00:fb", "224.0.0.251"), b"multicast-of-red"),
    }
    question = wire.arp(1, red, red, (wire.BROADCAST, "10.1.0.77"))
    got = heard(guests, ["red2", "blue1", "blue2", "green1"], "red1", *frames.values(), question)
    assert saw(got["red2"], b"unicast-to-red2!"), "the capture does not work"
    assert saw(got["red2"], b"broadcast-of-red"), "the capture does not work"
    assert saw(got["red2"], question[14:]), "the capture does not work"
    for name in ("blue1", "blue2", "green1"):
        assert not [mark for mark in (*frames, question[14:]) if saw(got[name], mark)], name


def test_a_false_mac_is_dropped(guests):
    own, false = WHO["red2"], ("fa:16:3e:66:66:66", WHO["red2"][1])
    got = heard(
        guests,
        ["red1"],
        "red2",
        wire.udp(own, WHO["red1"], b"honest-mac"),
        wire.udp(false, WHO["red1"], b"stolen-mac"),
    )
    assert saw(got["red1"], b"honest-mac")
    assert not saw(got["red1"], b"stolen-mac")


def test_a_false_ip_is_dropped(guests):
    own, false = WHO["red2"], (WHO["red2"][0], WHO["red3"][1])
    got = heard(
        guests,
        ["red1"],
        "red2",
        wire.udp(own, WHO["red1"], b"honest-ip"),
        wire.udp(false, WHO["red1"], b"stolen-ip"),
    )
    assert saw(got["red1"], b"honest-ip")
    assert not saw(got["red1"], b"stolen-ip")


def test_a_false_arp_answer_is_dropped(guests):
    own, victim = WHO["red2"], WHO["red1"]
    honest = wire.arp(2, own, own, victim)
    for_the_gateway = wire.arp(2, own, (own[0], "10.1.0.1"), victim)
    for_a_neighbour = wire.arp(2, own, (own[0], WHO["red3"][1]), victim)
    got = heard(guests, ["red1"], "red2", honest, for_the_gateway, for_a_neighbour)
    assert saw(got["red1"], honest[14:])
    assert not saw(got["red1"], for_the_gateway[14:])
    assert not saw(got["red1"], for_a_neighbour[14:])


ECHO = """
import socket
server = socket.create_server(("0.0.0.0", 7777))
print("ready", flush=True)
line = server.accept()[0]
while data := line.recv(100):
    line.sendall(data)
"""
TALK = """
import socket, sys, time
line = socket.create_connection(("10.1.0.11", 7777), timeout=5)
line.settimeout(1.0)
while True:
    try:
        line.sendall(b"x")
        line.recv(100)
        print("echo", flush=True)
    except TimeoutError:
        print("silence", flush=True)
    time.sleep(0.05)
"""


def test_removing_a_rule_cuts_an_established_connection(engine_host, guests):
    def start(name, script):
        words = ["ip", "netns", "exec", guests[name].name, sys.executable, "-c", script]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    server = start("blue1", ECHO)
    assert server.stdout.readline() == "ready\n"
    client = start("blue2", TALK)
    try:
        assert [client.stdout.readline() for _ in range(5)] == ["echo\n"] * 5
        without = replace(TOPOLOGY, rules=tuple(rule for rule in TOPOLOGY.rules if rule.id != "open-in"))
        engine_host.driver.apply(without)
        end = time.monotonic() + 10
        while client.stdout.readline() != "silence\n":
            assert time.monotonic() < end, "the connection goes on without its rule"
        assert client.stdout.readline() == "silence\n"
    finally:
        engine_host.driver.apply(TOPOLOGY)
        for program in (client, server):
            program.kill()
            program.wait()
            program.stdout.close()
