"""What a network engine must be able to do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from clearsky.network.model import Topology
from clearsky.network.ovn.trace.words import Event

OnPorts = Callable[[dict[str, bool]], None]
"""Called with {port id: is it up}."""


@dataclass(frozen=True, slots=True)
class Chassis:
    """What carries networks on a host."""

    id: str
    host: str
    seen_at: float
    """When it last said that it has done what was asked; seconds since the epoch."""
    gateway: bool = True
    """It has a way to the provider's network."""


class Lens(Protocol):
    """The engine's state at one moment, and what it would do with a packet then."""

    def made_of(self, flow: str) -> str:
        """Return the key of the row of ours that a flow comes from; empty where it comes from none."""

    def host_of(self, port: str) -> str:
        """Return the host where a logical port is plugged in; empty where it is nowhere."""

    def may_speak_as(self, port: str) -> list[str]:
        """Return a port's port security, as OVN writes it; empty: it may say anything. Traces do not look at it."""

    def learn(self, router_port: str, address: str, mac: str) -> None:
        """Let a router know the MAC of a neighbour."""

    def trace(self, datapath: str, microflow: str, states: tuple[str, ...]) -> list[Event]:
        """Follow a packet through the switch or router `datapath`; what follows beyond it is not to be relied on.

        Each question to a memory of connections is answered by the next of `states`.
        """


class NetworkDriver(Protocol):
    def apply(self, topology: Topology) -> list[str]:
        """Make the engine carry exactly this; returns what differed, in words. Raises Unavailable."""

    def drifted(self) -> list[str]:
        """Return which of the last application's changes nobody had asked for: somebody else had changed the engine."""

    def watch(self, on_ports: OnPorts, on_change: Callable[[], None] | None = None) -> Callable[[], None]:
        """Report the state of ports, all at first and then changes, and that somebody else has changed the engine;
        returns how to stop.
        """

    def chassis(self) -> list[Chassis]:
        """Return what carries networks, and when each was last seen alive. Raises Unavailable."""

    def look(self) -> AbstractContextManager[Lens]:
        """Hold the engine's state still, to ask what happens to packets. Raises Unavailable, and Conflict where
        there is no data plane.
        """
