"""Who else than its owner may see and use an object: RBAC policies, shared and external networks."""

from __future__ import annotations

import pytest

N = "/network/v2.0"


def post(client, path, status=201, **body):
    answer = client.post(f"{N}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return next(iter(answer.json().values()))


def ids(client, path):
    return {item["id"] for item in next(iter(client.get(f"{N}/{path}").json().values()))}


def grant(client, kind, id, target, action="access_as_shared", status=201):
    body = {"object_type": kind, "object_id": id, "action": action, "target_tenant": target}
    return post(client, "rbac-policies", status, rbac_policy=body)


@pytest.fixture
def net(cloud):
    network = post(cloud.member, "networks", network={"name": "n"})["id"]
    post(cloud.member, "subnets", subnet={"network_id": network, "cidr": "10.5.0.0/24", "ip_version": 4})
    return network


def test_a_network_granted_to_one_project_is_usable_there_and_nowhere_else(cloud, net):
    policy = grant(cloud.member, "network", net, cloud.foreign.project_id)
    shown = cloud.foreign.get(f"{N}/networks/{net}").json()["network"]
    assert shown["shared"] is True
    assert cloud.member.get(f"{N}/networks/{net}").json()["network"]["shared"] is False
    assert ids(cloud.foreign, "networks?shared=true") == {net}
    port = post(cloud.foreign, "ports", port={"network_id": net})["id"]
    blocked = cloud.member.delete(f"{N}/rbac-policies/{policy['id']}")
    assert (blocked.status_code, blocked.json()["NeutronError"]["type"]) == (409, "RbacPolicyInUse")
    assert port in blocked.json()["NeutronError"]["message"]
    assert cloud.foreign.delete(f"{N}/ports/{port}").status_code == 204
    assert cloud.member.delete(f"{N}/rbac-policies/{policy['id']}").status_code == 204
    assert cloud.foreign.get(f"{N}/networks/{net}").status_code == 404


def test_what_is_granted_may_be_used_but_not_changed(cloud, net):
    grant(cloud.member, "network", net, cloud.foreign.project_id)
    assert cloud.foreign.put(f"{N}/networks/{net}", json={"network": {"name": "x"}}).status_code == 404
    assert cloud.foreign.delete(f"{N}/networks/{net}").status_code == 404
    body = {"network_id": net, "cidr": "10.6.0.0/24", "ip_version": 4}
    assert cloud.foreign.post(f"{N}/subnets", json={"subnet": body}).status_code == 404
    refused = cloud.foreign.post(
        f"{N}/ports", json={"port": {"network_id": net, "mac_address": "fa:16:3e:00:00:09"}}
    )
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("kind", "path", "body"),
    [
        ("security_group", "security-groups", {"name": "g"}),
        ("address_group", "address-groups", {"name": "g", "addresses": ["10.0.0.1"]}),
        ("address_scope", "address-scopes", {"name": "s", "ip_version": 4}),
        ("subnetpool", "subnetpools", {"name": "p", "prefixes": ["10.0.0.0/8"]}),
    ],
)
def test_every_kind_is_shared_alike(cloud, kind, path, body):
    id = post(cloud.member, path, **{kind: body})["id"]
    assert cloud.foreign.get(f"{N}/{path}/{id}").status_code == 404
    policy = grant(cloud.member, kind, id, cloud.foreign.project_id)
    assert cloud.foreign.get(f"{N}/{path}/{id}").json()[kind]["shared"] is True
    assert id in ids(cloud.foreign, path)
    assert cloud.foreign.delete(f"{N}/{path}/{id}").status_code == 404
    again = grant(cloud.member, kind, id, cloud.foreign.project_id, status=409)
    assert again["type"] == "DuplicatePolicy"
    moved = cloud.member.put(
        f"{N}/rbac-policies/{policy['id']}", json={"rbac_policy": {"target_tenant": "somebody"}}
    )
    assert moved.json()["rbac_policy"]["target_tenant"] == "somebody"
    assert cloud.foreign.get(f"{N}/{path}/{id}").status_code == 404
    assert cloud.member.delete(f"{N}/{path}/{id}").status_code == 204
    assert ids(cloud.member, "rbac-policies") == set(), "a right outlives its object"


