"""Rules and an operator's own in place of them."""

from __future__ import annotations

import pytest

from clearsky.api.policy import Policy, Rule, read_overrides
from clearsky.caller import Caller
from clearsky.config import ConfigError

RULES = (Rule("zoo:feed", "role:admin"), Rule("zoo:look", "@"), Rule("keeper", "role:keeper"))
KEEPER = Caller("somebody", roles=("keeper",))


def test_without_a_file_the_defaults_hold():
    policy = Policy(RULES)
    assert not policy.allows("zoo:feed", KEEPER, {})
    assert policy.allows("zoo:look", KEEPER, {})


def test_a_file_gives_and_takes(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text(
        '# mine\n"zoo:feed": "rule:trusted or role:admin"\n"zoo:look": "!"\n"trusted": "rule:keeper"\n'
    )
    policy = Policy(RULES, read_overrides(file))
    assert policy.allows("zoo:feed", KEEPER, {})
    assert not policy.allows("zoo:look", KEEPER, {})
    assert not policy.allows("zoo:feed", Caller("nobody"), {})


def test_an_empty_file_changes_nothing(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("# nothing\n")
    assert read_overrides(file) == {}


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"zoo:fed": "@"}, "no such rule"),
        ({"zoo:feed": "rule:nobody"}, "'nobody'"),
        ({"zoo:feed": "role:admin or or"}, "no check"),
    ],
)
def test_what_cannot_be_meant_is_refused(overrides, told):
    with pytest.raises(ConfigError, match=told):
        Policy(RULES, overrides)


@pytest.mark.parametrize("text", ["- a list", '"zoo:feed": 1', "{", "\x80"])
def test_a_file_of_another_kind_is_refused(tmp_path, text):
    file = tmp_path / "policy.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="policy_file"):
        read_overrides(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_overrides(tmp_path / "nothing.yaml")


def test_a_rule_may_be_for_tokens_of_a_project_only():
    policy = Policy([Rule("see", "@", scopes=("project",)), Rule("rule", "@")])
    for caller, allowed in (
        (Caller("u", project_id="p"), True),
        (Caller("u"), True),
        (Caller("u", domain_id="d"), False),
        (Caller("u", system=True), False),
    ):
        assert policy.allows("see", caller, {}) is allowed
        assert policy.allows("rule", caller, {})
