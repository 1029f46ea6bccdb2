"""Security groups beyond the plain: address groups, templates, duplicates, default groups."""

from __future__ import annotations

import pytest

N = "/network/v2.0"


def post(client, path, status=201, **body):
    answer = client.post(f"{N}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return next(iter(answer.json().values()))


def rule(client, group, status=201, **body):
    body = {"security_group_id": group, "direction": "ingress"} | body
    return post(client, "security-group-rules", status, security_group_rule=body)


@pytest.fixture
def group(cloud):
    return post(cloud.member, "security-groups", security_group={"name": "g"})["id"]


def test_an_address_group_is_a_rules_far_end(cloud, group):
    body = {"name": "a", "addresses": ["10.0.0.1", "10.1.0.7/16", "fd00::/64"]}
    made = post(cloud.member, "address-groups", address_group=body)
    assert made["addresses"] == ["10.0.0.1/32", "10.1.0.0/16", "fd00::/64"]
    path = f"{N}/address-groups/{made['id']}"
    twice = cloud.member.put(f"{path}/add_addresses", json={"addresses": ["10.1.0.0/16"]})
    assert twice.status_code == 400
    more = cloud.member.put(f"{path}/add_addresses", json={"addresses": ["10.9.0.1"]}).json()["address_group"]
    assert more["addresses"][-1] == "10.9.0.1/32"
    assert more["revision_number"] == made["revision_number"] + 1
    absent = cloud.member.put(f"{path}/remove_addresses", json={"addresses": ["10.77.0.1"]})
    assert absent.status_code == 400
    cloud.member.put(f"{path}/remove_addresses", json={"addresses": ["10.9.0.1"]})
    assert (
        rule(cloud.member, group, remote_address_group_id=made["id"])["remote_address_group_id"] == made["id"]
    )
    both = rule(cloud.member, group, 400, remote_address_group_id=made["id"], remote_ip_prefix="10.0.0.0/8")
    assert both["type"] == "SecurityGroupMultipleRemoteEntites"
    used = cloud.member.delete(path)
    assert (used.status_code, used.json()["NeutronError"]["type"]) == (409, "AddressGroupInUse")
    assert cloud.foreign.put(f"{path}/add_addresses", json={"addresses": ["10.9.0.1"]}).status_code == 404


def test_new_groups_begin_with_the_operators_templates(cloud):
    path = f"{N}/default-security-group-rules"
    found = cloud.member.get(path).json()["default_security_group_rules"]
    assert len(found) == 4
    assert cloud.member.delete(f"{path}/{found[0]['id']}").status_code == 403
    for one in found:
        if one["direction"] == "egress" and one["ethertype"] == "IPv6":
            assert cloud.admin.delete(f"{path}/{one['id']}").status_code == 204
    body = {"direction": "ingress", "protocol": "icmp", "used_in_default_sg": True, "description": "ping"}
    post(cloud.admin, "default-security-group-rules", default_security_group_rule=body)
    twin = post(
        cloud.admin, "default-security-group-rules", 409, default_security_group_rule=body | {"protocol": "1"}
    )
    assert twin["type"] == "DefaultSecurityGroupRuleExists"
    made = post(cloud.member, "security-groups", security_group={"name": "g"})["security_group_rules"]
    assert {(r["direction"], r["ethertype"], r["protocol"]) for r in made} == {
        ("egress", "IPv4", None),
        ("ingress", "IPv4", "icmp"),
    }
    default = cloud.foreign.get(f"{N}/security-groups?name=default").json()["security_groups"][0]
    assert {
        (r["direction"], r["ethertype"], r["protocol"], r["remote_group_id"])
        for r in default["security_group_rules"]
    } == {
        ("egress", "IPv4", None, None),
        ("ingress", "IPv4", None, default["id"]),
        ("ingress", "IPv6", None, default["id"]),
        ("ingress", "IPv4", "icmp", None),
    }


def test_the_same_rule_said_otherwise_is_the_same_rule(cloud, group):
    first = rule(
        cloud.member,
        group,
        protocol="tcp",
        port_range_min=1,
        port_range_max=9,
        remote_ip_prefix="10.0.0.5/24",
    )
    assert (first["remote_ip_prefix"], first["normalized_cidr"]) == ("10.0.0.5/24", "10.0.0.0/24")
    twin = rule(
        cloud.member,
        group,
        409,
        protocol="6",
        port_range_min=1,
        port_range_max=9,
        remote_ip_prefix="10.0.0.0/24",
    )
    assert first["id"] in twin["message"]


def test_the_name_default_is_the_default_groups_alone(cloud, group):
    path = f"{N}/security-groups/{group}"
    assert cloud.member.put(path, json={"security_group": {"name": "default"}}).status_code == 409
    default = cloud.member.get(f"{N}/security-groups?name=default").json()["security_groups"][0]
    rename = cloud.member.put(f"{N}/security-groups/{default['id']}", json={"security_group": {"name": "x"}})
    assert rename.status_code == 409
    belonging = cloud.member.get(f"{N}/security-group-rules?belongs_to_default_sg=true").json()
    assert {r["security_group_id"] for r in belonging["security_group_rules"]} == {default["id"]}


def test_a_group_in_use_keeps_its_statefulness(cloud, group):
    net = post(cloud.member, "networks", network={})["id"]
    port = post(cloud.member, "ports", port={"network_id": net, "security_groups": [group]})["id"]
    path = f"{N}/security-groups/{group}"
    assert cloud.member.put(path, json={"security_group": {"stateful": False}}).status_code == 409
    cloud.member.delete(f"{N}/ports/{port}")
    assert (
        cloud.member.put(path, json={"security_group": {"stateful": False}}).json()["security_group"][
            "stateful"
        ]
        is False
    )


def test_a_rule_of_a_shared_group_is_its_owners_to_change(cloud, group):
    body = {
        "object_type": "security_group",
        "object_id": group,
        "action": "access_as_shared",
        "target_tenant": cloud.foreign.project_id,
    }
    post(cloud.member, "rbac-policies", rbac_policy=body)
    mine = rule(cloud.member, group, protocol="tcp")
    assert cloud.foreign.get(f"{N}/security-group-rules/{mine['id']}").status_code == 200
    assert cloud.foreign.delete(f"{N}/security-group-rules/{mine['id']}").status_code == 404
    assert rule(cloud.foreign, group, 404, protocol="udp")["type"] == "SecurityGroupNotFound"
    net = post(cloud.foreign, "networks", network={})["id"]
    port = post(cloud.foreign, "ports", port={"network_id": net, "security_groups": [group]})
    assert port["security_groups"] == [group]
