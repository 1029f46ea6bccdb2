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
from clearsky.identity.tables.credential import credentials
from clearsky.identity.tables.delegation import (
    access_rules,
    application_credential_access_rules,
    application_credential_roles,
    application_credentials,
    trusts,
)
from clearsky.identity.tables.federation import (
    expiring_memberships,
    federated_users,
    identity_providers,
    mappings,
    protocols,
    remote_ids,
    service_providers,
)
from clearsky.identity.tables.identity import former_passwords, groups, memberships, users
from clearsky.identity.tables.limit import limits, registered_limits
from clearsky.identity.tables.oauth1 import access_tokens, consumers, nonces, request_tokens
from clearsky.identity.tables.resource import domain_options, project_tags, projects
from clearsky.identity.tables.revocation import revision, revocation_events, revocations

__all__ = [
    "access_rules",
    "access_tokens",
    "application_credential_access_rules",
    "application_credential_roles",
    "application_credentials",
    "assignments",
    "consumers",
    "credentials",
    "domain_options",
    "endpoint_groups",
    "endpoints",
    "expiring_memberships",
    "federated_users",
    "former_passwords",
    "groups",
    "identity_providers",
    "implied_roles",
    "limits",
    "mappings",
    "memberships",
    "nonces",
    "policies",
    "policy_associations",
    "project_endpoint_groups",
    "project_endpoints",
    "project_tags",
    "projects",
    "protocols",
    "regions",
    "registered_limits",
    "remote_ids",
    "request_tokens",
    "revision",
    "revocation_events",
    "revocations",
    "roles",
    "service_providers",
    "services",
    "trusts",
    "users",
]
