"""Rules of unified limits."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, ANY_TOKEN, Rule
from clearsky.identity.policy.expressions import READ_ALL

RULES = (
    Rule("identity:get_limit_model", ANY_TOKEN),
    *(Rule(f"identity:{verb}", ANY_TOKEN) for verb in ("get_registered_limit", "list_registered_limits")),
    *(Rule(f"identity:{verb}_registered_limit{s}", ADMIN)
      for verb, s in (("create", "s"), ("update", ""), ("delete", ""))),
    Rule(
        "identity:get_limit",
        f"{READ_ALL} or domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s"
        " or project_id:%(target.limit.project_id)s",
    ),
    Rule("identity:list_limits", ANY_TOKEN, "Those of the token's own project or domain; operators: all"),
    *(Rule(f"identity:{verb}_limit{s}", ADMIN) for verb, s in (("create", "s"), ("update", ""), ("delete", ""))),
)  # fmt: skip
