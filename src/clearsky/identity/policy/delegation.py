"""Rules of application credentials, access rules and trusts."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, Rule
from clearsky.identity.policy.expressions import READ_ALL, SELF

_OWNER = "user_id:%(user_id)s"
_ADMIN_OR_OWNER = f"{ADMIN} or {_OWNER}"
_TRUSTOR = "user_id:%(trustor_user_id)s"
_TRUSTEE = "user_id:%(trustee_user_id)s"
_EITHER = f"{READ_ALL} or {_TRUSTOR} or {_TRUSTEE}"

RULES = (
    Rule("identity:list_application_credentials", SELF),
    Rule("identity:get_application_credential", SELF),
    Rule("identity:create_application_credential", _OWNER, "Nobody hands on another's rights"),
    Rule("identity:delete_application_credential", _ADMIN_OR_OWNER),
    Rule("identity:list_access_rules", SELF),
    Rule("identity:get_access_rule", SELF),
    Rule("identity:delete_access_rule", _ADMIN_OR_OWNER),
    Rule("identity:list_trusts", READ_ALL),
    Rule("identity:list_trusts_for_trustor", f"{READ_ALL} or {_TRUSTOR}"),
    Rule("identity:list_trusts_for_trustee", f"{READ_ALL} or {_TRUSTEE}"),
    Rule("identity:create_trust", _TRUSTOR),
    Rule("identity:get_trust", _EITHER),
    Rule("identity:list_roles_for_trust", _EITHER),
    Rule("identity:get_role_for_trust", _EITHER),
    Rule("identity:delete_trust", f"{ADMIN} or {_TRUSTOR}"),
)
