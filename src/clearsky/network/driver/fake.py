"""A network engine in memory: a port is up when it is bound to a host and enabled."""

from __future__ import annotations

from collections.abc import Callable

from clearsky.network.driver.interface import OnPorts
from clearsky.network.model import Topology


class FakeDriver:
    def __init__(self) -> None:
        self.topology = Topology()
        self._listeners: list[OnPorts] = []

    def apply(self, topology: Topology) -> int:
        """Take the picture over and report the ports whose state has changed."""
        before, after = self._up(self.topology), self._up(topology)
        changed = len(set(self.topology.ports) ^ set(topology.ports))
        self.topology = topology
        news = {id: up for id, up in after.items() if before.get(id) != up}
        if news:
            for listener in self._listeners:
                listener(news)
        return changed

    def watch(self, on_ports: OnPorts) -> Callable[[], None]:
        self._listeners.append(on_ports)
        return lambda: self._listeners.remove(on_ports)

    @staticmethod
    def _up(topology: Topology) -> dict[str, bool]:
        return {
            port.id: port.admin_state_up and bool(port.host or port.device_owner.startswith("network:"))
            for port in topology.ports
        }
