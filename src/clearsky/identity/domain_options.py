"""The settings that a domain may have of its own, with what counts where it has none.

There is one back end for users and groups, so `ldap` and `identity.driver` are kept for clients and change nothing;
`identity.list_limit` is the longest list of the domain's users or groups.
"""

from __future__ import annotations

from typing import Any

from clearsky.config import Config
from clearsky.errors import Forbidden

_LDAP: dict[str, Any] = {
    "url": "ldap://localhost", "user": None, "suffix": "cn=example,cn=com", "query_scope": "one", "page_size": 0,
    "alias_dereferencing": "default", "debug_level": None, "chase_referrals": None,
    "user_tree_dn": None, "user_filter": None, "user_objectclass": "inetOrgPerson", "user_id_attribute": "cn",
    "user_name_attribute": "sn", "user_mail_attribute": "mail", "user_description_attribute": "description",
    "user_pass_attribute": "userPassword", "user_enabled_attribute": "enabled", "user_enabled_invert": False,
    "user_enabled_mask": 0, "user_enabled_default": "True", "user_attribute_ignore": ["default_project_id"],
    "user_default_project_id_attribute": None, "user_enabled_emulation": False, "user_enabled_emulation_dn": None,
    "user_enabled_emulation_use_group_config": False, "user_additional_attribute_mapping": [],
    "group_tree_dn": None, "group_filter": None, "group_objectclass": "groupOfNames", "group_id_attribute": "cn",
    "group_name_attribute": "ou", "group_members_are_ids": False, "group_member_attribute": "member",
    "group_desc_attribute": "description", "group_attribute_ignore": [], "group_additional_attribute_mapping": [],
    "group_ad_nesting": False,
    "tls_cacertfile": None, "tls_cacertdir": None, "use_tls": False, "tls_req_cert": "demand",
    "use_pool": True, "pool_size": 10, "pool_retry_max": 3, "pool_retry_delay": 0.1, "pool_connection_timeout": -1,
    "pool_connection_lifetime": 600, "use_auth_pool": True, "auth_pool_size": 100,
    "auth_pool_connection_lifetime": 60, "connection_timeout": -1, "randomize_urls": False,
}  # fmt: skip
SENSITIVE = {"ldap": ("password",)}
"""Taken, and never shown."""
COMPLIANCE = "security_compliance"
Options = dict[str, dict[str, Any]]


def defaults(config: Config) -> Options:
    """Return group -> option -> what counts where a domain has no value of its own."""
    return {
        "identity": {"driver": "sql", "list_limit": config.identity.list_limit or None},
        "ldap": dict(_LDAP),
    }


def compliance(config: Config) -> dict[str, Any]:
    """Return what users may know of what passwords must be."""
    return {
        "password_regex": config.identity.password_regex or None,
        "password_regex_description": config.identity.password_regex_description or None,
    }


def refuse_unknown(config: Config, group: str, option: str = "") -> None:
    """Raise Forbidden for a group or option that no domain has of its own."""
    known = defaults(config)
    if group not in known:
        raise Forbidden(
            f"Invalid domain specific configuration: Group {group} is not supported for domain specific "
            f"configurations; there are {', '.join(known)}."
        )
    if option and option not in known[group] and option not in SENSITIVE.get(group, ()):
        raise Forbidden(
            f"Invalid domain specific configuration: Option {option} in group {group} is not supported for domain "
            "specific configurations."
        )


def is_sensitive(group: str, option: str) -> bool:
    return option in SENSITIVE.get(group, ())
