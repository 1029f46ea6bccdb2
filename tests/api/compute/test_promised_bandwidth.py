"""Bandwidth that a server's ports are promised: claimed on a host's link to the physical network, and given back."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from tests.api.compute.conftest import LATEST, make_flavor

from clearsky import config

N = "/network/v2.0"
EGRESS, INGRESS = "NET_BW_EGR_KILOBIT_PER_SEC", "NET_BW_IGR_KILOBIT_PER_SEC"


@pytest.fixture
def settings(settings):
    return replace(settings, network=config.Network(bandwidth_egress_kbps=1000, bandwidth_ingress_kbps=1000))


def post(client, path, status=201, **body):
    answer = client.post(f"{N}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return next(iter(answer.json().values()))


@pytest.fixture
def provider(cloud):
    body = {"provider:network_type": "vlan", "provider:physical_network": "physnet1", "shared": True}
    id = post(cloud.admin, "networks", network=body)["id"]
    post(cloud.admin, "subnets", subnet={"network_id": id, "cidr": "10.4.0.0/24", "ip_version": 4})
    return id


@pytest.fixture
def policy(cloud):
    """A policy that promises 600 kbit/s outward, as a path and an id."""
    id = post(cloud.admin, "qos/policies", policy={"name": "gold", "shared": True})["id"]
    post(cloud.admin, f"qos/policies/{id}/minimum_bandwidth_rules", minimum_bandwidth_rule={"min_kbps": 600})
    return id


def port(cloud, provider, policy):
    return post(cloud.member, "ports", port={"network_id": provider, "qos_policy_id": policy})["id"]


def link(cloud):
    """Return what is used of host1's link."""
    headers = {"OpenStack-API-Version": "placement 1.39"}
    found = cloud.admin.get("/placement/resource_providers?name=host1:physnet1", headers=headers).json()
    (one,) = found["resource_providers"]
    traits = cloud.admin.get(f"/placement/resource_providers/{one['uuid']}/traits", headers=headers).json()
    assert traits["traits"] == ["CUSTOM_PHYSNET_PHYSNET1", "CUSTOM_VNIC_TYPE_NORMAL"]
    path = f"/placement/resource_providers/{one['uuid']}/usages"
    return cloud.admin.get(path, headers=headers).json()["usages"]


def test_a_port_says_what_it_asks_for_to_administrators(cloud, provider, policy):
    id = port(cloud, provider, policy)
    shown = cloud.admin.get(f"{N}/ports/{id}").json()["port"]
    assert shown["resource_request"] == {
        "required": ["CUSTOM_PHYSNET_PHYSNET1", "CUSTOM_VNIC_TYPE_NORMAL"],
        "resources": {EGRESS: 600},
    }
    assert "resource_request" not in cloud.member.get(f"{N}/ports/{id}").json()["port"]
    plain = post(cloud.admin, "ports", port={"network_id": provider})
    assert plain["resource_request"] is None
    assert {"type": "minimum_bandwidth"} in cloud.member.get(f"{N}/qos/rule-types").json()["rule_types"]


def test_a_server_claims_the_bandwidth_and_gives_it_back(cloud, boot, show, provider, policy):
    first = boot(networks=[{"port": port(cloud, provider, policy)}])
    cloud.settle()
    assert show(first)["status"] == "ACTIVE"
    assert link(cloud) == {EGRESS: 600, INGRESS: 0}
    second = boot(networks=[{"port": port(cloud, provider, policy)}])
    cloud.settle()
    shown = show(second)
    assert (shown["status"], "not enough bandwidth" in shown["fault"]["message"]) == ("ERROR", True)
    assert link(cloud)[EGRESS] == 600
    for id in (first, second):
        assert cloud.member.delete(f"/compute/v2.1/servers/{id}").status_code == 204
    cloud.settle()
    assert link(cloud)[EGRESS] == 0


def test_two_ports_of_one_server_claim_together(cloud, boot, show, provider, policy):
    id = boot(networks=[{"port": port(cloud, provider, policy)}, {"port": port(cloud, provider, policy)}])
    cloud.settle()
    assert show(id)["status"] == "ERROR"
    assert link(cloud)[EGRESS] == 0


def test_resizing_keeps_the_claim_and_detaching_ends_it(cloud, boot, act, show, provider, policy):
    mine = port(cloud, provider, policy)
    id = boot(networks=[{"port": mine}])
    cloud.settle()
    act(id, "resize", {"flavorRef": make_flavor(cloud, "large", vcpus=2)})
    assert link(cloud)[EGRESS] == 600
    act(id, "revertResize")
    assert (show(id)["status"], link(cloud)[EGRESS]) == ("ACTIVE", 600)
    assert cloud.member.delete(f"/compute/v2.1/servers/{id}/os-interface/{mine}").status_code == 202
    cloud.settle()
    assert link(cloud)[EGRESS] == 0
    answer = cloud.member.post(
        f"/compute/v2.1/servers/{id}/os-interface",
        json={"interfaceAttachment": {"port_id": mine}},
        headers=LATEST,
    )
    assert (answer.status_code, "only a new server" in answer.text) == (400, True)


