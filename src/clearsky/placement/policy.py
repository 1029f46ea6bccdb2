"""Placement's rules, under upstream's names: the operators' business, and each project's own usage."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, Rule

_ADMIN_OR_SERVICE = f"{ADMIN} or role:service"

RULES = (
    *(
        Rule(f"placement:{name}", _ADMIN_OR_SERVICE)
        for name in (
            "resource_providers:list",
            "resource_providers:create",
            "resource_providers:show",
            "resource_providers:delete",
            "resource_providers:inventories:list",
            "resource_providers:inventories:update",
            "resource_providers:traits:list",
            "resource_providers:traits:update",
            "resource_providers:usages",
            "resource_providers:allocations:list",
            "allocations:list",
            "allocations:update",
            "allocations:delete",
            "allocation_candidates:list",
        )
    ),
    Rule("placement:usages", f"{_ADMIN_OR_SERVICE} or (role:reader and project_id:%(project_id)s)"),
)
