"""The mapping language: what rules make of claims."""

from __future__ import annotations

import pytest

from clearsky.identity.federation.claims import attributes
from clearsky.identity.federation.mapping import NoRuleFits, apply

CLAIMS = {
    "name": ["ada"], "email": ["ada@example.org"], "groups": ["engineers", "poets", "old-guard"], "empty": [""],
    "kind": ["staff"],
}  # fmt: skip
NAMED = {"user": {"name": "{0}"}}


def _rule(local, *remote):
    return {"local": local if isinstance(local, list) else [local], "remote": list(remote)}


def test_a_claim_becomes_a_name():
    mapped = apply([_rule(NAMED, {"type": "name"})], CLAIMS)
    assert mapped.user == {"name": "ada", "type": "ephemeral"}


def test_places_count_only_what_catches():
    conditions = ({"type": "kind", "any_one_of": ["staff"]}, {"type": "email"}, {"type": "name"})
    mapped = apply([_rule({"user": {"name": "{1}", "email": "{0}"}}, *conditions)], CLAIMS)
    assert (mapped.user["name"], mapped.user["email"]) == ("ada", "ada@example.org")


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"type": "kind", "any_one_of": ["staff", "guest"]}, True),
        ({"type": "kind", "any_one_of": ["guest"]}, False),
        ({"type": "kind", "any_one_of": ["^st.*"]}, False),
        ({"type": "kind", "any_one_of": ["^st.*"], "regex": True}, True),
        ({"type": "kind", "not_any_of": ["guest"]}, True),
        ({"type": "kind", "not_any_of": ["staff"]}, False),
        ({"type": "kind", "not_any_of": ["af"], "regex": True}, False),
        ({"type": "groups", "any_one_of": ["poets"]}, True),
        ({"type": "groups", "not_any_of": ["poets"]}, False),
        ({"type": "missing"}, False),
        ({"type": "missing", "not_any_of": ["x"]}, False),
        ({"type": "empty"}, False),
    ],
)
def test_a_rule_fits_when_every_condition_is_met(condition, fits):
    rules = [_rule(NAMED, {"type": "name"}, condition)]
    if fits:
        assert apply(rules, CLAIMS).user["name"] == "ada"
    else:
        with pytest.raises(NoRuleFits):
            apply(rules, CLAIMS)


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({}, ["engineers", "poets", "old-guard"]),
        ({"whitelist": ["poets", "kings"]}, ["poets"]),
        ({"whitelist": []}, []),
        ({"whitelist": ["^p", "^e"], "regex": True}, ["engineers", "poets"]),
        ({"blacklist": ["poets"]}, ["engineers", "old-guard"]),
        ({"blacklist": ["^old-"], "regex": True}, ["engineers", "poets"]),
    ],
)
def test_groups_are_those_that_the_lists_leave(condition, kept):
    local = [NAMED, {"groups": "{1}", "domain": {"name": "Default"}}]
    mapped = apply([_rule(local, {"type": "name"}, {"type": "groups"} | condition)], CLAIMS)
    assert mapped.group_names == [(name, {"name": "Default"}) for name in kept]


def test_groups_are_named_by_id_too_one_or_several():
    local = [NAMED, {"group": {"id": "g1"}}, {"group": {"id": "g1"}}, {"group_ids": "{1}"}]
    mapped = apply([_rule(local, {"type": "name"}, {"type": "groups", "whitelist": ["poets"]})], CLAIMS)
    assert mapped.group_ids == ["g1", "poets"]


def test_a_group_and_projects_are_filled_in():
    project = {"name": "of-{0}", "roles": [{"name": "member"}]}
    local = [NAMED, {"group": {"name": "{0}-group", "domain": {"id": "d"}}}, {"projects": [project]}]
    mapped = apply([_rule(local, {"type": "name"})], CLAIMS)
    assert mapped.group_names == [("ada-group", {"id": "d"})]
    assert mapped.projects == [{"name": "of-ada", "roles": [{"name": "member"}]}]


def test_every_rule_that_fits_contributes():
    rules = [
        _rule(NAMED, {"type": "name"}),
        _rule({"group": {"id": "staff"}}, {"type": "kind", "any_one_of": ["staff"]}),
        _rule({"group": {"id": "guests"}}, {"type": "kind", "any_one_of": ["guest"]}),
    ]
    assert apply(rules, CLAIMS).group_ids == ["staff"]


def test_rules_without_a_user_lead_nowhere():
    with pytest.raises(NoRuleFits):
        apply([_rule({"group": {"id": "staff"}}, {"type": "name"})], CLAIMS)


def test_a_place_that_nothing_fills_is_an_error_and_not_left_open():
    with pytest.raises(NoRuleFits):
        apply([_rule({"user": {"name": "{3}"}}, {"type": "name"})], CLAIMS)


def test_a_local_user_is_said_to_be_one():
    local = {"user": {"name": "{0}", "type": "local", "domain": {"id": "default"}}}
    mapped = apply([_rule(local, {"type": "name"})], CLAIMS)
    assert mapped.user == {"name": "ada", "type": "local", "domain": {"id": "default"}}


def test_what_is_filled_in_is_not_filled_in_again():
    mapped = apply([_rule(NAMED, {"type": "name"}, {"type": "email"})], CLAIMS | {"name": ["{1}"]})
    assert mapped.user["name"] == "{1}"


def test_claims_have_the_names_that_mod_auth_openidc_gives_them():
    found = attributes(
        {"sub": "1", "email_verified": True, "groups": ["a", "b;c"], "address": {"x": 1}, "no": None}
    )
    assert found["HTTP_OIDC_SUB"] == found["OIDC-sub"] == found["OIDC_CLAIM_sub"] == ["1"]
    assert found["HTTP_OIDC_EMAIL_VERIFIED"] == ["1"]
    assert found["HTTP_OIDC_GROUPS"] == ["a", "b;c"]
    assert found["HTTP_OIDC_ADDRESS"] == ['{"x":1}']
    assert "HTTP_OIDC_NO" not in found


def test_a_text_with_a_separator_in_it_is_one_value():
    """Who may choose a display name must not choose groups by it."""
    claims = attributes({"name": "eve;engineers"})
    local = [NAMED, {"groups": "{0}", "domain": {"id": "d"}}]
    mapped = apply([_rule(local, {"type": "HTTP_OIDC_NAME"})], claims)
    assert mapped.group_names == [("eve;engineers", {"id": "d"})]
