"""A network engine in memory: a port is up when it is bound to a host and enabled."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields

from clearsky.errors import Conflict
from clearsky.network.driver.interface import Chassis, Lens, OnPorts
from clearsky.network.model import Topology


class FakeDriver:
    def __init__(self, host: str = "host1") -> None:
        self.hosts = [host]
        self.topology = self._applied = Topology()
        self._foreign: list[str] = []
        self._told: dict[str, bool] = {}
        self._listeners: list[OnPorts] = []

    def apply(self, topology: Topology) -> list[str]:
        """Take the picture over and report the ports whose state has changed."""
        changes = self._changes(self.topology, topology)
        self._foreign = self._changes(self.topology, self._applied)
        self.topology = self._applied = topology
        self.tell()
        return changes

    def drifted(self) -> list[str]:
        return self._foreign

    def watch(self, on_ports: OnPorts, on_change: Callable[[], None] | None = None) -> Callable[[], None]:
        self._listeners.append(on_ports)
        return lambda: self._listeners.remove(on_ports)

    def chassis(self) -> list[Chassis]:
        now = time.time()
        return [Chassis(str(uuid.uuid5(uuid.NAMESPACE_DNS, host)), host, now) for host in self.hosts]

    def look(self) -> AbstractContextManager[Lens]:
        raise Conflict("This cloud is simulated: it has no data plane, so no packet's path can be followed.")

    def tell(self) -> None:
        """Report what the listeners have not heard yet."""
        states = self.up(self.topology)
        if news := {id: up for id, up in states.items() if self._told.get(id) != up}:
            for listener in self._listeners:
                listener(news)
        self._told = states

    @staticmethod
    def _changes(before: Topology, after: Topology) -> list[str]:
        found = []
        for field in fields(Topology):
            have, want = set(getattr(before, field.name)), set(getattr(after, field.name))
            found += [f"- {field.name} {getattr(item, 'id', item)}" for item in have - want]
            found += [f"+ {field.name} {getattr(item, 'id', item)}" for item in want - have]
        return found

    @staticmethod
    def up(topology: Topology) -> dict[str, bool]:
        return {
            port.id: port.admin_state_up and bool(port.host or port.device_owner.startswith("network:"))
            for port in topology.ports
        }
