"""Where a packet sets out: at a guest or outside; and what comes of it there and back."""

from __future__ import annotations

from dataclasses import replace

from clearsky.network.driver.interface import Lens
from clearsky.network.model import METADATA, Port
from clearsky.network.path import tell
from clearsky.network.path.follow import Place, Walk
from clearsky.network.path.hops import Hop, Leg, Thing
from clearsky.network.path.packet import Packet
from clearsky.network.path.surroundings import OUTSIDE_MAC, NextHop, NoRoute, Surroundings, allowed, canonical


def depart_guest(
    lens: Lens, around: Surroundings, port_id: str, packet: Packet, there: Leg | None = None
) -> Leg:
    """Follow a packet that a guest sends."""
    port = around.ports[port_id]
    at, host = Thing("port", port.id), lens.host_of(port.id)
    if port.device_owner == METADATA and there is not None:
        host = there.hops[-1].host  # every host has it
    start = Leg()
    if not port.admin_state_up:
        start.hops.append(Hop(at, "dropped", "is switched off (admin_state_up is false)", host))
        return start
    if not host:
        start.hops.append(Hop(at, "dropped", "is plugged in on no host"))
        return start
    if any(canonical(fixed.ip_address) == packet.destination for fixed in port.fixed_ips):
        start.hops.append(
            Hop(at, "arrives", f"has {packet.destination} itself: the packet does not leave it", host)
        )
        start.port, start.packet = port.id, packet
        return start
    if not allowed(lens.may_speak_as(port.id), port.mac_address, packet.source):
        start.hops.append(tell.not_its_address(port.id, packet.source, "speak as"))
        return start
    way = around.from_guest(port, packet.source, packet.destination)
    if isinstance(way, NoRoute):
        start.hops.append(Hop(at, "dropped", f"has no route: {way.why}", host))
        return start
    if not way.mac:
        start.hops.append(tell.nobody(Thing("network", port.network_id), way, host))
        return start
    sends = f"sends {'the answer' if there else 'it'} to {_whom(way)}"
    walk = Walk(lens, around, host, there)
    walk.leg.hops.append(Hop(at, "passes", sends, host))
    sent = replace(packet, source_mac=port.mac_address, destination_mac=way.mac)
    return walk.go(Place(f"net-{port.network_id}", port.id), sent)


def _whom(way: NextHop) -> str:
    return f"{way.address}, its gateway to {way.by}" if way.by else f"{way.address} on its own network"


def depart_outside(
    lens: Lens, around: Surroundings, network_id: str, packet: Packet, there: Leg | None = None
) -> Leg:
    """Follow a packet that comes in from a provider network."""
    at = Thing("network", network_id)
    way = around.from_outside(network_id, packet.destination)
    start = Leg()
    if isinstance(way, NoRoute):
        start.hops.append(tell.no_way_in(around, network_id, packet, way, there))
        return start
    if not way.mac:
        start.hops.append(tell.nobody(at, way, ""))
        return start
    walk = Walk(lens, around, "", there)
    coming = (
        "brings the answer in from the outside"
        if there
        else f"brings it in from the outside, from {packet.source}"
    )
    walk.leg.hops.append(Hop(at, "passes", coming))
    sent = replace(packet, source_mac=OUTSIDE_MAC, destination_mac=way.mac)
    return walk.go(Place(f"net-{network_id}", f"provider-{network_id}"), sent)


def onward(lens: Lens, around: Surroundings, leg: Leg, there: Leg | None = None) -> Leg:
    """Where a packet left toward an address that the outside routes back into this cloud, follow it in again."""
    if not leg.network or leg.packet is None or around.on_network(leg.network, leg.packet.destination):
        return leg
    if not around.leads_in(leg.network, leg.packet.destination):
        return leg
    further = depart_outside(lens, around, leg.network, leg.packet, there)
    further.hops = [replace(leg.hops[-1], outcome="passes"), *further.hops[1:]]
    further.hops = leg.hops[:-1] + further.hops
    further.translations = leg.translations + further.translations
    further.remembered |= leg.remembered
    return further


def answer(lens: Lens, around: Surroundings, source: str, question: Packet, there: Leg) -> Leg | None:
    """Follow the answer to a packet that arrived or left; None where nobody would answer.

    What a guest answers to itself is not followed: to its port's memory of connections that is question and answer.
    """
    if there.answer is not None:
        return _recognised(source, question, onward(lens, around, there.answer, there))
    if not there.done or there.packet is None or there.port == source:
        return None
    back = there.packet.answered()
    if there.network:
        if around.inside(there.network, back.source):
            return None
        found = depart_outside(lens, around, there.network, back, there)
    else:
        port = around.ports.get(there.port)
        if port is None or around.is_router(port):
            return None
        if not (has(port, back.source) or port.device_owner == METADATA):
            return None
        found = onward(lens, around, depart_guest(lens, around, port.id, back, there), there)
    return _recognised(source, question, found)


def _recognised(source: str, question: Packet, back: Leg) -> Leg:
    """Let an answer be lost that does not come to whom asked, or not from whom was asked."""
    if not back.done or back.packet is None:
        return back
    last = back.hops[-1]
    if source and back.port != source:
        told = "gets an answer that is somebody else's"
    elif back.packet.ends[:2] != question.ends[2:]:
        came = f"{back.packet.source}" + (
            f" port {back.packet.source_port}" if back.packet.source_port else ""
        )
        told = f"does not know it for the answer: it comes from {came}, past the router that changes addresses back"
    else:
        return back
    back.hops[-1] = replace(last, outcome="dropped", what=told)
    return back


def has(port: Port, address: str) -> bool:
    """Say whether a guest at a port has an address, or may have it by an address pair."""
    mine = [f"{port.mac_address} {fixed.ip_address}" for fixed in port.fixed_ips]
    mine += [f"{port.mac_address} {pair}" for _, pair in port.allowed_address_pairs]
    return bool(mine) and allowed(mine, port.mac_address, address)
