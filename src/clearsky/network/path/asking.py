"""One question answered: what happens to a packet from here to there, and to its answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clearsky.errors import Unavailable
from clearsky.house import House
from clearsky.network import service, topology
from clearsky.network.driver.interface import Lens
from clearsky.network.path import journey
from clearsky.network.path.ends import Both, End, Finder
from clearsky.network.path.hops import Leg
from clearsky.network.path.packet import Packet
from clearsky.network.path.shown import Shown
from clearsky.network.path.surroundings import Surroundings

AT_ONCE = 2
"""Questions that one process answers at a time: each copies OVN's databases."""
PATIENCE_S = 2.0
"""So long the next one waits: who asks much must not keep the api's threads from others."""


@dataclass(frozen=True, slots=True)
class Question:
    source: str
    destination: str
    protocol: str = "icmp"
    port: int = 0


def ask(house: House, scope: str | None, question: Question) -> dict[str, Any]:
    """Return the answer as the API shows it to a project; None is the administrator.

    Raises Invalid, NotFound, Forbidden and Conflict about the two ends, and Unavailable where OVN cannot be asked.
    """
    with house.db.read() as c:
        around = Surroundings(topology.load(c, (house.config.host,)))
        ends = Finder(c, around, scope).both(question.source, question.destination)
    packet = Packet(
        question.protocol, ends.source.address, ends.destination.address, destination_port=question.port
    )
    with _turn(house), service.driver(house).look() as lens:
        there = _there(lens, around, ends, packet)
        back = journey.answer(lens, around, _port_id(ends.source), packet, there)
    with house.db.read() as c:
        return Shown(c, around, scope, [there, *([back] if back else [])]).answer(ends, packet, there, back)


@contextmanager
def _turn(house: House) -> Iterator[None]:
    gate = house.cache("network:questions", lambda: threading.BoundedSemaphore(AT_ONCE))
    if not gate.acquire(timeout=PATIENCE_S):
        raise Unavailable("Too many paths are being followed at the moment: ask again.")
    try:
        yield
    finally:
        gate.release()


def _there(lens: Lens, around: Surroundings, ends: Both, packet: Packet) -> Leg:
    source: End = ends.source
    if source.port is None:
        return journey.depart_outside(lens, around, source.network, packet)
    return journey.onward(lens, around, journey.depart_guest(lens, around, source.port.id, packet))


def _port_id(end: End) -> str:
    return end.port.id if end.port else ""
