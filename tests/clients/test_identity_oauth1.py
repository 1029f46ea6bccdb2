"""OAuth 1.0 with the clients that speak it: `openstack`, keystoneauth's plugin v3oauth1, requests-oauthlib."""

from __future__ import annotations

import pytest
from keystoneauth1 import exceptions, loading, session
from requests_oauthlib import OAuth1Session


@pytest.fixture
def consumer(cloud):
    made = cloud.json("consumer", "create", "--description", "a robot")
    yield made
    cloud.run("consumer", "delete", made["id"])


@pytest.fixture(scope="module")
def admin(cloud):
    return cloud.json("token", "issue")


def _session(cloud, consumer, key, secret):
    """Return a session of keystoneauth's that acts by an access token."""
    plugin = loading.get_plugin_loader("v3oauth1").load_from_options(
        auth_url=f"{cloud.root}/identity/v3",
        consumer_key=consumer["id"],
        consumer_secret=consumer["secret"],
        access_key=key,
        access_secret=secret,
    )
    return session.Session(auth=plugin)


def test_a_consumer_is_created_changed_listed_shown_and_deleted(cloud):
    made = cloud.json("consumer", "create", "--description", "first")
    assert cloud.json("consumer", "show", made["id"]) == {"id": made["id"], "description": "first"}
    cloud.run("consumer", "set", "--description", "second", made["id"])
    assert {"ID": made["id"], "Description": "second"} in cloud.json("consumer", "list")
    cloud.run("consumer", "delete", made["id"])
    assert made["id"] not in str(cloud.json("consumer", "list"))
    assert made["id"] in cloud.fails("consumer", "show", made["id"])


def test_from_a_request_token_to_a_session_that_acts_for_the_user(cloud, consumer, admin):
    keys = ("--consumer-key", consumer["id"], "--consumer-secret", consumer["secret"])
    asked = cloud.json("request", "token", "create", *keys, "--project", "admin", "--domain", "default")
    assert asked["expires"].endswith("Z")
    authorized = cloud.json(
        "request", "token", "authorize", "--request-key", asked["key"], "--role", "reader"
    )
    access = cloud.json(
        "access", "token", "create", *keys, "--request-key", asked["key"],
        "--request-secret", asked["secret"], "--verifier", authorized["oauth_verifier"],
    )  # fmt: skip
    robot = _session(cloud, consumer, access["key"], access["secret"])
    assert (robot.get_user_id(), robot.get_project_id()) == (admin["user_id"], admin["project_id"])
    network = {"service_type": "network", "interface": "public"}
    assert "networks" in robot.get("/v2.0/networks", endpoint_filter=network).json()
    with pytest.raises(exceptions.Forbidden):
        robot.post("/v2.0/networks", endpoint_filter=network, json={"network": {}})
    with pytest.raises(exceptions.Unauthorized):
        _session(cloud, consumer, access["key"], "wrong").get_token()


def test_an_ordinary_client_of_oauth_1_goes_the_same_way(cloud, consumer, admin):
    extension = f"{cloud.root}/identity/v3/OS-OAUTH1"
    with OAuth1Session(consumer["id"], consumer["secret"], callback_uri="oob") as client:
        client.headers["Requested-Project-Id"] = admin["project_id"]
        asked = client.fetch_request_token(f"{extension}/request_token")
        token = ("--request-key", asked["oauth_token"])
        authorized = cloud.json("request", "token", "authorize", *token, "--role", "member")
        access = client.fetch_access_token(f"{extension}/access_token", verifier=authorized["oauth_verifier"])
    robot = _session(cloud, consumer, access["oauth_token"], access["oauth_token_secret"])
    assert robot.get_project_id() == admin["project_id"]
