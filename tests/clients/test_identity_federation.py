"""Identity providers, mappings, protocols and service providers with the real client."""

from __future__ import annotations

import json

import pytest

RULES = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "HTTP_OIDC_SUB"}]}]


@pytest.fixture
def rules(cloud):
    path = cloud.folder / "rules.json"
    path.write_text(json.dumps(RULES))
    return str(path)


def test_a_mapping_is_created_changed_listed_shown_and_deleted(cloud, rules):
    made = cloud.json("mapping", "create", "--rules", rules, "names")
    assert made["id"] == "names"
    assert made["rules"] == RULES
    RULES[0]["local"][0]["user"]["email"] = "{0}"
    (cloud.folder / "rules.json").write_text(json.dumps(RULES))
    cloud.run("mapping", "set", "--rules", rules, "names")
    assert cloud.json("mapping", "show", "names")["rules"] == RULES
    assert [one["ID"] for one in cloud.json("mapping", "list")] == ["names"]
    cloud.run("mapping", "delete", "names")
    assert cloud.json("mapping", "list") == []


def test_an_identity_provider_and_its_protocol_live_their_lives(cloud, rules):
    cloud.run("mapping", "create", "--rules", rules, "for-provider")
    made = cloud.json(
        "identity", "provider", "create", "--remote-id", "https://idp.example.org", "--description", "d",
        "--domain", "default", "--authorization-ttl", "60", "home",
    )  # fmt: skip
    assert (made["id"], made["domain_id"], made["authorization_ttl"]) == ("home", "default", 60)
    cloud.run("identity", "provider", "set", "--disable", "--description", "e", "home")
    shown = cloud.json("identity", "provider", "show", "home")
    assert (shown["enabled"], shown["description"]) == (False, "e")
    assert [one["ID"] for one in cloud.json("identity", "provider", "list")] == ["home"]
    protocol = cloud.json(
        "federation",
        "protocol",
        "create",
        "--identity-provider",
        "home",
        "--mapping",
        "for-provider",
        "openid",
    )
    assert (protocol["id"], protocol["mapping"]) == ("openid", "for-provider")
    cloud.run("mapping", "create", "--rules", rules, "another")
    # The client ends with a status of its own for this command, whatever was done.
    cloud.openstack(
        "federation", "protocol", "set", "--identity-provider", "home", "--mapping", "another", "openid"
    )
    shown = cloud.json("federation", "protocol", "show", "--identity-provider", "home", "openid")
    assert shown["mapping"] == "another"
    listed = cloud.json("federation", "protocol", "list", "--identity-provider", "home")
    assert [one["id"] for one in listed] == ["openid"]
    cloud.run("federation", "protocol", "delete", "--identity-provider", "home", "openid")
    cloud.run("identity", "provider", "delete", "home")
    cloud.run("mapping", "delete", "for-provider", "another")
    assert cloud.json("identity", "provider", "list") == []


def test_a_service_provider_is_created_changed_listed_shown_and_deleted(cloud):
    made = cloud.json(
        "service", "provider", "create", "--auth-url", "https://there.example.org/auth", "--service-provider-url",
        "https://there.example.org/sp", "--description", "d", "there",
    )  # fmt: skip
    assert made["id"] == "there"
    cloud.run("service", "provider", "set", "--disable", "--description", "e", "there")
    shown = cloud.json("service", "provider", "show", "there")
    assert (shown["enabled"], shown["description"]) == (False, "e")
    assert [one["ID"] for one in cloud.json("service", "provider", "list")] == ["there"]
    cloud.run("service", "provider", "delete", "there")
    assert cloud.json("service", "provider", "list") == []


def test_what_one_may_scope_to_is_listed_at_its_older_place_too(cloud):
    own = cloud.json("federation", "project", "list", user="trial")
    assert {one["Name"] for one in own} == {"demo"}
    assert cloud.json("federation", "domain", "list", user="trial") == []
    assert "default" in {one["ID"] for one in cloud.json("federation", "domain", "list")}
