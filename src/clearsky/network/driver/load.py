"""Which network engine there is."""

from __future__ import annotations

from clearsky.config import Config
from clearsky.network.driver.interface import NetworkDriver


def load(config: Config) -> NetworkDriver:
    """Return OVN's driver, or in a simulated cloud the fake one."""
    if config.cloud.simulate:
        from clearsky.network.driver.fake import FakeDriver  # noqa: PLC0415

        return FakeDriver(config.host)
    from clearsky.network.driver.ovn import OvnDriver  # noqa: PLC0415 - the engine's library is heavy

    return OvnDriver(config)
