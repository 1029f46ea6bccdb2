"""A way through the network as data: hops, each at an object, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from clearsky.network.path.packet import Packet

Outcome = Literal["passes", "changes", "arrives", "leaves", "dropped"]
"""`leaves`: it goes out to a provider network, where nobody here sees it any more."""
Ends = tuple[str, int, str, int]
"""Source address and port, destination address and port."""
Side = Literal["source", "destination"]


@dataclass(frozen=True, slots=True)
class Thing:
    """One of our objects: port, network, router, floating_ip, security_group, server, or host."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Hop:
    at: Thing
    outcome: Outcome
    what: str
    """A sentence without a subject: the object is."""
    host: str = ""
    also: tuple[Thing, ...] = ()
    """Further objects that are as much the reason."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A router wrote another address (and port) into the packet."""

    datapath: str
    router_port: str
    side: Side
    before: tuple[str, int]
    after: tuple[str, int]


@dataclass(slots=True)
class Leg:
    """The way of one packet."""

    hops: list[Hop] = field(default_factory=list)
    packet: Packet | None = None
    """As it came out at the end."""
    port: str = ""
    """Where it arrived; empty where it was dropped or left."""
    network: str = ""
    """The provider network that it left to."""
    translations: list[Translation] = field(default_factory=list)
    remembered: set[tuple[str, Ends]] = field(default_factory=set)
    """(port, the packet's ends as they were there): memories of connections that hold it now."""
    answer: Leg | None = None
    """Where a router answered by itself: the answer's way."""

    @property
    def outcome(self) -> Outcome:
        return self.hops[-1].outcome if self.hops else "dropped"

    @property
    def done(self) -> bool:
        return self.outcome in ("arrives", "leaves")

    def passed(self, kind: str) -> Iterator[Hop]:
        return (hop for hop in self.hops if hop.at.kind == kind)