def test_only_administrators_share_with_everybody(cloud, net):
    grant(cloud.member, "network", net, "*", status=403)
    grant(cloud.member, "network", net, cloud.foreign.project_id, action="access_as_external", status=403)
    grant(cloud.admin, "network", net, "*")
    assert cloud.foreign.get(f"{N}/networks/{net}").json()["network"]["shared"] is True
    assert cloud.admin.put(f"{N}/networks/{net}", json={"network": {"shared": False}}).status_code == 200
    assert cloud.foreign.get(f"{N}/networks/{net}").status_code == 404


def test_a_foreign_object_cannot_be_granted(cloud, net):
    assert (
        grant(cloud.foreign, "network", net, cloud.foreign.project_id, status=404)["type"]
        == "NetworkNotFound"
    )
    assert grant(cloud.member, "server", net, "x", status=400)["type"] == "RbacPolicyInvalidObject"
    assert grant(cloud.member, "network", net, "x", action="own", status=400)["type"] == "InvalidInput"


def test_a_network_may_be_external_for_one_project(cloud):
    outside = post(cloud.admin, "networks", network={"name": "out"})["id"]
    body = {"network_id": outside, "cidr": "172.24.9.0/24", "ip_version": 4, "enable_dhcp": False}
    post(cloud.admin, "subnets", subnet=body)
    policy = grant(cloud.admin, "network", outside, cloud.member.project_id, action="access_as_external")
    assert cloud.member.get(f"{N}/networks/{outside}").json()["network"]["router:external"] is True
    router = post(cloud.member, "routers", router={"external_gateway_info": {"network_id": outside}})["id"]
    refused = cloud.foreign.post(
        f"{N}/routers", json={"router": {"external_gateway_info": {"network_id": outside}}}
    )
    assert refused.status_code == 404
    assert cloud.admin.delete(f"{N}/rbac-policies/{policy['id']}").status_code == 409
    assert cloud.member.delete(f"{N}/routers/{router}").status_code == 204
    assert cloud.admin.delete(f"{N}/rbac-policies/{policy['id']}").status_code == 204
    assert cloud.admin.get(f"{N}/networks/{outside}").json()["network"]["router:external"] is False


def test_a_shared_network_in_use_stays_shared(cloud, net):
    cloud.admin.put(f"{N}/networks/{net}", json={"network": {"shared": True}})
    port = post(cloud.foreign, "ports", port={"network_id": net})["id"]
    answer = cloud.admin.put(f"{N}/networks/{net}", json={"network": {"shared": False}})
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "InvalidSharedSetting")
    assert cloud.foreign.get(f"{N}/networks/{net}").status_code == 200
    cloud.foreign.delete(f"{N}/ports/{port}")
    assert cloud.admin.put(f"{N}/networks/{net}", json={"network": {"shared": False}}).status_code == 200


def test_rbac_policies_count_toward_the_quota(cloud, net):
    cloud.admin.put(f"{N}/quotas/{cloud.member.project_id}", json={"quota": {"rbac_policy": 1}})
    grant(cloud.member, "network", net, "one")
    assert grant(cloud.member, "network", net, "two", status=409)["type"] == "OverQuota"


def test_an_external_network_is_deleted_with_floating_ips_that_nobody_uses(cloud):
    outside = post(cloud.admin, "networks", network={"router:external": True})["id"]
    body = {"network_id": outside, "cidr": "172.24.9.0/24", "ip_version": 4, "enable_dhcp": False}
    post(cloud.admin, "subnets", subnet=body)
    floating = post(cloud.member, "floatingips", floatingip={"floating_network_id": outside})["id"]
    assert cloud.admin.delete(f"{N}/networks/{outside}").status_code == 204
    assert cloud.member.get(f"{N}/floatingips/{floating}").status_code == 404
