"""Identity's rules, under upstream's names."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, ANY_TOKEN, Rule

_READ_ALL = "role:admin or (role:reader and system_scope:all)"
_SELF = f"{_READ_ALL} or user_id:%(user_id)s"
_OWN_PROJECT = f"{_READ_ALL} or project_id:%(project_id)s"
_RESOURCES = ("domain", "project", "user", "group", "role", "region", "service", "endpoint")
_PUBLIC_READ = {"region"}

RULES = (
    Rule("identity:any_token", ANY_TOKEN, "What every token may ask"),
    *(
        Rule(f"identity:{verb}_{name}", ADMIN)
        for name in _RESOURCES
        for verb in ("create", "update", "delete")
    ),
    *(
        Rule(f"identity:{verb}", ANY_TOKEN if name in _PUBLIC_READ else _READ_ALL)
        for name in _RESOURCES
        for verb in (f"get_{name}", f"list_{name}s")
        if (name, verb) not in {("user", "get_user"), ("project", "get_project")}
    ),
    Rule("identity:get_user", _SELF),
    Rule("identity:get_project", _OWN_PROJECT),
    Rule("identity:list_user_projects", _SELF),
    Rule("identity:list_groups_for_user", _SELF),
    Rule("identity:change_password", _SELF, "Users change their own password"),
    Rule("identity:manage_grants", ADMIN, "Give and take roles"),
    Rule("identity:list_role_assignments", _READ_ALL),
    Rule("identity:list_users_in_group", _READ_ALL),
    Rule("identity:manage_group_members", ADMIN),
    Rule("identity:validate_token", f"{_READ_ALL} or role:service or user_id:%(user_id)s"),
    Rule("identity:revoke_token", f"{ADMIN} or user_id:%(user_id)s"),
)
