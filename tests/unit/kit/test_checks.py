"""Compiled checks decide as oslo.policy itself does."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from clearsky import app
from clearsky.api.checks import compile_all

RULES = {rule.name: rule.check for service in app.services() for rule in service.rules}
ODD = {
    "odd:literal": "'member':%(target.role.name)s or True:%(enabled)s or 7:%(count)s or None:%(none)s",
    "odd:not": "not role:admin and not (project_id:%(project_id)s or @)",
    "odd:deep": "groups.id:%(group_id)s or token.user.id:%(user_id)s or token.missing.id:%(user_id)s",
    "odd:role": "role:%(wanted)s or role:MEMBER",
    "odd:rule": "rule:odd:not or rule:nowhere",
    "odd:nothing": "",
    "odd:never": "!",
    "odd:words": "a text that is no check",
}
VALUES = ("a", "b", "", None, True, 7, "member", "admin", "all", "default", ["a"], {"id": "a"})
ROLES = ("admin", "manager", "member", "reader", "service", "keeper")


def _enforcer(rules):
    conf = cfg.ConfigOpts()
    conf([], project="clearsky", default_config_files=[], default_config_dirs=[])
    enforcer = oslo_policy.Enforcer(conf, use_conf=False)
    enforcer.set_rules(oslo_policy.Rules(rules), use_conf=False)
    return enforcer


def _callers(rng, words):
    """Yield targets and credentials near the rules: names that they mention, values that fit each other at times."""
    for _ in range(60):
        target = {name: rng.choice(VALUES) for name in rng.sample(words, rng.randint(0, len(words)))}
        who = {name: rng.choice(VALUES) for name in ("user_id", "project_id", "domain_id", "user_domain_id")}
        who |= {"roles": rng.sample(ROLES, rng.randint(0, 3)), "system_scope": rng.choice(("all", None))}
        if rng.random() < 0.5:
            who |= {"groups": [{"id": "a"}, {"id": "b"}], "token": {"user": {"id": "a"}}}
        yield target, who


@pytest.mark.parametrize("rules", [RULES, ODD], ids=["ours", "odd"])
def test_each_rule_decides_as_oslo_policy_does(rules):
    checks = {name: oslo_policy.RuleDefault(name, text).check for name, text in rules.items()}
    enforcer = _enforcer(checks)
    compiled = compile_all(checks, enforcer)
    words = sorted(set(itertools.chain(*(re.findall(r"%\(([^)]+)\)s", text) for text in rules.values()))))
    rng = random.Random(20261125)
    seen = set()
    for target, who in _callers(rng, words):
        for name in rules:
            wanted = bool(enforcer.enforce(name, dict(target), dict(who)))
            assert compiled[name](target, who) == wanted, (name, rules[name], target, who)
            seen.add(wanted)
    assert seen == {True, False}


def test_a_kind_of_check_that_is_not_known_is_asked_as_it_is():
    class Weather(oslo_policy._checks.Check):
        def __call__(self, target, creds, enforcer, current_rule=None):
            return target["sky"] == self.match and creds["user_id"] == "a"

    compiled = compile_all({"zoo:open": Weather("weather", "clear")}, None)
    assert compiled["zoo:open"]({"sky": "clear"}, {"user_id": "a"})
    assert not compiled["zoo:open"]({"sky": "cloudy"}, {"user_id": "a"})
