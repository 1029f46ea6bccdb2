"""Roles, implied roles and assignments with the real client."""

from __future__ import annotations

import pytest


@pytest.fixture
def people(cloud):
    user = cloud.json("user", "create", "role-holder")
    group = cloud.json("group", "create", "role-holders")
    project = cloud.json("project", "create", "role-place")
    yield user["id"], group["id"], project["id"]
    cloud.run("user", "delete", user["id"])
    cloud.run("group", "delete", group["id"])
    cloud.run("project", "delete", project["id"])


def test_a_role_is_created_shown_changed_listed_and_deleted(cloud):
    made = cloud.json("role", "create", "--description", "d", "--immutable", "gardener")
    assert (made["name"], made["description"]) == ("gardener", "d")
    assert "immutable" in cloud.fails("role", "delete", "gardener")
    cloud.run("role", "set", "--no-immutable", "gardener")
    cloud.run("role", "set", "--name", "planter", "--description", "e", "gardener")
    assert cloud.json("role", "show", "planter")["description"] == "e"
    assert cloud.json("role", "create", "--or-show", "planter")["id"] == made["id"]
    names = {one["Name"] for one in cloud.json("role", "list")}
    assert {"admin", "manager", "member", "reader", "service", "planter"} <= names
    cloud.run("role", "delete", "planter")
    assert "planter" not in {one["Name"] for one in cloud.json("role", "list")}


def test_the_default_roles_cannot_be_changed_by_mistake(cloud):
    for name in ("admin", "manager", "member", "reader", "service"):
        assert "immutable" in cloud.fails("role", "delete", name)


def test_a_domains_own_roles_are_apart(cloud):
    cloud.json("domain", "create", "role-domain")
    own = cloud.json("role", "create", "--domain", "role-domain", "local")
    assert [one["ID"] for one in cloud.json("role", "list", "--domain", "role-domain")] == [own["id"]]
    assert own["id"] not in {one["ID"] for one in cloud.json("role", "list")}
    assert cloud.json("role", "show", "--domain", "role-domain", "local")["domain_id"] == own["domain_id"]
    cloud.run("role", "delete", "--domain", "role-domain", "local")
    cloud.run("domain", "set", "--disable", "role-domain")
    cloud.run("domain", "delete", "role-domain")


def test_roles_imply_others(cloud):
    cloud.json("role", "create", "boss")
    pairs = {
        (one["Prior Role Name"], one["Implied Role Name"]) for one in cloud.json("implied", "role", "list")
    }
    assert {("admin", "manager"), ("manager", "member"), ("member", "reader")} <= pairs
    made = cloud.json("implied", "role", "create", "boss", "--implied-role", "member")
    assert made["prior_role"] == cloud.json("role", "show", "boss")["id"]
    pairs = {
        (one["Prior Role Name"], one["Implied Role Name"]) for one in cloud.json("implied", "role", "list")
    }
    assert ("boss", "member") in pairs
    assert "403" in cloud.fails("implied", "role", "create", "boss", "--implied-role", "admin")
    cloud.run("implied", "role", "delete", "boss", "--implied-role", "member")
    cloud.run("role", "delete", "boss")


@pytest.mark.parametrize("inherited", [(), ("--inherited",)])
def test_roles_are_given_on_projects_and_domains_listed_and_taken(cloud, people, inherited):
    user, group, project = people
    for who, where in ((("--user", user), ("--project", project)), (("--group", group), ("--project", project)),
                       (("--user", user), ("--domain", "default")), (("--group", group), ("--domain", "default"))):  # fmt: skip
        cloud.run("role", "add", *who, *where, *inherited, "member")
        listed = cloud.json("role", "assignment", "list", *who, *where, *inherited, "--names")
        assert [(one["Role"], one["Inherited"]) for one in listed] == [("member", bool(inherited))], (
            who,
            where,
        )
        cloud.run("role", "remove", *who, *where, *inherited, "member")
        assert cloud.json("role", "assignment", "list", *who, *where, *inherited) == []


def test_roles_are_given_on_the_system(cloud, people):
    user, _, _ = people
    cloud.run("role", "add", "--user", user, "--system", "all", "reader")
    listed = cloud.json("role", "assignment", "list", "--user", user, "--system", "all", "--names")
    assert [(one["Role"], one["System"]) for one in listed] == [("reader", "all")]
    cloud.run("role", "remove", "--user", user, "--system", "all", "reader")
    assert cloud.json("role", "assignment", "list", "--user", user) == []


def test_what_is_in_effect_follows_groups_and_implied_roles(cloud, people):
    user, group, project = people
    cloud.run("group", "add", "user", group, user)
    cloud.run("role", "add", "--group", group, "--project", project, "manager")
    listed = cloud.json("role", "assignment", "list", "--user", user, "--effective", "--names")
    assert {one["Role"] for one in listed} == {"manager", "member", "reader"}
    assert {one["Project"] for one in listed} == {"role-place@Default"}
    listed = cloud.json("role", "assignment", "list", "--role", "reader", "--project", project, "--effective")
    assert [one["User"] for one in listed] == [user]
