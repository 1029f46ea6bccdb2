"""Rules of roles, implied roles, grants and assignments."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, Rule
from clearsky.identity.policy.expressions import READ_ALL, domain_manager, domain_reader

_IN_DOMAIN = [
    (f"target.{actor}.domain_id", f"target.{target}")
    for actor in ("user", "group")
    for target in ("project.domain_id", "domain.id")
]
_READ_GRANTS = " or ".join((READ_ALL, *(domain_reader(*both) for both in _IN_DOMAIN)))
_OWN_ROLE = "(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"
_MANAGED = " or ".join(f"{name!r}:%(target.role.name)s" for name in ("manager", "member", "reader"))
_WRITE_GRANTS = (
    f"{ADMIN} or ((" + " or ".join(domain_manager(*both) for both in _IN_DOMAIN) + f") and {_OWN_ROLE}"
    " and rule:domain_managed_target_role)"
)
_OF_DOMAIN = "(role:manager and not domain_id:None)"

RULES = (
    Rule("domain_managed_target_role", _MANAGED, "What a domain's manager may hand out"),
    *(Rule(f"identity:{verb}", f"{READ_ALL} or {_OF_DOMAIN}") for verb in ("get_role", "list_roles")),
    *(Rule(f"identity:{verb}_role", ADMIN) for verb in ("create", "update", "delete")),
    Rule("identity:get_domain_role", f"{READ_ALL} or {domain_reader('target.role.domain_id')}"),
    Rule("identity:list_domain_roles", f"{READ_ALL} or {domain_reader('target.domain_id')}"),
    *(Rule(f"identity:{verb}_domain_role", ADMIN) for verb in ("create", "update", "delete")),
    *(
        Rule(f"identity:{verb}", READ_ALL)
        for verb in (
            "get_implied_role",
            "list_implied_roles",
            "list_role_inference_rules",
            "check_implied_role",
        )
    ),
    *(Rule(f"identity:{verb}_implied_role", ADMIN) for verb in ("create", "delete")),
    *(Rule(f"identity:{verb}", _READ_GRANTS) for verb in ("check_grant", "list_grants")),
    *(Rule(f"identity:{verb}_grant", _WRITE_GRANTS) for verb in ("create", "revoke")),
    *(
        Rule(f"identity:{verb}_for_{actor}", READ_ALL)
        for actor in ("user", "group")
        for verb in ("check_system_grant", "list_system_grants")
    ),
    *(
        Rule(f"identity:{verb}_system_grant_for_{actor}", ADMIN)
        for actor in ("user", "group")
        for verb in ("create", "revoke")
    ),
    Rule("identity:list_role_assignments", f"{READ_ALL} or {domain_reader('target.domain_id')}"),
    Rule(
        "identity:list_role_assignments_for_tree",
        f"{READ_ALL} or {domain_reader('target.project.domain_id')}"
        " or (role:admin and project_id:%(target.project.id)s)",
    ),
)
