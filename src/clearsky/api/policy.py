"""Who may do what: named rules in oslo.policy's language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from oslo_config import cfg as oslo_config
from oslo_policy import _checks as oslo_checks
from oslo_policy import policy as oslo_policy

from clearsky.api.checks import compile_all
from clearsky.caller import Caller
from clearsky.config import ConfigError
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
    scopes: tuple[str, ...] = ()
    """What a token must be for: project, domain or system; empty: any of them."""


class Policy:
    """The rules with their defaults, and an operator's `overrides` (name -> check) in place of them.

    Raises ConfigError for an override that names no rule, or that cannot be understood.
    """

    def __init__(self, rules: Iterable[Rule], overrides: Mapping[str, str] | None = None) -> None:
        rules = tuple(rules)
        conf = oslo_config.ConfigOpts()
        conf([], project="clearsky", default_config_files=[], default_config_dirs=[])
        checks = {rule.name: oslo_policy.RuleDefault(rule.name, rule.check).check for rule in rules}
        self.names = frozenset(checks)
        self._scopes = {rule.name: rule.scopes for rule in rules if rule.scopes}
        for name, text in (overrides or {}).items():
            checks[name] = self._override(name, text, {*checks, *(overrides or {})})
        self.names = frozenset(checks)
        enforcer = oslo_policy.Enforcer(conf, use_conf=False)
        enforcer.set_rules(oslo_policy.Rules(checks), use_conf=False)
        self._checks = compile_all(checks, enforcer)

    def _override(self, name: str, text: str, known: set[str]) -> Any:
        # A name without a colon is an operator's own, for other rules to refer to.
        if name not in self.names and ":" in name:
            raise ConfigError(f"policy {name!r}: there is no such rule")
        for other in re.findall(r"rule:([\w:.-]+)", text):
            if other not in known:
                raise ConfigError(f"policy {name!r} = {text!r}: there is no rule {other!r} to refer to")
        check = oslo_policy.RuleDefault(name, text).check
        if isinstance(check, oslo_checks.FalseCheck) and text.strip() != "!":
            raise ConfigError(f"policy {name!r} = {text!r}: this is no check in oslo.policy's language")
        return check

    def allows(self, rule: str, caller: Caller, target: dict[str, Any]) -> bool:
        """Say whether `caller` may do what `rule` names to `target` (its project_id, user_id, ...)."""
        check = self._checks.get(rule)
        if check is None:
            raise KeyError(f"there is no policy rule {rule!r}")
        scopes = self._scopes.get(rule)
        if scopes and caller.scope_kind not in scopes:
            return False
        return check(target, caller.credentials())

    def authorize(self, rule: str, caller: Caller, target: dict[str, Any]) -> None:
        """Raise Forbidden where `allows` says no."""
        if not self.allows(rule, caller, target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.")


def read_overrides(file: Path) -> dict[str, str]:
    """Read a file in oslo.policy's format: YAML, rule name -> check. Raises ConfigError where it is not that."""
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"[api] policy_file = {file} cannot be read: {error}") from error
    if not isinstance(data, dict | None) or not all(
        isinstance(part, str) for pair in (data or {}).items() for part in pair
    ):
        raise ConfigError(f"[api] policy_file = {file} must hold lines of a rule's name and its check")
    return dict(data or {})
