"""The integration bridge: which device carries which logical port. Open vSwitch keeps what is plugged."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from clearsky.agent.host import run
from clearsky.config import Config

OWNER = "clearsky-owner"
"""Key in an interface's external_ids: the id of the server or network it was plugged for."""


@dataclass(frozen=True, slots=True)
class Plug:
    device: str
    port_id: str
    owner: str


class Switch:
    def __init__(self, config: Config) -> None:
        self._vsctl = ("ovs-vsctl", f"--db={config.open_vswitch}", "--timeout=20", "--no-wait")
        self._bridge = config.network.integration_bridge

    def plugs(self) -> list[Plug]:
        """Return everything that agents have plugged in."""
        found = json.loads(
            run(*self._vsctl, "--format=json", "--columns=name,external_ids", "list", "interface")
        )
        result = []
        for name, ids in found["data"]:
            values: dict[str, Any] = dict(ids[1])
            if OWNER in values:
                result.append(Plug(name, values.get("iface-id", ""), values[OWNER]))
        return result

    def plug(self, plugs: Iterable[tuple[Plug, str]]) -> None:
        """Plug devices (with their MAC) in, in one transaction; again is harmless."""
        words: list[str] = []
        for plug, mac in plugs:
            words += ["--", "--may-exist", "add-port", self._bridge, plug.device]
            words += ["--", "set", "interface", plug.device, f"external_ids:iface-id={plug.port_id}"]
            words += [f'external_ids:attached-mac="{mac}"', f"external_ids:{OWNER}={plug.owner}"]
        if words:
            run(*self._vsctl, *words)

    def unplug(self, devices: Iterable[str]) -> None:
        """Take devices out; absent ones are as good."""
        words = [
            word for device in devices for word in ("--", "--if-exists", "del-port", self._bridge, device)
        ]
        if words:
            run(*self._vsctl, *words)
