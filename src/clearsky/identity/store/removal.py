"""Deleting what other rows hang on: each function takes everything of it away, in the caller's transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, or_, select, update

from clearsky.errors import Forbidden
from clearsky.identity import tables as t
from clearsky.identity.store import credential, delegation, federation, oauth1, resource
from clearsky.identity.store.assignment import involving
from clearsky.identity.store.kit import get, named


def project(c: Connection, id: str) -> None:
    """Remove a project; raises Forbidden where projects are below it."""
    if below := resource.children(c, [id]):
        names = ", ".join(row.name for row in below[:5])
        raise Forbidden(
            f"Cannot delete the project {id} since it is not a leaf in the hierarchy: delete {names} first."
        )
    _projects(c, id)


def domain(c: Connection, id: str) -> None:
    """Remove a domain with its users, groups, roles, projects and identity providers."""
    for provider in federation.providers_of(c, id):
        federation.remove_provider(c, provider)
    _users(c, select(t.users.c.id).where(t.users.c.domain_id == id))
    _groups(c, select(t.groups.c.id).where(t.groups.c.domain_id == id))
    _roles(c, select(t.roles.c.id).where(t.roles.c.domain_id == id))
    _projects(c, select(t.projects.c.id).where(t.projects.c.domain_id == id))
    c.execute(delete(t.assignments).where(involving([("domain", id)])))
    c.execute(delete(t.limits).where(t.limits.c.domain_id == id))
    c.execute(delete(t.domain_options).where(t.domain_options.c.domain_id == id))
    c.execute(delete(t.project_tags).where(t.project_tags.c.project_id == id))
    c.execute(delete(t.projects).where(t.projects.c.id == id))


def user(c: Connection, id: str) -> None:
    get(c, t.users, id, "user")
    _users(c, id)


def group(c: Connection, id: str) -> None:
    get(c, t.groups, id, "group")
    _groups(c, id)


def role(c: Connection, id: str) -> None:
    get(c, t.roles, id, "role")
    _roles(c, id)


def service(c: Connection, id: str) -> None:
    """Remove a service of the catalog with its endpoints and limits."""
    get(c, t.services, id, "service")
    registered = select(t.registered_limits.c.id).where(t.registered_limits.c.service_id == id)
    c.execute(delete(t.limits).where(t.limits.c.registered_limit_id.in_(registered)))
    c.execute(delete(t.registered_limits).where(t.registered_limits.c.service_id == id))
    endpoints(c, select(t.endpoints.c.id).where(t.endpoints.c.service_id == id))
    c.execute(delete(t.policy_associations).where(t.policy_associations.c.service_id == id))
    c.execute(delete(t.services).where(t.services.c.id == id))


def endpoints(c: Connection, ids: Any) -> None:
    """Remove endpoints from the catalog, and from projects and policies."""
    c.execute(delete(t.project_endpoints).where(named(t.project_endpoints.c.endpoint_id, ids)))
    c.execute(delete(t.policy_associations).where(named(t.policy_associations.c.endpoint_id, ids)))
    c.execute(delete(t.endpoints).where(named(t.endpoints.c.id, ids)))


def endpoint_group(c: Connection, id: str) -> None:
    get(c, t.endpoint_groups, id, "endpoint group")
    c.execute(delete(t.project_endpoint_groups).where(t.project_endpoint_groups.c.endpoint_group_id == id))
    c.execute(delete(t.endpoint_groups).where(t.endpoint_groups.c.id == id))


def policy(c: Connection, id: str) -> None:
    get(c, t.policies, id, "policy")
    c.execute(delete(t.policy_associations).where(t.policy_associations.c.policy_id == id))
    c.execute(delete(t.policies).where(t.policies.c.id == id))


def regions(c: Connection, ids: list[str]) -> None:
    """Remove regions with the limits and policies that are for them."""
    registered = select(t.registered_limits.c.id).where(t.registered_limits.c.region_id.in_(ids))
    c.execute(delete(t.limits).where(t.limits.c.registered_limit_id.in_(registered)))
    c.execute(delete(t.registered_limits).where(t.registered_limits.c.region_id.in_(ids)))
    c.execute(delete(t.policy_associations).where(t.policy_associations.c.region_id.in_(ids)))
    c.execute(delete(t.regions).where(t.regions.c.id.in_(ids)))


# -- what goes with each: `ids` is one id, or a query for several -----------------------------------------------


def _projects(c: Connection, ids: Any) -> None:
    c.execute(delete(t.assignments).where(involving([("project", ids)])))
    c.execute(update(t.users).where(named(t.users.c.default_project_id, ids)).values(default_project_id=None))
    c.execute(delete(t.limits).where(named(t.limits.c.project_id, ids)))
    for table in (t.project_tags, t.project_endpoints, t.project_endpoint_groups):
        c.execute(delete(table).where(named(table.c.project_id, ids)))
    delegation.forget_projects(c, ids)
    oauth1.forget_projects(c, ids)
    credential.forget(c, t.credentials.c.project_id, ids)
    c.execute(delete(t.projects).where(named(t.projects.c.id, ids)))


def _users(c: Connection, ids: Any) -> None:
    c.execute(delete(t.assignments).where(involving([("user", ids)])))
    c.execute(delete(t.memberships).where(named(t.memberships.c.user_id, ids)))
    c.execute(delete(t.former_passwords).where(named(t.former_passwords.c.user_id, ids)))
    delegation.forget_users(c, ids)
    oauth1.forget_users(c, ids)
    credential.forget(c, t.credentials.c.user_id, ids)
    federation.forget_users(c, ids)
    c.execute(delete(t.users).where(named(t.users.c.id, ids)))


def _groups(c: Connection, ids: Any) -> None:
    c.execute(delete(t.assignments).where(involving([("group", ids)])))
    c.execute(delete(t.memberships).where(named(t.memberships.c.group_id, ids)))
    c.execute(delete(t.expiring_memberships).where(named(t.expiring_memberships.c.group_id, ids)))
    c.execute(delete(t.groups).where(named(t.groups.c.id, ids)))


def _roles(c: Connection, ids: Any) -> None:
    c.execute(delete(t.assignments).where(named(t.assignments.c.role_id, ids)))
    rule = t.implied_roles.c
    c.execute(
        delete(t.implied_roles).where(or_(named(rule.prior_role_id, ids), named(rule.implied_role_id, ids)))
    )
    delegation.forget_roles(c, ids)
    c.execute(delete(t.roles).where(named(t.roles.c.id, ids)))
