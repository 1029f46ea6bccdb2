"""What a new user types first."""

from __future__ import annotations


def test_a_token_is_issued_for_the_project_of_the_entry(cloud):
    token = cloud.json("token", "issue", user="trial")
    assert token["project_id"] == cloud.json("project", "show", "demo")["id"]


def test_the_catalog_holds_every_service_at_this_address(cloud):
    found = cloud.json("catalog", "list", user="trial")
    assert {"identity", "image", "network", "compute", "placement"} <= {one["Type"] for one in found}
    for service in found:
        assert {one["interface"] for one in service["Endpoints"]} == {"public", "internal", "admin"}
        assert all(one["url"].startswith(cloud.root) for one in service["Endpoints"])


def test_a_wrong_password_is_refused_in_words(cloud):
    cloud.entry("wrong", username="demo", password="not-this-one", project_name="demo")
    assert "401" in cloud.fails("token", "issue", user="wrong")


def test_what_only_operators_may_do_is_refused_to_others(cloud):
    assert "403" in cloud.fails("project", "create", "mine", user="trial")
