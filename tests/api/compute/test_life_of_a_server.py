"""A server from nothing to gone, through every service, over fake engines."""

from __future__ import annotations

import base64

import pytest

LATEST = {"OpenStack-API-Version": "compute 2.96"}


@pytest.fixture
def image(cloud):
    made = cloud.admin.post(
        "/image/v2/images",
        json={"name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public"},
    )
    assert made.status_code == 201, made.text
    id = made.json()["id"]
    sent = cloud.admin.put(
        f"/image/v2/images/{id}/file",
        content=b"\0" * 4096,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert sent.status_code == 204, sent.text
    return id


@pytest.fixture
def flavor(cloud):
    made = cloud.admin.post(
        "/compute/v2.1/flavors", json={"flavor": {"name": "small", "ram": 128, "vcpus": 1, "disk": 1}}
    )
    assert made.status_code == 200, made.text
    return made.json()["flavor"]["id"]


@pytest.fixture
def network(cloud):
    id = cloud.member.post("/network/v2.0/networks", json={"network": {"name": "net"}}).json()["network"][
        "id"
    ]
    made = cloud.member.post(
        "/network/v2.0/subnets", json={"subnet": {"network_id": id, "cidr": "10.9.0.0/24", "ip_version": 4}}
    )
    assert made.status_code == 201, made.text
    return id


@pytest.fixture
def boot(cloud, image, flavor, network):
    def create(**more):
        body = {"name": "one", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}]} | more
        made = cloud.member.post("/compute/v2.1/servers", json={"server": body}, headers=LATEST)
        assert made.status_code == 202, made.text
        return made.json()["server"]["id"]

    return create


def _show(cloud, id, client=None):
    return (client or cloud.member).get(f"/compute/v2.1/servers/{id}", headers=LATEST).json()["server"]


def test_a_server_becomes_active_and_goes(cloud, boot):
    id = boot()
    assert _show(cloud, id)["status"] == "BUILD"
    cloud.settle()
    server = _show(cloud, id)
    assert server["status"] == "ACTIVE", server
    assert server["addresses"]["net"][0]["addr"].startswith("10.9.0.")
    ports = cloud.member.get(f"/network/v2.0/ports?device_id={id}").json()["ports"]
    assert [port["status"] for port in ports] == ["ACTIVE"]
    usage = cloud.member.get("/compute/v2.1/limits").json()["limits"]["absolute"]
    assert (usage["totalInstancesUsed"], usage["totalRAMUsed"]) == (1, 128)
    assert cloud.member.delete(f"/compute/v2.1/servers/{id}").status_code == 204
    cloud.settle()
    assert cloud.member.get(f"/compute/v2.1/servers/{id}").status_code == 404
    assert cloud.member.get(f"/network/v2.0/ports?device_id={id}").json()["ports"] == []
    held = cloud.admin.get(f"/placement/allocations/{id}").json()["allocations"]
    assert held == {}


def test_power_actions_reach_their_states(cloud, boot):
    id = boot()
    cloud.settle()
    for action, state in (
        ("os-stop", "SHUTOFF"),
        ("os-start", "ACTIVE"),
        ("pause", "PAUSED"),
        ("unpause", "ACTIVE"),
    ):
        answer = cloud.member.post(f"/compute/v2.1/servers/{id}/action", json={action: None})
        assert answer.status_code == 202, answer.text
        cloud.settle()
        assert _show(cloud, id)["status"] == state
    for kind in ("SOFT", "HARD"):
        answer = cloud.member.post(f"/compute/v2.1/servers/{id}/action", json={"reboot": {"type": kind}})
        assert answer.status_code == 202, answer.text
        cloud.settle()
        assert _show(cloud, id)["status"] == "ACTIVE"
    events = cloud.member.get(f"/compute/v2.1/servers/{id}/os-instance-actions", headers=LATEST).json()[
        "instanceActions"
    ]
    assert [event["action"] for event in events] == [
        "reboot",
        "reboot",
        "unpause",
        "pause",
        "start",
        "stop",
        "create",
    ]
    create = cloud.member.get(
        f"/compute/v2.1/servers/{id}/os-instance-actions/{events[-1]['request_id']}", headers=LATEST
    )
    assert {"ensure_host", "ensure_ports"} <= {
        event["event"] for event in create.json()["instanceAction"]["events"]
    }


def test_an_action_in_the_wrong_state_is_a_conflict(cloud, boot):
    id = boot()
    answer = cloud.member.post(f"/compute/v2.1/servers/{id}/action", json={"os-start": None})
    assert answer.status_code == 409
    assert "vm_state building" in answer.json()["conflictingRequest"]["message"]


