"""Routes of the Identity API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.identity.api import auth, catalog, discovery, limits, projects, roles, users
from clearsky.identity.policy import RULES

SERVICE = Service(
    name="identity",
    prefix="/identity",
    routes=tuple(
        route
        for room in (discovery, auth, projects, users, roles, catalog, limits)
        for route in room.routes.all
    ),
    rules=RULES,
    fault=faults.identity,
    type="identity",
)
