"""Domains, projects, users and groups with the real client."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def domain(cloud):
    return cloud.json("domain", "create", "--description", "first", "accounts")


def test_a_domain_is_created_shown_changed_listed_and_deleted(cloud):
    made = cloud.json("domain", "create", "--immutable", "--disable", "short-lived")
    assert (made["name"], made["enabled"], made["options"]) == ("short-lived", False, {"immutable": True})
    assert "immutable" in cloud.fails("domain", "delete", "short-lived")
    cloud.run("domain", "set", "--no-immutable", "short-lived")
    cloud.run("domain", "set", "--name", "renamed", "--description", "d", "--enable", "short-lived")
    shown = cloud.json("domain", "show", "renamed")
    assert (shown["id"], shown["description"], shown["enabled"]) == (made["id"], "d", True)
    assert made["id"] in [one["ID"] for one in cloud.json("domain", "list")]
    assert [one["ID"] for one in cloud.json("domain", "list", "--name", "renamed")] == [made["id"]]
    assert "disable it first" in cloud.fails("domain", "delete", "renamed")
    cloud.run("domain", "set", "--disable", "renamed")
    assert made["id"] not in [one["ID"] for one in cloud.json("domain", "list", "--enabled")]
    cloud.run("domain", "delete", "renamed")
    assert "No Domain" in cloud.fails("domain", "show", "renamed")


def test_a_project_is_created_shown_changed_listed_and_deleted(cloud, domain):
    place = ("--domain", "accounts")
    top = cloud.json(
        "project", "create", *place, "--description", "d", "--tag", "red", "--property", "size=3", "top"
    )
    assert (top["domain_id"], top["tags"], top["size"]) == (domain["id"], ["red"], "3")
    low = cloud.json("project", "create", *place, "--parent", top["id"], "--disable", "--or-show", "low")
    assert cloud.json("project", "create", *place, "--or-show", "low")["id"] == low["id"]
    assert "Conflict" in cloud.fails("project", "create", *place, "low")
    assert low["parent_id"] == top["id"]
    cloud.run(
        "project",
        "set",
        *place,
        "--name",
        "lower",
        "--description",
        "e",
        "--tag",
        "blue",
        "--enable",
        low["id"],
    )
    shown = cloud.json("project", "show", low["id"], "--parents")
    assert (shown["name"], shown["description"], shown["tags"], shown["enabled"]) == (
        "lower",
        "e",
        ["blue"],
        True,
    )
    assert top["id"] in str(shown["parents"])
    assert low["id"] in str(cloud.json("project", "show", top["id"], "--children")["subtree"])
    for more, expected in (
        (("--tags", "red"), {"top"}), (("--tags-any", "red,blue"), {"top", "lower"}), (("--not-tags", "red"), {"lower"}),
        (("--not-tags-any", "red,blue"), set()), (("--parent", top["id"]), {"lower"}), (("--enabled",), {"top", "lower"}),
    ):  # fmt: skip
        assert {one["Name"] for one in cloud.json("project", "list", *place, *more)} == expected, more
    cloud.run("project", "set", "--clear-tags", "--property", "size=4", low["id"])
    shown = cloud.json("project", "show", low["id"])
    assert (shown["tags"], shown["size"]) == ([], "4")
    assert "not a leaf" in cloud.fails("project", "delete", top["id"])
    cloud.run("project", "delete", low["id"], top["id"])
    assert cloud.json("project", "list", *place) == []


def test_a_tenant_sees_the_own_projects_only(cloud):
    assert [one["Name"] for one in cloud.json("project", "list", "--my-projects", user="trial")] == ["demo"]
    ids = {name: cloud.json("project", "show", name)["id"] for name in ("demo", "admin")}
    assert cloud.json("project", "show", ids["demo"], user="trial")["name"] == "demo"
    assert "403" in cloud.fails("project", "show", ids["admin"], user="trial")
    assert "403" in cloud.fails("user", "list", user="trial")


def test_a_user_is_created_shown_changed_listed_and_deleted(cloud, domain):
    project = cloud.json("project", "create", "--domain", "accounts", "work")
    made = cloud.json(
        "user", "create", "--domain", "accounts", "--password", "first", "--email", "a@b.c", "--description", "d",
        "--project", "work", "--project-domain", "accounts", "--ignore-lockout-failure-attempts",
        "--multi-factor-auth-rule", "password,totp", "--disable", "ann",
    )  # fmt: skip
    assert (made["email"], made["description"], made["enabled"]) == ("a@b.c", "d", False)
    assert made["default_project_id"] == project["id"]
    assert made["options"]["ignore_lockout_failure_attempts"] is True
    assert made["options"]["multi_factor_auth_rules"] == [["password", "totp"]]
    cloud.run(
        "user",
        "set",
        "--name",
        "anne",
        "--email",
        "x@y.z",
        "--no-ignore-lockout-failure-attempts",
        "--enable",
        made["id"],
    )
    shown = cloud.json("user", "show", "--domain", "accounts", "anne")
    assert (shown["id"], shown["email"], shown["enabled"]) == (made["id"], "x@y.z", True)
    assert shown["options"]["ignore_lockout_failure_attempts"] is False
    listed = cloud.json("user", "list", "--domain", "accounts", "--long")
    assert [(one["Name"], one["Email"], one["Enabled"]) for one in listed] == [("anne", "x@y.z", True)]
    assert "Conflict" in cloud.fails("user", "create", "--domain", "accounts", "anne")
    assert cloud.json("user", "create", "--domain", "accounts", "--or-show", "anne")["id"] == made["id"]
    cloud.run("role", "add", "--user", made["id"], "--project", project["id"], "member")
    assert [one["ID"] for one in cloud.json("user", "list", "--project", project["id"])] == [made["id"]]
    cloud.run("user", "delete", made["id"])
    assert cloud.json("user", "list", "--domain", "accounts") == []
    cloud.run("project", "delete", project["id"])


def test_users_change_their_own_password_and_administrators_anybodys(cloud):
    made = cloud.json("user", "create", "--password", "first", "bob")
    cloud.run("role", "add", "--user", made["id"], "--project", "demo", "reader")
    cloud.entry("bob", username="bob", password="first", project_name="demo")
    cloud.run("user", "password", "set", "--original-password", "first", "--password", "second", user="bob")
    assert "401" in cloud.fails("token", "issue", user="bob")
    cloud.entry("bob-again", username="bob", password="second", project_name="demo")
    assert cloud.json("token", "issue", user="bob-again")["user_id"] == made["id"]
    cloud.run("user", "set", "--password", "third", "bob")
    assert "401" in cloud.fails("token", "issue", user="bob-again")
    cloud.run("user", "delete", "bob")


def test_a_group_is_created_filled_listed_emptied_and_deleted(cloud, domain):
    place = ("--domain", "accounts")
    group = cloud.json("group", "create", *place, "--description", "d", "crew")
    assert (group["domain_id"], group["description"]) == (domain["id"], "d")
    # The client looks the existing one up by the domain as it was given: only an id finds it.
    by_id = ("--domain", domain["id"])
    assert cloud.json("group", "create", *by_id, "--or-show", "crew")["id"] == group["id"]
    user = cloud.json("user", "create", *place, "carl")
    both = ("--group-domain", "accounts", "--user-domain", "accounts", "crew", "carl")
    assert "not in group" in cloud.openstack("group", "contains", "user", *both).stderr
    cloud.run("group", "add", "user", *both)
    assert "carl in group crew" in cloud.run("group", "contains", "user", *both)
    assert [one["ID"] for one in cloud.json("user", "list", "--group", group["id"])] == [user["id"]]
    listed = cloud.json("group", "list", "--user", user["id"])
    assert [one["Name"] for one in listed] == ["crew"]
    cloud.run("group", "remove", "user", *both)
    assert cloud.json("group", "list", "--user", user["id"]) == []
    cloud.run("group", "set", *place, "--name", "gang", "--description", "e", "crew")
    shown = cloud.json("group", "show", *place, "gang")
    assert (shown["id"], shown["description"]) == (group["id"], "e")
    assert [one["Description"] for one in cloud.json("group", "list", *place, "--long")] == ["e"]
    cloud.run("group", "delete", *place, "gang")
    assert cloud.json("group", "list", *place) == []
    cloud.run("user", "delete", user["id"])
