"""What a network engine must be able to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from clearsky.network.model import Topology

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


class NetworkDriver(Protocol):
    def apply(self, topology: Topology) -> list[str]:
        """Make the engine carry exactly this; returns what differed, in words. Raises Unavailable."""

    def watch(self, on_ports: OnPorts) -> Callable[[], None]:
        """Report the state of ports, all at first and then changes; returns how to stop."""

    def chassis(self) -> list[Chassis]:
        """Return what carries networks, and when each was last seen alive. Raises Unavailable."""
