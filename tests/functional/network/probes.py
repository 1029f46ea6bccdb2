"""Which packets are tried between the ports of a world, and what came of them beside what was promised."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.functional.network import frames
from tests.functional.network.frames import ICMP, ICMP6, TCP, UDP, Packet
from tests.functional.network.semantics import Promise, addresses
from tests.functional.network.soup import PORTS
from tests.functional.network.taps import Taps

FROM = 40000
IPV4 = 4
"""Bytes of an address."""
NOBODY = "fa:16:3e:66:66:66"


@dataclass(frozen=True, slots=True)
class Difference:
    packet: Packet
    missing: frozenset[str]
    """Ports that were promised it."""
    extra: frozenset[str]

    def told(self, promise: Promise) -> str:
        """Say what happened, with what is known of the ports."""
        lines = [f"{self.packet.kind}: {self.packet}", f"  from {_known_of(promise, self.packet.sender)}"]
        lines += [f"  not at {_known_of(promise, id)}" for id in self.missing]
        lines += [f"  but at {_known_of(promise, id)}" for id in self.extra]
        return "\n".join(lines)


def told(promise: Promise, found: list[Difference]) -> str:
    """Tell of some of the differences."""
    return "\n".join([f"{len(found)} differences, such as", *(one.told(promise) for one in found[:8])])


def _known_of(promise: Promise, id: str) -> str:
    port = promise.ports.get(id)
    if port is None:
        return id
    groups = {promise.groups[group]["name"] for group in port["security_groups"]}
    floating = {
        one["floating_ip_address"]: one["router_id"] for one in promise.floating if one["port_id"] == id
    }
    routers = [
        {name: router[name] for name in ("id", "admin_state_up", "external_gateway_info")}
        for other in promise.on[port["network_id"]]
        if (router := promise.routers.get(other["device_id"]))
    ]
    shown = {name: port[name] for name in ("id", "network_id", "admin_state_up", "port_security_enabled")}
    return f"{addresses(port)} {groups} {shown} pairs {port['allowed_address_pairs']} floating {floating} routers {routers}"


class Probes:
    def __init__(self, promise: Promise, guests: list[str], seed: int) -> None:
        self.promise, self.rng = promise, random.Random(seed)
        self.guests = [promise.ports[id] for id in guests]

    # -- every pair ---------------------------------------------------------------------------------------------

    def conversations(self) -> Iterator[Packet]:
        """TCP, UDP and ICMP from every port to every other: straight, by the router, and to floating IPs."""
        for one in self.guests:
            gateways = self._gateways(one)
            for other in self.guests:
                if one is other:
                    continue
                for src, dst in _pairs(one, other):
                    if src == dst:
                        continue
                    yield from self._talk(one, other["mac_address"], src, dst, "straight")
                    for gateway in gateways.get(len(frames.address(src)), ()):
                        yield from self._talk(one, gateway, src, dst, "routed")
            for floating in self.promise.floating:
                for gateway in gateways.get(IPV4, ()):
                    for src in (ip for ip in addresses(one) if ":" not in ip):
                        yield from self._talk(
                            one, gateway, src, floating["floating_ip_address"], "to a floating IP"
                        )

    def _talk(self, one: dict[str, Any], eth_dst: str, src: str, dst: str, kind: str) -> Iterator[Packet]:
        plain = Packet(one["id"], one["mac_address"], eth_dst, src, dst)
        six = ":" in src
        for proto in (TCP, UDP):
            yield replace(plain, proto=proto, sport=FROM, dport=self.rng.choice(PORTS), kind=kind)
        if six:
            yield replace(plain, proto=ICMP6, sport=128, kind=kind)
        else:
            yield replace(plain, proto=ICMP, sport=8, kind=kind)

    def lies(self) -> Iterator[Packet]:
        """From every port to every other: in another's name, as a server that it is not."""
        for one in self.guests:
            for other in self.guests:
                if one is other:
                    continue
                for src, dst in _pairs(one, other):
                    yield from self._stolen(one, other, src, dst)

    def _stolen(self, one: dict[str, Any], other: dict[str, Any], src: str, dst: str) -> Iterator[Packet]:
        own, far = one["mac_address"], other["mac_address"]
        plain = Packet(one["id"], own, far, src, dst, UDP, FROM, 80)
        yield replace(plain, eth_src=NOBODY, kind="a false MAC")
        yield replace(plain, src=_neighbour_of(dst), kind="a false address")
        if ":" in src:
            local = frames.link_local(own)
            claim = Packet(one["id"], own, far, local, dst, ICMP6, frames.NA, target=_neighbour_of(dst))
            yield replace(claim, kind="a false neighbour advertisement")
            yield replace(claim, sport=frames.RA, target="", kind="a router advertisement")
            yield replace(plain, src=local, dst=dst, sport=547, dport=546, kind="a false DHCPv6 server")
        else:
            claim = Packet(one["id"], own, far, _neighbour_of(dst), dst, 0, frames.ARP_SAYS)
            yield replace(claim, kind="a false ARP answer")
            yield replace(claim, src=src, link=NOBODY, kind="an ARP answer with a false MAC")
            yield replace(claim, src=src, kind="an honest ARP answer")
            yield replace(plain, sport=67, dport=68, kind="a false DHCP server")

    def shouts(self) -> Iterator[Packet]:
        """What every neighbour hears: broadcast, multicast, and lies of that kind."""
        for one in self.guests:
            own = one["mac_address"]
            for src in _sources(one):
                plain = Packet(one["id"], own, frames.BROADCAST, src, "255.255.255.255", UDP, FROM, 80)
                if ":" in src:
                    for dst in ("ff02::fb", "ff05::1:3"):
                        yield replace(plain, eth_dst=frames.group_mac(dst), dst=dst, kind="multicast")
                    everybody = replace(plain, eth_dst=frames.group_mac("ff02::1"), dst="ff02::1")
                    local = replace(everybody, src=frames.link_local(own), proto=ICMP6, dport=0)
                    yield replace(local, sport=frames.RA, kind="a router advertisement to all")
                    yield replace(local, sport=frames.NA, target=src, kind="a neighbour advertisement to all")
                    yield replace(
                        local,
                        sport=frames.NA,
                        target=_neighbour_of(src),
                        kind="a false neighbour advertisement to all",
                    )
                    yield replace(everybody, eth_src=NOBODY, kind="multicast of a false MAC")
                    yield replace(everybody, src="fd00:0:0:9::9", kind="multicast of a false address")
                    continue
                yield replace(plain, kind="broadcast")
                for dst in ("224.0.0.251", "239.1.2.3"):
                    yield replace(plain, eth_dst=frames.group_mac(dst), dst=dst, kind="multicast")
                yield replace(plain, sport=67, dport=68, kind="a false DHCP server to all")
                yield replace(plain, eth_src=NOBODY, kind="broadcast of a false MAC")
                yield replace(plain, src=_neighbour_of(src), kind="broadcast of a false address")
                arp = Packet(one["id"], own, frames.BROADCAST, src, src, 0, frames.ARP_SAYS)
                yield replace(arp, kind="a gratuitous ARP")
                yield replace(
                    arp, src=_neighbour_of(src), dst=_neighbour_of(src), kind="a false gratuitous ARP"
                )

    def questions(self) -> Iterator[Packet]:
        """ARP and neighbour solicitation from every port for every other's address."""
        for one in self.guests:
            own = one["mac_address"]
            asked: set[tuple[str, str]] = set()
            for other in self.guests:
                for src, dst in _pairs(one, other):
                    if (src, dst) in asked or dst in addresses(one):
                        continue
                    asked.add((src, dst))
                    if ":" in src:
                        eth, group = frames.solicited(dst)
                        packet = Packet(one["id"], own, eth, src, group, ICMP6, frames.NS, target=dst)
                    else:
                        packet = Packet(one["id"], own, frames.BROADCAST, src, dst, 0, frames.ARP_ASKS)
                    yield replace(packet, kind="who has this address")

    def _gateways(self, port: dict[str, Any]) -> dict[int, list[str]]:
        """Return the MACs of the routers in a port's network, by the length of the addresses that they serve."""
        found: dict[int, list[str]] = {}
        for other in self.promise.on[port["network_id"]]:
            if other["device_owner"] == "network:router_interface":
                for length in {len(frames.address(ip)) for ip in addresses(other)}:
                    found.setdefault(length, []).append(other["mac_address"])
        return found


