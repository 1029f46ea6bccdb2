"""Routes of the Identity API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.identity.api import (
    auth,
    catalog,
    discovery,
    domains,
    grants,
    groups,
    limits,
    project_tags,
    projects,
    role_assignments,
    roles,
    users,
)
from clearsky.identity.policy import RULES

_ROOMS = (
    discovery, auth, domains, projects, project_tags, users, groups, roles, grants, role_assignments, catalog, limits,
)  # fmt: skip

SERVICE = Service(
    name="identity",
    prefix="/identity",
    routes=tuple(route for room in _ROOMS for route in room.routes.all),
    rules=RULES,
    fault=faults.identity,
    type="identity",
)
