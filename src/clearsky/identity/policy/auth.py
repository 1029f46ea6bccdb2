"""Rules of authentication and tokens."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, ANY_TOKEN, Rule
from clearsky.identity.policy.expressions import READ_ALL

RULES = (
    Rule("identity:any_token", ANY_TOKEN, "What every token may ask"),
    Rule("identity:validate_token", f"{READ_ALL} or role:service or user_id:%(user_id)s"),
    Rule("identity:check_token", f"{READ_ALL} or role:service or user_id:%(user_id)s"),
    Rule("identity:revoke_user_tokens", f"{ADMIN} or user_id:%(user_id)s"),
    Rule("identity:list_revoke_events", f"{READ_ALL} or role:service"),
    Rule("identity:get_auth_catalog", ANY_TOKEN),
    Rule("identity:get_auth_projects", ANY_TOKEN),
    Rule("identity:get_auth_domains", ANY_TOKEN),
    Rule("identity:get_auth_system", ANY_TOKEN),
    Rule("identity:revoke_token", f"{ADMIN} or user_id:%(user_id)s"),
)
