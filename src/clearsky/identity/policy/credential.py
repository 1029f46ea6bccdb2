"""Rules of stored credentials, EC2's included."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, Rule
from clearsky.identity.policy.expressions import SELF

_ADMIN_OR_OWNER = f"{ADMIN} or user_id:%(user_id)s"

RULES = (
    Rule("identity:get_credential", SELF),
    Rule("identity:list_credentials", SELF, "Lists hold only what `get_credential` allows"),
    Rule("identity:create_credential", _ADMIN_OR_OWNER),
    Rule("identity:update_credential", _ADMIN_OR_OWNER),
    Rule("identity:delete_credential", _ADMIN_OR_OWNER),
    Rule("identity:ec2_get_credential", SELF),
    Rule("identity:ec2_list_credentials", SELF),
    Rule("identity:ec2_create_credential", _ADMIN_OR_OWNER),
    Rule("identity:ec2_delete_credential", _ADMIN_OR_OWNER),
    Rule(
        "identity:ec2tokens_validate", f"{ADMIN} or role:service", "A signature seen on the way is no log-in"
    ),
    Rule("identity:s3tokens_validate", f"{ADMIN} or role:service"),
)
