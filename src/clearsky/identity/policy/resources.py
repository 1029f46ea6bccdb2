"""Rules of domains, projects, users, groups, roles and the catalog."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, ANY_TOKEN, Rule
from clearsky.identity.policy.expressions import OWN_PROJECT, READ_ALL, SELF

_RESOURCES = ("domain", "project", "user", "group", "role", "region", "service", "endpoint")
_PUBLIC_READ = {"region"}

RULES = (
    *(
        Rule(f"identity:{verb}_{name}", ADMIN)
        for name in _RESOURCES
        for verb in ("create", "update", "delete")
    ),
    *(
        Rule(f"identity:{verb}", ANY_TOKEN if name in _PUBLIC_READ else READ_ALL)
        for name in _RESOURCES
        for verb in (f"get_{name}", f"list_{name}s")
        if (name, verb) not in {("user", "get_user"), ("project", "get_project")}
    ),
    Rule("identity:get_user", SELF),
    Rule("identity:get_project", OWN_PROJECT),
    Rule("identity:list_user_projects", SELF),
    Rule("identity:list_groups_for_user", SELF),
    Rule("identity:change_password", SELF, "Users change their own password"),
    Rule("identity:manage_grants", ADMIN, "Give and take roles"),
    Rule("identity:list_role_assignments", READ_ALL),
    Rule("identity:list_users_in_group", READ_ALL),
    Rule("identity:manage_group_members", ADMIN),
)
