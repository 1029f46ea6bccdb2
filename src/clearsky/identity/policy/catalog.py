"""Rules of the catalog: regions, services, endpoints, who sees which, and policies for endpoints."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, ANY_TOKEN, Rule
from clearsky.identity.policy.expressions import READ_ALL

_READ = (
    "get_service", "list_services", "get_endpoint", "list_endpoints",
    "get_endpoint_group", "list_endpoint_groups", "list_projects_associated_with_endpoint_group",
    "list_endpoints_associated_with_endpoint_group", "get_endpoint_group_in_project",
    "list_endpoint_groups_for_project", "list_projects_for_endpoint", "check_endpoint_in_project",
    "list_endpoints_for_project",
    "get_policy", "list_policies", "list_endpoints_for_policy", "get_policy_for_endpoint",
    "check_policy_association_for_endpoint", "check_policy_association_for_service",
    "check_policy_association_for_region_and_service",
)  # fmt: skip
_WRITE = (
    *(f"{verb}_{name}" for name in ("region", "service", "endpoint", "endpoint_group", "policy")
      for verb in ("create", "update", "delete")),
    "add_endpoint_group_to_project", "remove_endpoint_group_from_project",
    "add_endpoint_to_project", "remove_endpoint_from_project",
    *(f"{verb}_policy_association_for_{name}" for name in ("endpoint", "service", "region_and_service")
      for verb in ("create", "delete")),
)  # fmt: skip

RULES = (
    Rule("identity:get_region", ANY_TOKEN),
    Rule("identity:list_regions", ANY_TOKEN),
    *(Rule(f"identity:{name}", READ_ALL) for name in _READ),
    *(Rule(f"identity:{name}", ADMIN) for name in _WRITE),
)
