"""Regions, services, endpoints and their groups, policies, limits, the catalog and versions with the real client."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

FAMILIES = (
    "domain", "project", "user", "group", "role", "implied_role", "region", "service", "endpoint", "policy", "limit",
    "registered_limit", "catalog",
)  # fmt: skip
ELSEWHERE = ("service_provider",)


def test_a_region_is_created_shown_changed_listed_and_deleted(cloud):
    cloud.json("region", "create", "--description", "d", "north")
    made = cloud.json("region", "create", "--parent-region", "north", "town")
    assert (made["region"], made["parent_region"]) == ("town", "north")
    assert [one["Region"] for one in cloud.json("region", "list", "--parent-region", "north")] == ["town"]
    cloud.run("region", "set", "--description", "e", "town")
    assert cloud.json("region", "show", "town")["description"] == "e"
    assert "Conflict" in cloud.fails("region", "create", "north")
    cloud.run("region", "delete", "north")
    assert {"north", "town"}.isdisjoint(one["Region"] for one in cloud.json("region", "list"))


@pytest.fixture
def service(cloud):
    made = cloud.json("service", "create", "--name", "heap", "--description", "d", "stacking")
    yield made["id"]
    cloud.run("service", "delete", made["id"])


def test_a_service_is_created_shown_changed_and_listed(cloud, service):
    cloud.run("service", "set", "--name", "pile", "--description", "e", "--disable", service)
    shown = cloud.json("service", "show", "pile")
    assert (shown["type"], shown["description"], shown["enabled"]) == ("stacking", "e", False)
    listed = {one["ID"]: one for one in cloud.json("service", "list", "--long")}
    assert (listed[service]["Name"], listed[service]["Enabled"]) == ("pile", False)


def test_an_endpoint_is_created_shown_changed_listed_and_deleted(cloud, service):
    made = cloud.json("endpoint", "create", "--region", "RegionOne", "stacking", "public", "http://x/")
    assert (made["interface"], made["url"], made["region"]) == ("public", "http://x/", "RegionOne")
    cloud.run("endpoint", "set", "--url", "http://y/", "--interface", "internal", "--disable", made["id"])
    shown = cloud.json("endpoint", "show", made["id"])
    assert (shown["interface"], shown["url"], shown["enabled"]) == ("internal", "http://y/", False)
    listed = cloud.json(
        "endpoint", "list", "--service", "stacking", "--interface", "internal", "--region", "RegionOne"
    )
    assert [one["ID"] for one in listed] == [made["id"]]
    cloud.run("endpoint", "delete", made["id"])
    assert cloud.json("endpoint", "list", "--service", "stacking") == []


def test_a_project_sees_the_endpoints_that_were_added_to_it(cloud, service):
    project = cloud.json("project", "create", "filtered")
    made = cloud.json("endpoint", "create", "stacking", "public", "http://x/")
    cloud.run("endpoint", "add", "project", made["id"], "filtered")
    assert [one["ID"] for one in cloud.json("endpoint", "list", "--project", "filtered")] == [made["id"]]
    assert [one["ID"] for one in cloud.json("endpoint", "list", "--endpoint", made["id"])] == [project["id"]]
    cloud.run("role", "add", "--user", "admin", "--project", "filtered", "member")
    catalog = cloud.json("catalog", "list", OS_PROJECT_NAME="filtered")
    assert [one["Name"] for one in catalog if one["Endpoints"]] == ["heap"]
    cloud.run("endpoint", "remove", "project", made["id"], "filtered")
    assert cloud.json("endpoint", "list", "--project", "filtered") == []
    cloud.run("project", "delete", "filtered")


def test_an_endpoint_group_is_created_given_changed_taken_and_deleted(cloud, service, tmp_path):
    project = cloud.json("project", "create", "grouped")
    made = cloud.json("endpoint", "create", "stacking", "public", "http://x/")
    filters = tmp_path / "filters.json"
    filters.write_text(f'{{"service_id": "{service}"}}')
    group = cloud.json("endpoint", "group", "create", "--description", "d", "stacks", str(filters))
    assert group["filters"] == {"service_id": service}
    filters.write_text(f'{{"service_id": "{service}", "interface": "public"}}')
    cloud.run("endpoint", "group", "set", "--name", "piles", "--filters", str(filters), group["id"])
    assert cloud.json("endpoint", "group", "show", "piles")["filters"]["interface"] == "public"
    cloud.run("endpoint", "group", "add", "project", "piles", "grouped")
    assert [one["ID"] for one in cloud.json("endpoint", "group", "list", "--project", "grouped")] == [
        group["id"]
    ]
    listed = cloud.json("endpoint", "group", "list", "--endpointgroup", "piles")
    assert [one["ID"] for one in listed] == [project["id"]]
    assert [one["ID"] for one in cloud.json("endpoint", "list", "--project", "grouped")] == [made["id"]]
    cloud.run("endpoint", "group", "remove", "project", "piles", "grouped")
    cloud.run("endpoint", "group", "delete", "piles")
    assert group["id"] not in [one["ID"] for one in cloud.json("endpoint", "group", "list")]
    cloud.run("project", "delete", "grouped")


def test_a_policy_is_created_shown_changed_listed_and_deleted(cloud, tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text('{"x": "@"}')
    made = cloud.json("policy", "create", "--type", "application/json", str(rules))
    assert made["rules"] == '{"x": "@"}'
    rules.write_text('{"x": "!"}')
    cloud.run("policy", "set", "--type", "text/plain", "--rules", str(rules), made["id"])
    shown = cloud.json("policy", "show", made["id"])
    assert (shown["type"], shown["rules"]) == ("text/plain", '{"x": "!"}')
    listed = {one["ID"]: one["Rules"] for one in cloud.json("policy", "list", "--long")}
    assert listed[made["id"]] == '{"x": "!"}'
    cloud.run("policy", "delete", made["id"])
    assert made["id"] not in [one["ID"] for one in cloud.json("policy", "list")]


def test_limits_are_registered_set_shown_changed_listed_and_deleted(cloud, service):
    made = cloud.json(
        "registered",
        "limit",
        "create",
        "--service",
        "stacking",
        "--default-limit",
        "5",
        "--description",
        "d",
        "plates",
    )
    assert (made["default_limit"], made["resource_name"]) == (5, "plates")
    cloud.run("registered", "limit", "set", "--default-limit", "6", made["id"])
    assert cloud.json("registered", "limit", "show", made["id"])["default_limit"] == 6
    listed = cloud.json("registered", "limit", "list", "--service", "stacking", "--resource-name", "plates")
    assert [one["ID"] for one in listed] == [made["id"]]
    own = cloud.json(
        "limit", "create", "--project", "demo", "--service", "stacking", "--resource-limit", "7", "plates"
    )
    assert own["resource_limit"] == 7
    cloud.run("limit", "set", "--resource-limit", "8", own["id"])
    assert cloud.json("limit", "show", own["id"])["resource_limit"] == 8
    assert [one["ID"] for one in cloud.json("limit", "list", "--service", "stacking")] == [own["id"]]
    assert [one["ID"] for one in cloud.json("limit", "list", user="trial")] == [own["id"]]
    assert "403" in cloud.fails("registered", "limit", "delete", made["id"])
    cloud.run("limit", "delete", own["id"])
    cloud.run("registered", "limit", "delete", made["id"])
    assert cloud.json("registered", "limit", "list", "--service", "stacking") == []


def test_the_catalog_and_the_versions_are_shown(cloud):
    shown = cloud.json("catalog", "show", "identity", user="trial")
    assert {one["url"] for one in shown["endpoints"]} == {f"{cloud.root}/identity"}
    versions = cloud.json("versions", "show", "--service", "identity")
    assert [(one["Version"], one["Status"], one["Endpoint"]) for one in versions] == [
        ("3.14", "CURRENT", f"{cloud.root}/identity/v3/")
    ]


def test_every_command_of_these_families_was_run():
    sources = (path.read_text() for path in Path(__file__).parent.glob("test_identity_*.py"))
    tried = " ".join(" ".join(sources).split())
    missing = []
    for command in entry_points(group="openstack.identity.v3"):
        if command.name.startswith(tuple(f"{one}_" for one in FAMILIES)) and not command.name.startswith(
            ELSEWHERE
        ):
            words = ", ".join(f'"{word}"' for word in command.name.split("_"))
            if words not in tried:
                missing.append(command.name)
    assert not missing