def _sources(port: dict[str, Any]) -> list[str]:
    """Return the addresses that a port speaks from: its own, and those it may have besides."""
    pairs = [
        pair["ip_address"]
        for pair in port["allowed_address_pairs"]
        if pair["mac_address"] == port["mac_address"] and "/" not in pair["ip_address"]
    ]
    return [*addresses(port), *pairs]


def _pairs(one: dict[str, Any], other: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for src in _sources(one):
        for dst in addresses(other):
            if (":" in src) == (":" in dst):
                yield src, dst


def _neighbour_of(ip: str) -> str:
    """Return another address of the same range."""
    return str(ipaddress.ip_address(int(ipaddress.ip_address(ip)) ^ 0x40))


# -- comparing --------------------------------------------------------------------------------------------------


def compare(
    taps: Taps, promise: Promise, packets: list[Packet], *, tries: int = 6
) -> tuple[list[Difference], Counter[str]]:
    """Send packets; return where what happened differs from the promise, and how many were delivered, by kind.

    What is missing is sent again: a router's first packet to somewhere may be lost. What is too much counts at once.
    """
    return _compare(taps, [(packet, promise.receivers(packet)) for packet in packets], tries)


def _compare(
    taps: Taps, wanted: list[tuple[Packet, set[str]]], tries: int
) -> tuple[list[Difference], Counter[str]]:
    found: list[Difference] = []
    delivered: Counter[str] = Counter()
    for number in range(tries):
        again = []
        came = taps.exchange([packet for packet, _ in wanted], 0.25 * number)
        for (packet, who), heard in zip(wanted, came, strict=True):
            got = {port for port, _ in heard}
            missing, extra = who - got, got - who
            if extra or (missing and number == tries - 1):
                found.append(Difference(packet, frozenset(missing), frozenset(extra)))
            elif missing:
                again.append((packet, who))
            else:
                delivered[packet.kind] += len(got)
        wanted = again
        if not wanted:
            break
    return found, delivered


def compare_answers(
    taps: Taps, promise: Promise, packets: list[Packet]
) -> tuple[list[Difference], Counter[str]]:
    """Let each port that was reached answer; return differences as `compare` does."""
    wanted = []
    for packet in packets:
        if packet.proto not in (TCP, UDP) or packet.kind == "to a floating IP":
            continue
        for id in promise.receivers(packet):
            port = promise.ports[id]
            if packet.kind == "straight":
                back, eth = promise.ports[packet.sender]["mac_address"], port["mac_address"]
                answer = replace(packet, sender=id, eth_src=eth, eth_dst=back, src=packet.dst, dst=packet.src)
                answer = replace(
                    answer, sport=packet.dport, dport=packet.sport, flags=frames.SYN_ACK, kind="an answer"
                )
                wanted.append((answer, promise.receivers(answer, answers=True)))
    return _compare(taps, wanted, 3)


def compare_questions(
    taps: Taps, promise: Promise, packets: list[Packet]
) -> tuple[list[Difference], Counter[str]]:
    """Ask for addresses; each question leads to the right MAC or to its owner, and is heard in its own network only."""
    found: list[Difference] = []
    answered: Counter[str] = Counter()
    came = taps.exchange(packets, 0.1)
    by_switch: dict[tuple[str, str], set[str]] = {}
    for id, frame in taps.others:
        if (mac := _told(frame)) is not None and frame[12:14] == b"\x86\xdd":
            by_switch.setdefault((id, str(ipaddress.ip_address(frame[62:78]))), set()).add(mac)
    for packet, heard in zip(packets, came, strict=True):
        mac, must = promise.resolves(packet)
        network = promise.ports[packet.sender]["network_id"]
        told = {_told(frame) for id, frame in heard if id == packet.sender}
        told |= by_switch.get((packet.sender, packet.target), set())
        heirs = {id for id, _ in heard if id != packet.sender}
        abroad = {id for id in heirs if promise.ports[id]["network_id"] != network}
        owner = any(promise.ports[id]["mac_address"] == mac for id in heirs)
        right = told == {mac} or (not told and (owner or not must)) if mac else not told
        if abroad or not right:
            missing = frozenset([f"an answer with {mac}"]) if mac and not right else frozenset()
            found.append(Difference(packet, missing, frozenset(abroad | {str(one) for one in told})))
        elif must:
            answered[packet.kind] += 1
    return found, answered


def _told(frame: bytes) -> str | None:
    """Return the MAC that an answer to ARP or to a neighbour solicitation tells."""
    if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02":
        return frame[22:28].hex(":")
    if frame[12:14] == b"\x86\xdd" and frame[20] == ICMP6 and frame[54] == frames.NA:
        return frame[80:86].hex(":")
    return None
