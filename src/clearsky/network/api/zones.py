"""Availability zones of networks and routers: one, because one host carries them."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import NotFound

routes = Routes()
ZONE = "nova"
HINTS = {"type": "array", "items": {"type": "string", "maxLength": 255}, "maxItems": 10}
_LIST = Schema({"type": "object", "properties": {"availability_zones": {"type": "array"}}, "required": ["availability_zones"]})  # fmt: skip


def check_hints(body: dict[str, Any]) -> None:
    """Raise NotFound for a hint that names no zone."""
    for hint in body.get("availability_zone_hints") or []:
        if hint != ZONE:
            raise NotFound(
                f"AvailabilityZone {hint} could not be found: there is {ZONE}.",
                kind="AvailabilityZoneNotFound",
            )


@routes.get("/v2.0/availability_zones", rule="get_availability_zone", response=_LIST)
def list_zones(call: Call) -> Reply:
    """List the availability zones of networks and routers: one."""
    zones = [{"name": ZONE, "resource": resource, "state": "available"} for resource in ("network", "router")]
    wanted = {name: call.query.getlist(name) for name in ("name", "resource", "state") if name in call.query}
    found = [zone for zone in zones if all(zone[name] in values for name, values in wanted.items())]
    return Reply({"availability_zones": found})
