"""Rules of OAuth 1.0: consumers, and the access tokens that users have authorized."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, Rule
from clearsky.identity.policy.expressions import READ_ALL

RULES = (
    Rule("identity:get_consumer", READ_ALL),
    Rule("identity:list_consumers", READ_ALL),
    *(Rule(f"identity:{verb}_consumer", ADMIN) for verb in ("create", "update", "delete")),
    *(
        Rule(f"identity:{name}", ADMIN)
        for name in (
            "authorize_request_token",
            "get_access_token",
            "list_access_tokens",
            "delete_access_token",
            "get_access_token_role",
            "list_access_token_roles",
        )
    ),
)