def test_the_claim_follows_the_ports_policy(cloud, boot, provider, policy):
    mine = port(cloud, provider, policy)
    server = boot(networks=[{"port": mine}])
    cloud.settle()
    profile = cloud.admin.get(f"{N}/ports/{mine}").json()["port"]["binding:profile"]
    headers = {"OpenStack-API-Version": "placement 1.39"}
    held = cloud.admin.get(f"/placement/allocations/{server}", headers=headers).json()["allocations"]
    assert held[profile["allocation"]]["resources"] == {EGRESS: 600}

    def take(policy_id, status=200):
        answer = cloud.member.put(f"{N}/ports/{mine}", json={"port": {"qos_policy_id": policy_id}})
        assert answer.status_code == status, answer.text
        return link(cloud)[EGRESS]

    def another(rate):
        id = post(cloud.admin, "qos/policies", policy={"name": "other", "shared": True})["id"]
        path = f"qos/policies/{id}/minimum_bandwidth_rules"
        post(cloud.admin, path, minimum_bandwidth_rule={"min_kbps": rate})
        return id

    assert take(another(900)) == 900
    assert take(another(1001), 409) == 900
    assert take(None) == 0
    assert take(policy) == 600
    cloud.member.delete(f"/compute/v2.1/servers/{server}")
    cloud.settle()
    assert link(cloud)[EGRESS] == 0
    left = cloud.admin.get(f"{N}/ports/{mine}").json()["port"]
    assert (left["binding:profile"], left["device_id"]) == ({}, "")


def test_a_port_that_claimed_nothing_claims_nothing_later(cloud, boot, act, show, provider, policy):
    mine = port(cloud, provider, None)
    id = boot(networks=[{"port": mine}])
    cloud.settle()
    answer = cloud.member.put(f"{N}/ports/{mine}", json={"port": {"qos_policy_id": policy}})
    assert answer.status_code == 200, answer.text
    act(id, "resize", {"flavorRef": make_flavor(cloud, "large", vcpus=2)})
    assert (show(id)["status"], link(cloud)[EGRESS]) == ("VERIFY_RESIZE", 0)


def test_what_a_server_has_claimed_cannot_change(cloud, boot, provider, policy):
    boot(networks=[{"port": port(cloud, provider, policy)}])
    cloud.settle()
    rules = f"{N}/qos/policies/{policy}/minimum_bandwidth_rules"
    (rule,) = cloud.admin.get(rules).json()["minimum_bandwidth_rules"]
    change = {"minimum_bandwidth_rule": {"min_kbps": 1}}
    assert cloud.admin.put(f"{rules}/{rule['id']}", json=change).status_code == 409
    assert cloud.admin.delete(f"{rules}/{rule['id']}").status_code == 409
    more = {"minimum_bandwidth_rule": {"min_kbps": 1, "direction": "ingress"}}
    assert cloud.admin.post(rules, json=more).status_code == 409
    # Another port of the network, without a policy of its own: the network's would be its promise too.
    body = {"network_id": provider, "device_owner": "compute:nova", "device_id": str(uuid.uuid4())}
    post(cloud.member, "ports", port=body)
    network = f"{N}/networks/{provider}"
    assert cloud.admin.put(network, json={"network": {"qos_policy_id": policy}}).status_code == 409


def test_a_promise_is_for_ports_that_a_physical_network_carries(cloud, network, provider, policy):
    post(cloud.member, "ports", 409, port={"network_id": network, "qos_policy_id": policy})
    answer = cloud.member.put(f"{N}/networks/{network}", json={"network": {"qos_policy_id": policy}})
    assert answer.status_code == 409
    empty = post(cloud.admin, "qos/policies", policy={"name": "empty", "shared": True})["id"]
    post(cloud.member, "ports", port={"network_id": network, "qos_policy_id": empty})
    path = f"qos/policies/{empty}/minimum_bandwidth_rules"
    post(cloud.admin, path, 409, minimum_bandwidth_rule={"min_kbps": 9})
    post(cloud.admin, path, 400, minimum_bandwidth_rule={"min_kbps": 0})
    sub = port(cloud, provider, policy)
    parent = post(cloud.member, "ports", port={"network_id": network})["id"]
    subs = [{"port_id": sub, "segmentation_type": "vlan", "segmentation_id": 5}]
    post(cloud.member, "trunks", 409, trunk={"port_id": parent, "sub_ports": subs})


def test_a_port_made_for_a_server_is_never_promised_anything(cloud, image, flavor, provider, policy):
    answer = cloud.admin.put(f"{N}/networks/{provider}", json={"network": {"qos_policy_id": policy}})
    assert answer.status_code == 200, answer.text
    body = {"name": "s", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": provider}]}
    made = cloud.member.post("/compute/v2.1/servers", json={"server": body}, headers=LATEST)
    assert (made.status_code, "make a port there first" in made.text) == (400, True)
