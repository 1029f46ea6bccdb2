"""Placement's rules, under upstream's names: the operators' business, and each project's own usage."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, Rule

_ADMIN_OR_SERVICE = f"{ADMIN} or role:service"
_NAMES = (
    *(f"resource_providers:{verb}" for verb in ("list", "create", "show", "update", "delete")),
    *(f"resource_providers:inventories:{verb}" for verb in ("list", "create", "show", "update", "delete")),
    *(f"resource_providers:traits:{verb}" for verb in ("list", "update", "delete")),
    "resource_providers:aggregates:list",
    "resource_providers:aggregates:update",
    "resource_providers:usages",
    "resource_providers:allocations:list",
    *(f"resource_classes:{verb}" for verb in ("list", "create", "show", "update", "delete")),
    *(f"traits:{verb}" for verb in ("list", "show", "update", "delete")),
    *(f"allocations:{verb}" for verb in ("list", "manage", "update", "delete")),
    "allocation_candidates:list",
    "reshaper:reshape",
)

RULES = (
    *(Rule(f"placement:{name}", _ADMIN_OR_SERVICE) for name in _NAMES),
    Rule("placement:usages", f"{_ADMIN_OR_SERVICE} or (role:reader and project_id:%(project_id)s)"),
)
