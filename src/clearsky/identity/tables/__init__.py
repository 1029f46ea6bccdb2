"""Tables of the Identity service, a module a subject."""

from __future__ import annotations

from clearsky.identity.tables.assignment import assignments, implied_roles, roles
from clearsky.identity.tables.catalog import endpoints, regions, services
from clearsky.identity.tables.identity import groups, memberships, users
from clearsky.identity.tables.limit import limits, registered_limits
from clearsky.identity.tables.resource import projects
from clearsky.identity.tables.revocation import revision, revocations

__all__ = [
    "assignments",
    "endpoints",
    "groups",
    "implied_roles",
    "limits",
    "memberships",
    "projects",
    "regions",
    "registered_limits",
    "revision",
    "revocations",
    "roles",
    "services",
    "users",
]
