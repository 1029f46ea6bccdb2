"""What a network engine must be able to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from clearsky.network.model import Topology

OnPorts = Callable[[dict[str, bool]], None]
"""Called with {port id: is it up}."""


class NetworkDriver(Protocol):
    def apply(self, topology: Topology) -> list[str]:
        """Make the engine carry exactly this; returns what differed, in words. Raises Unavailable."""

    def watch(self, on_ports: OnPorts) -> Callable[[], None]:
        """Report the state of ports, all at first and then changes; returns how to stop."""
