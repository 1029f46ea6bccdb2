"""Who may do what: named rules in oslo.policy's language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg as oslo_config
from oslo_policy import policy as oslo_policy

from clearsky.caller import Caller
from clearsky.errors import Forbidden

ADMIN = "role:admin"
PROJECT_READER = "role:admin or (role:reader and project_id:%(project_id)s)"
PROJECT_MEMBER = "role:admin or (role:member and project_id:%(project_id)s)"
ANY_TOKEN = "@"


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` is the upstream service's name for it; `check` is in oslo.policy's language."""

    name: str
    check: str
    description: str = ""


class Policy:
    def __init__(self, rules: Iterable[Rule], overrides: dict[str, str] | None = None) -> None:
        conf = oslo_config.ConfigOpts()
        conf([], project="clearsky", default_config_files=[], default_config_dirs=[])
        self._enforcer = oslo_policy.Enforcer(conf, use_conf=False)
        checks = {
            rule.name: oslo_policy.RuleDefault(rule.name, (overrides or {}).get(rule.name, rule.check)).check
            for rule in rules
        }
        self._enforcer.set_rules(oslo_policy.Rules(checks), use_conf=False)
        self.names = frozenset(checks)

    def allows(self, rule: str, caller: Caller, target: dict[str, Any]) -> bool:
        """Say whether `caller` may do what `rule` names to `target` (its project_id, user_id, ...)."""
        if rule not in self.names:
            raise KeyError(f"there is no policy rule {rule!r}")
        return bool(self._enforcer.enforce(rule, target, caller.credentials()))

    def authorize(self, rule: str, caller: Caller, target: dict[str, Any]) -> None:
        """Raise Forbidden where `allows` says no."""
        if not self.allows(rule, caller, target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
