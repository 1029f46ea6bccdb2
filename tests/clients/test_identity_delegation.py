"""Rights that are handed on, and stored secrets, with the real client."""

from __future__ import annotations

import json
import time

import pytest


@pytest.fixture(scope="module")
def demo(cloud):
    """Return the user id and project id of `trial`."""
    token = cloud.json("token", "issue", user="trial")
    return token["user_id"], token["project_id"]


def test_a_token_is_issued_and_revoked(cloud):
    token = cloud.json("token", "issue", user="trial")
    assert {"id", "user_id", "project_id", "expires"} <= set(token)
    with_it = {"OS_AUTH_TYPE": "token", "OS_AUTH_URL": f"{cloud.root}/identity/v3", "OS_TOKEN": token["id"],
               "OS_PROJECT_ID": token["project_id"], "OS_CLOUD": ""}  # fmt: skip
    assert cloud.run("network", "list", user="", **with_it) is not None
    cloud.run("token", "revoke", token["id"], user="trial")
    assert "HTTP 404" in cloud.fails("network", "list", user="", **with_it)


def test_an_application_credential_is_created_used_listed_shown_and_deleted(cloud):
    made = cloud.json(
        "application", "credential", "create", "--description", "d", "--role", "reader", "robot", user="trial"
    )
    assert made["Secret"] if "Secret" in made else made["secret"]
    shown = cloud.json("application", "credential", "show", "robot", user="trial")
    assert "reader" in str(shown)
    assert [one["Name"] for one in cloud.json("application", "credential", "list", user="trial")] == ["robot"]
    low = {name.lower(): value for name, value in made.items()}
    used = {
        "OS_AUTH_TYPE": "v3applicationcredential", "OS_AUTH_URL": f"{cloud.root}/identity/v3", "OS_CLOUD": "",
        "OS_APPLICATION_CREDENTIAL_ID": low["id"], "OS_APPLICATION_CREDENTIAL_SECRET": low["secret"],
    }  # fmt: skip
    cloud.run("network", "list", user="", **used)
    assert "403" in cloud.fails("network", "create", "n", user="", **used)
    cloud.run("application", "credential", "delete", "robot", user="trial")
    assert cloud.json("application", "credential", "list", user="trial") == []
    assert "401" in cloud.fails("network", "list", user="", **used)


def test_an_application_credential_ends_and_keeps_to_its_access_rules(cloud):
    rules = [{"service": "network", "method": "GET", "path": "/v2.0/networks"}]
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 3600))
    made = cloud.json(
        "application", "credential", "create", "--secret", "known", "--unrestricted", "--expiration", end,
        "--access-rules", json.dumps(rules), "ruled", user="trial",
    )  # fmt: skip
    low = {name.lower(): value for name, value in made.items()}
    used = {
        "OS_AUTH_TYPE": "v3applicationcredential", "OS_AUTH_URL": f"{cloud.root}/identity/v3", "OS_CLOUD": "",
        "OS_APPLICATION_CREDENTIAL_ID": low["id"], "OS_APPLICATION_CREDENTIAL_SECRET": "known",
    }  # fmt: skip
    cloud.run("network", "list", user="", **used)
    assert "401" in cloud.fails("subnet", "list", user="", **used)
    listed = cloud.json("access", "rule", "list", user="trial")
    assert [(one["Service"], one["Method"], one["Path"]) for one in listed] == [
        ("network", "GET", "/v2.0/networks")
    ]
    shown = cloud.json("access", "rule", "show", listed[0]["ID"], user="trial")
    assert "/v2.0/networks" in shown.values()
    assert "uses it" in cloud.fails("access", "rule", "delete", listed[0]["ID"], user="trial")
    cloud.run("application", "credential", "delete", "ruled", user="trial")
    cloud.run("access", "rule", "delete", listed[0]["ID"], user="trial")
    assert cloud.json("access", "rule", "list", user="trial") == []


def test_a_trust_is_created_used_listed_shown_and_deleted(cloud, demo):
    user_id, project_id = demo
    trustee = cloud.json("user", "create", "--password", "trustee-secret", "trustee")
    reader = cloud.json("role", "show", "reader")["id"]
    made = cloud.json(
        "trust", "create", "--project", project_id, "--role", reader, "--impersonate", user_id, trustee["id"],
        user="trial",
    )  # fmt: skip
    assert made["trustee_user_id"] == trustee["id"]
    assert cloud.json("trust", "show", made["id"], user="trial")["project_id"] == project_id
    assert made["id"] in {one["ID"] for one in cloud.json("trust", "list")}
    assert [one["ID"] for one in cloud.json("trust", "list", "--trustor", user_id, user="trial")] == [
        made["id"]
    ]
    used = {
        "OS_AUTH_TYPE": "password", "OS_AUTH_URL": f"{cloud.root}/identity/v3", "OS_CLOUD": "", "OS_USERNAME": "trustee",
        "OS_PASSWORD": "trustee-secret", "OS_USER_DOMAIN_ID": "default", "OS_TRUST_ID": made["id"],
    }  # fmt: skip
    assert cloud.json("token", "issue", user="", **used)["user_id"] == user_id
    assert "403" in cloud.fails("network", "create", "n", user="", **used)
    cloud.run("trust", "delete", made["id"], user="trial")
    assert made["id"] not in {one["ID"] for one in cloud.json("trust", "list")}
    cloud.run("user", "delete", trustee["id"])


def test_a_credential_is_created_changed_listed_shown_and_deleted(cloud, demo):
    user_id, project_id = demo
    made = cloud.json("credential", "create", "--type", "cert", "--project", project_id, user_id, "blob")
    assert cloud.json("credential", "show", made["id"])["blob"] == "blob"
    cloud.run(
        "credential", "set", "--user", user_id, "--type", "cert", "--project", project_id, "--data", "new",
        made["id"],
    )  # fmt: skip
    listed = cloud.json("credential", "list", "--user", user_id, "--type", "cert")
    assert [(one["ID"], one["Data"]) for one in listed] == [(made["id"], "new")]
    cloud.run("credential", "delete", made["id"])
    assert made["id"] in cloud.fails("credential", "show", made["id"])


def test_an_ec2_key_is_created_listed_shown_and_deleted(cloud):
    made = cloud.json("ec2", "credentials", "create", user="trial")
    assert cloud.json("ec2", "credentials", "show", made["access"], user="trial")["secret"] == made["secret"]
    assert [one["Access"] for one in cloud.json("ec2", "credentials", "list", user="trial")] == [
        made["access"]
    ]
    cloud.run("ec2", "credentials", "delete", made["access"], user="trial")
    assert cloud.json("ec2", "credentials", "list", user="trial") == []
