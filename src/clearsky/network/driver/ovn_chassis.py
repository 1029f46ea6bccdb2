"""Which chassis carry networks and whether they live: a number is raised in the northbound database, and each
ovn-controller that lives copies it, with the time, once it has done all that was asked before it.
"""

from __future__ import annotations

import time
from typing import Any

from ovsdbapp.backend.ovs_idl import connection, idlutils

from clearsky.network.driver.interface import Chassis

GATEWAY = "enable-chassis-as-gw"
"""OVN's word for a chassis that may be a gateway; its host says it of itself."""
PROBE_S = 30.0
"""Between two raises of the number."""
PATIENCE_S = 0.5
"""So long an answer is waited for; a later one is seen at the next look."""


class Roll:
    """The roll call of chassis, over a connection of its own to the southbound database."""

    def __init__(self, remote: str, timeout_s: float) -> None:
        helper = idlutils.get_schema_helper(remote, "OVN_Southbound")
        for table in ("Chassis", "Chassis_Private"):
            helper.register_table(table)
        self._connection = connection.Connection(connection.OvsdbIdl(remote, helper), timeout=timeout_s)
        self._connection.start()
        self._asked_at = 0.0

    @property
    def due(self) -> bool:
        return time.monotonic() - self._asked_at > PROBE_S

    def call(self, number: int | None) -> list[Chassis]:
        """Return every chassis; after the number was raised to `number`, wait a moment for those that live."""
        if number is not None:
            self._asked_at = time.monotonic()
        end = time.monotonic() + PATIENCE_S
        while True:
            rows = self._private()
            answered = all(row.nb_cfg >= (number or 0) for row in rows)
            if answered or number is None or time.monotonic() > end:
                return [_one(row) for row in rows if row.chassis]
            time.sleep(0.02)

    def _private(self) -> list[Any]:
        return list(self._connection.idl.tables["Chassis_Private"].rows.values())


def _one(row: Any) -> Chassis:
    chassis = row.chassis[0]
    gateway = GATEWAY in chassis.other_config.get("ovn-cms-options", "").split(",")
    return Chassis(str(chassis.uuid), chassis.hostname or chassis.name, row.nb_cfg_timestamp / 1000, gateway)
