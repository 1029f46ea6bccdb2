"""Rules of domains, projects, users, groups and their tags and members.

Operators (admin, and readers of the system) look everywhere; managers and readers of a domain inside it; everybody
at oneself and one's own project.
"""

from __future__ import annotations

from clearsky.api.policy import ADMIN, ANY_TOKEN, Rule
from clearsky.identity.policy.expressions import READ_ALL, domain_manager, domain_reader

_LISTED = f"{READ_ALL} or {domain_reader('target.domain_id')}"
_USER = "target.user.domain_id"
_GROUP = "target.group.domain_id"
_PROJECT = "target.project.domain_id"
_READ_USER = f"{READ_ALL} or {domain_reader(_USER)} or user_id:%(target.user.id)s"
_READ_PROJECT = f"{READ_ALL} or {domain_reader(_PROJECT)} or project_id:%(target.project.id)s"
_WRITE_PROJECT = f"{ADMIN} or {domain_manager(_PROJECT)}"
_MEMBERS = f"{ADMIN} or {domain_manager(_GROUP, _USER)}"

RULES = (
    Rule(
        "identity:get_domain",
        f"{READ_ALL} or domain_id:%(target.domain.id)s or project_domain_id:%(target.domain.id)s"
        " or user_domain_id:%(target.domain.id)s",
    ),
    Rule(
        "identity:list_domains",
        f"{READ_ALL} or {domain_reader('target.domain_id')}",
        "A domain's own: itself",
    ),
    *(Rule(f"identity:{verb}_domain", ADMIN) for verb in ("create", "update", "delete")),
    *(Rule(f"identity:{verb}_domain_config", ADMIN) for verb in ("create", "update", "delete")),
    Rule("identity:get_domain_config", READ_ALL),
    Rule("identity:get_domain_config_default", READ_ALL),
    Rule("identity:get_security_compliance_domain_config", ANY_TOKEN),
    Rule("identity:get_project", _READ_PROJECT),
    Rule("identity:list_projects", _LISTED),
    Rule("identity:list_user_projects", _READ_USER),
    *(Rule(f"identity:{verb}_project", _WRITE_PROJECT) for verb in ("create", "update", "delete")),
    Rule("identity:list_project_tags", _READ_PROJECT),
    Rule("identity:get_project_tag", _READ_PROJECT),
    *(
        Rule(f"identity:{name}", f"{_WRITE_PROJECT} or (role:admin and project_id:%(target.project.id)s)")
        for name in ("create_project_tag", "update_project_tags", "delete_project_tag", "delete_project_tags")
    ),
    Rule("identity:get_user", _READ_USER),
    Rule("identity:list_users", _LISTED),
    *(
        Rule(f"identity:{verb}_user", f"{ADMIN} or {domain_manager(_USER)}")
        for verb in ("create", "update", "delete")
    ),
    Rule("identity:get_group", f"{READ_ALL} or {domain_reader(_GROUP)}"),
    Rule("identity:list_groups", _LISTED),
    Rule("identity:list_groups_for_user", _READ_USER),
    *(
        Rule(f"identity:{verb}_group", f"{ADMIN} or {domain_manager(_GROUP)}")
        for verb in ("create", "update", "delete")
    ),
    Rule("identity:list_users_in_group", f"{READ_ALL} or {domain_reader(_GROUP)}"),
    Rule("identity:check_user_in_group", f"{READ_ALL} or {domain_reader(_GROUP, _USER)}"),
    Rule("identity:add_user_to_group", _MEMBERS),
    Rule("identity:remove_user_from_group", _MEMBERS),
)
