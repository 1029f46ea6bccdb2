"""Tables of the Identity service, a module a subject."""

from __future__ import annotations

from clearsky.identity.tables.assignment import assignments, implied_roles, roles
from clearsky.identity.tables.catalog import (
    endpoint_groups,
    endpoints,
    policies,
    policy_associations,
    project_endpoint_groups,
    project_endpoints,
    regions,
    services,
)
from clearsky.identity.tables.identity import former_passwords, groups, memberships, users
from clearsky.identity.tables.limit import limits, registered_limits
from clearsky.identity.tables.resource import domain_options, project_tags, projects
from clearsky.identity.tables.revocation import revision, revocations

__all__ = [
    "assignments",
    "domain_options",
    "endpoint_groups",
    "endpoints",
    "former_passwords",
    "groups",
    "implied_roles",
    "limits",
    "memberships",
    "policies",
    "policy_associations",
    "project_endpoint_groups",
    "project_endpoints",
    "project_tags",
    "projects",
    "regions",
    "registered_limits",
    "revision",
    "revocations",
    "roles",
    "services",
    "users",
]
