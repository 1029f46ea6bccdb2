"""Settings of a domain's own: whole, by group, by option; what is not known, secret, or in effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

V3 = "/identity/v3"
CONFIG = {"identity": {"driver": "ldap"}, "ldap": {"url": "ldap://there", "user_tree_dn": "ou=Users"}}


@pytest.fixture
def path(cloud, make):
    """Return the path of the settings of a domain that has some."""
    path = f"{V3}/domains/{make.domain()['id']}/config"
    assert cloud.admin.get(path).status_code == 404
    answer = cloud.admin.put(path, json={"config": CONFIG})
    assert (answer.status_code, answer.json()) == (201, {"config": CONFIG})
    return path


def test_settings_are_shown_whole_by_group_and_by_option(cloud, path):
    assert cloud.admin.get(path).json() == {"config": CONFIG}
    assert cloud.admin.get(f"{path}/ldap").json() == {"config": {"ldap": CONFIG["ldap"]}}
    assert cloud.admin.get(f"{path}/ldap/url").json() == {"config": {"url": "ldap://there"}}
    assert cloud.admin.get(f"{path}/ldap/suffix").status_code == 404
    assert cloud.member.get(path).status_code == 403
    assert cloud.member.get(f"{path}/ldap").status_code == 403


def test_putting_again_replaces_all(cloud, path):
    answer = cloud.admin.put(path, json={"config": {"identity": {"list_limit": 5}}})
    assert (answer.status_code, answer.json()) == (200, {"config": {"identity": {"list_limit": 5}}})


def test_settings_are_changed_where_they_are(cloud, path):
    answer = cloud.admin.patch(path, json={"config": {"ldap": {"suffix": "s"}}})
    assert answer.json()["config"]["ldap"] == CONFIG["ldap"] | {"suffix": "s"}
    answer = cloud.admin.patch(f"{path}/identity", json={"config": {"identity": {"list_limit": 2}}})
    assert answer.json()["config"]["identity"] == {"driver": "ldap", "list_limit": 2}
    answer = cloud.admin.patch(f"{path}/ldap/url", json={"config": {"url": "other"}})
    assert answer.json()["config"]["ldap"]["url"] == "other"
    assert cloud.admin.patch(f"{path}/ldap/user", json={"config": {"user": "u"}}).status_code == 404
    assert cloud.admin.patch(f"{path}/ldap/url", json={"config": {"user": "u"}}).status_code == 403
    assert (
        cloud.admin.patch(f"{path}/ldap", json={"config": {"identity": {"driver": "x"}}}).status_code == 403
    )


def test_settings_are_taken_by_option_by_group_and_whole(cloud, path):
    assert cloud.admin.delete(f"{path}/ldap/url").status_code == 204
    assert cloud.admin.delete(f"{path}/ldap/url").status_code == 404
    assert cloud.admin.get(f"{path}/ldap").json() == {"config": {"ldap": {"user_tree_dn": "ou=Users"}}}
    assert cloud.admin.delete(f"{path}/ldap").status_code == 204
    assert cloud.admin.patch(f"{path}/ldap", json={"config": {"ldap": {"url": "x"}}}).status_code == 404
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.get(path).status_code == 404


@pytest.mark.parametrize(
    "config", [{"shoes": {"size": 1}}, {"ldap": {"size": 1}}, {"ldap": {}}, {"ldap": "x"}]
)
def test_what_is_not_known_is_refused_and_changes_nothing(cloud, path, config):
    for method in ("PUT", "PATCH"):
        assert cloud.admin.request(method, path, json={"config": config}).status_code == 403
    assert cloud.admin.get(path).json() == {"config": CONFIG}
    assert cloud.admin.get(f"{path}/shoes").status_code == 403


def test_a_password_is_taken_and_never_kept_or_shown(cloud, path):
    from clearsky.identity import tables as t

    body = {"config": {"ldap": {"url": "u", "password": "very-secret"}}}
    answer = cloud.admin.put(path, json=body)
    assert answer.json() == {"config": {"ldap": {"url": "u"}}}
    assert cloud.admin.get(f"{path}/ldap/password").status_code == 404
    with cloud.house.db.read() as c:
        assert "very-secret" not in str(c.execute(t.domain_options.select()).all())
    answer = cloud.admin.patch(f"{path}/ldap/password", json={"config": {"password": "other-secret"}})
    assert (answer.status_code, "secret" in answer.text) == (200, False)
    assert cloud.admin.delete(f"{path}/ldap/password").status_code == 204


def test_what_counts_otherwise_is_shown_by_group_and_option(cloud):
    whole = cloud.admin.get(f"{V3}/domains/config/default").json()["config"]
    assert whole["identity"] == {"driver": "sql", "list_limit": None}
    for group, options in whole.items():
        assert cloud.admin.get(f"{V3}/domains/config/{group}/default").json() == {"config": {group: options}}
        for option, value in options.items():
            shown = cloud.admin.get(f"{V3}/domains/config/{group}/{option}/default").json()
            assert shown == {"config": {option: value}}
    assert cloud.admin.get(f"{V3}/domains/config/shoes/default").status_code == 403
    assert cloud.member.get(f"{V3}/domains/config/default").status_code == 403


def test_the_list_limit_of_a_domain_is_kept_to(cloud, make):
    domain = make.domain()["id"]
    for _ in range(3):
        make.user(domain_id=domain)
        make.group(domain_id=domain)
    cloud.admin.put(f"{V3}/domains/{domain}/config", json={"config": {"identity": {"list_limit": 2}}})
    for plural in ("users", "groups"):
        found = cloud.admin.get(f"{V3}/{plural}?domain_id={domain}").json()
        assert (len(found[plural]), found["truncated"]) == (2, True)


def test_anybody_may_know_what_passwords_must_be(cloud, make):
    settings = replace(
        cloud.house.config.identity, password_regex=".{8,}", password_regex_description="8 characters"
    )
    cloud.house.config = replace(cloud.house.config, identity=settings)
    path = f"{V3}/domains/default/config/security_compliance"
    expected = {"password_regex": ".{8,}", "password_regex_description": "8 characters"}
    assert cloud.member.get(path).json() == {"config": {"security_compliance": expected}}
    assert cloud.member.get(f"{path}/password_regex").json() == {"config": {"password_regex": ".{8,}"}}
    assert cloud.member.get(f"{path}/lockout_attempts").status_code == 403
    other = f"{V3}/domains/{make.domain()['id']}/config/security_compliance"
    assert cloud.member.get(other).status_code == 403
    assert (
        cloud.admin.patch(path, json={"config": {"security_compliance": {"password_regex": "x"}}}).status_code
        == 403
    )


def test_settings_go_with_their_domain(cloud, path):
    domain = path.removesuffix("/config")
    cloud.admin.patch(domain, json={"domain": {"enabled": False}})
    assert cloud.admin.delete(domain).status_code == 204
    assert cloud.admin.get(path).status_code == 404
