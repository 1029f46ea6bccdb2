"""The versions of the Compute API, and what the older root answers."""

from __future__ import annotations


def test_both_versions_are_listed_and_served(cloud, boot):
    versions = cloud.anonymous.get("/compute").json()["versions"]
    assert [(one["id"], one["status"]) for one in versions] == [("v2.0", "SUPPORTED"), ("v2.1", "CURRENT")]
    assert (versions[0]["version"], versions[1]["version"]) == ("", "2.104")
    for path in ("/compute/v2", "/compute/v2/", "/compute/v2.1/"):
        assert cloud.anonymous.get(path).status_code == 200
    id = boot()
    newest = {"OpenStack-API-Version": "compute 2.104"}
    answer = cloud.member.get(f"/compute/v2/servers/{id}", headers=newest)
    assert answer.status_code == 200
    assert "locked" not in answer.json()["server"], "the older root knows no microversions"
    assert "OpenStack-API-Version" not in answer.headers
    assert "locked" in cloud.member.get(f"/compute/v2.1/servers/{id}", headers=newest).json()["server"]


def test_a_path_that_ends_where_an_id_should_be_is_not_the_list(cloud):
    assert cloud.member.get("/compute/v2.1/servers/").status_code == 404
    assert cloud.member.delete("/compute/v2.1/os-security-groups/").status_code == 404
