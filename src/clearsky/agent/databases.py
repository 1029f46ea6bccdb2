"""What a joined host is told of the machines that keep OVN's databases: which they are, and whom to believe."""

from __future__ import annotations

from clearsky.agent.protocol import Desired
from clearsky.config import Config
from clearsky.engines import access
from clearsky.hosts import registry


class Databases:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._machines: tuple[str, ...] = ()

    def ensure(self, desired: Desired) -> None:
        """Take over what is new. A machine that keeps none any more is left at once, by those who are connected too."""
        config = self._config
        if not config.joined or not desired.databases:
            return
        changed = registry.write_new(registry.databases_file(config), desired.databases_pem.encode())
        if desired.trusted_pem:
            changed |= registry.write_new(registry.trusted_file(config), desired.trusted_pem.encode())
            if changed:
                access.look_again(config)
        if desired.databases != self._machines:
            access.connect(config, desired.databases)
            self._machines = desired.databases