def test_no_valid_host_says_why(cloud, image, network):
    made = cloud.admin.post(
        "/compute/v2.1/flavors", json={"flavor": {"name": "huge", "ram": 40000, "vcpus": 1000, "disk": 1}}
    )
    cloud.admin.put(
        f"/compute/v2.1/os-quota-sets/{cloud.member.project_id}", json={"quota_set": {"cores": -1}}
    )
    body = {"name": "x", "imageRef": image, "flavorRef": made.json()["flavor"]["id"], "networks": "none"}
    made = cloud.member.post("/compute/v2.1/servers", json={"server": body}, headers=LATEST)
    assert made.status_code == 202, made.text
    cloud.settle()
    server = _show(cloud, made.json()["server"]["id"])
    assert server["status"] == "ERROR"
    assert "not enough VCPU: 1" in server["fault"]["message"]
    assert cloud.member.delete(f"/compute/v2.1/servers/{server['id']}").status_code == 204
    cloud.settle()
    assert cloud.member.get(f"/compute/v2.1/servers/{server['id']}").status_code == 404


def test_a_server_that_its_host_cannot_start_is_in_error_and_deletable(cloud, boot):
    id = boot()
    cloud.agent.fail[id] = "the disk is full"
    cloud.settle()
    server = _show(cloud, id)
    assert server["status"] == "ERROR"
    assert "the disk is full" in server["fault"]["message"]
    cloud.member.delete(f"/compute/v2.1/servers/{id}")
    cloud.settle()
    assert cloud.member.get(f"/compute/v2.1/servers/{id}").status_code == 404


def test_another_project_sees_nothing(cloud, boot):
    id = boot()
    cloud.settle()
    assert cloud.foreign.get("/compute/v2.1/servers/detail").json()["servers"] == []
    for method, path, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("PUT", "", {"server": {"name": "mine"}}),
        ("POST", "/action", {"os-stop": None}),
        ("GET", "/os-instance-actions", None),
        ("GET", "/metadata", None),
    ):
        assert (
            cloud.foreign.request(method, f"/compute/v2.1/servers/{id}{path}", json=body).status_code == 404
        )
    assert _show(cloud, id)["name"] == "one"


def test_a_reader_reads_and_changes_nothing(cloud, boot):
    id = boot()
    cloud.settle()
    assert _show(cloud, id, cloud.reader)["status"] == "ACTIVE"
    assert cloud.reader.delete(f"/compute/v2.1/servers/{id}").status_code == 403
    assert cloud.reader.post(f"/compute/v2.1/servers/{id}/action", json={"os-stop": None}).status_code == 403


def test_quota_is_counted_from_rows(cloud, image, flavor):
    cloud.admin.put(
        f"/compute/v2.1/os-quota-sets/{cloud.member.project_id}", json={"quota_set": {"instances": 2}}
    )
    body = {"name": "x", "imageRef": image, "flavorRef": flavor, "networks": "none", "min_count": 2}
    assert (
        cloud.member.post("/compute/v2.1/servers", json={"server": body}, headers=LATEST).status_code == 202
    )
    answer = cloud.member.post("/compute/v2.1/servers", json={"server": body}, headers=LATEST)
    assert answer.status_code == 403
    assert "instances: requested 2, used 2 of 2" in answer.json()["forbidden"]["message"]


def test_the_guest_is_told_the_truth(cloud, boot, house):
    from clearsky.compute import service

    key = cloud.member.post("/compute/v2.1/os-keypairs", json={"keypair": {"name": "k"}}).json()["keypair"]
    id = boot(key_name="k", user_data=base64.b64encode(b"#!/bin/sh\n").decode(), metadata={"role": "web"})
    cloud.settle()
    (server,) = service.desired(house, "host1").servers
    import json

    tree = {path: base64.b64decode(content) for path, content in server.metadata.items()}
    meta = json.loads(tree["openstack/latest/meta_data.json"])
    assert (meta["uuid"], meta["meta"]) == (id, {"role": "web"})
    assert meta["public_keys"] == {"k": key["public_key"]}
    assert tree["openstack/latest/user_data"] == b"#!/bin/sh\n"
    net = json.loads(tree["openstack/latest/network_data.json"])
    assert net["links"][0]["ethernet_mac_address"] == server.nics[0].mac
    assert net["networks"][0]["type"] == "ipv4_dhcp"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"imageRef": "nope"}, "imageRef"),
        ({"flavorRef": "nope"}, "flavorRef"),
        ({"networks": [{"uuid": "11111111-1111-1111-1111-111111111111"}]}, "could not be found"),
        ({"key_name": "nope"}, "key_name"),
        ({"user_data": "not base64!"}, "user_data"),
        ({"min_count": 3, "max_count": 1}, "min_count"),
        ({"name": ""}, "name"),
        ({"availability_zone": "mars"}, "mars"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(cloud, image, flavor, network, change, words):
    body = {"name": "one", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}]} | change
    answer = cloud.member.post("/compute/v2.1/servers", json={"server": body}, headers=LATEST)
    assert answer.status_code == 400, answer.text
    assert words in answer.text
    assert cloud.member.get("/compute/v2.1/servers").json()["servers"] == []
