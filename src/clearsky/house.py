"""What every service's functions get as their first argument: settings, database, drivers, bell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clearsky.config import Config
from clearsky.db import Database


@dataclass(slots=True)
class House:
    config: Config
    db: Database
    check_responses: bool = False
    """Validate every response against its schema: on in tests."""
    drivers: dict[str, Any] = field(default_factory=dict)
    """Loaded back ends by service; see each service's driver/load.py."""
    caches: dict[str, Any] = field(default_factory=dict)
    """Per-process memory of services (token cache and the like); losing it costs time only."""

    on_close: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        """Let go of sockets and connections."""
        for close in reversed(self.on_close):
            close()
        self.db.close()

    def driver(self, service: str, load: Callable[[Config], Any]) -> Any:
        """Return the back end of `service`, made by `load(config)` at its first use."""
        if service not in self.drivers:
            self.drivers[service] = load(self.config)
        return self.drivers[service]

    def cache(self, name: str, make: Callable[[], Any]) -> Any:
        """Return this process's cache `name`, made by `make()` at its first use."""
        if name not in self.caches:
            self.caches[name] = make()
        return self.caches[name]
