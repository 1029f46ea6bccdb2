"""Routes of the Identity API."""

from __future__ import annotations

from clearsky.api import faults
from clearsky.api.routing import Service
from clearsky.identity import audit
from clearsky.identity.api import (
    application_credentials,
    auth,
    catalog,
    consumers,
    credentials,
    discovery,
    domain_config,
    domains,
    ec2,
    endpoint_filter,
    federated,
    federation,
    grants,
    groups,
    limits,
    oauth1,
    oauth2,
    policies,
    project_tags,
    projects,
    role_assignments,
    roles,
    trusts,
    users,
)
from clearsky.identity.policy import RULES

_ROOMS = (
    discovery, auth, domains, domain_config, projects, project_tags, users, groups, roles, grants, role_assignments,
    catalog, endpoint_filter, policies, limits, application_credentials, trusts, credentials, ec2,
    federation, federated, oauth2, consumers, oauth1,
)  # fmt: skip
_TELLING = (auth, application_credentials, trusts, credentials, ec2, federation, federated, oauth2, oauth1)
"""These tell the audit log by themselves: not every POST of theirs is a change."""
_ROUTES = tuple(
    route if room in _TELLING else audit.watched(route) for room in _ROOMS for route in room.routes.all
)
discovery.tell_of(_ROUTES)

SERVICE = Service(
    name="identity",
    prefix="/identity",
    routes=_ROUTES,
    rules=RULES,
    fault=faults.identity,
    type="identity",
)
