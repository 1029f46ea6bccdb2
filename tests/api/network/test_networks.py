"""Networks over the fake engine: rules of the API, isolation of projects, blockers of deletion."""

from __future__ import annotations

import pytest

N = "/network/v2.0"


@pytest.fixture
def net(cloud):
    network = cloud.member.post(f"{N}/networks", json={"network": {"name": "net"}}).json()["network"]
    body = {"network_id": network["id"], "cidr": "10.5.0.0/24", "ip_version": 4}
    subnet = cloud.member.post(f"{N}/subnets", json={"subnet": body}).json()["subnet"]
    return network["id"], subnet["id"]


def _public(cloud):
    body = {
        "name": "public",
        "router:external": True,
        "provider:network_type": "flat",
        "provider:physical_network": "physnet1",
    }
    id = cloud.admin.post(f"{N}/networks", json={"network": body}).json()["network"]["id"]
    subnet = {"network_id": id, "cidr": "172.24.4.0/24", "ip_version": 4, "enable_dhcp": False}
    assert cloud.admin.post(f"{N}/subnets", json={"subnet": subnet}).status_code == 201
    return id


def test_two_projects_may_have_the_same_addresses(cloud, net):
    other = cloud.foreign.post(f"{N}/networks", json={"network": {"name": "net"}}).json()["network"]["id"]
    body = {"network_id": other, "cidr": "10.5.0.0/24", "ip_version": 4}
    assert cloud.foreign.post(f"{N}/subnets", json={"subnet": body}).status_code == 201


def test_a_foreign_network_is_not_there(cloud, net):
    network, subnet = net
    for client_path in (f"networks/{network}", f"subnets/{subnet}"):
        assert cloud.foreign.get(f"{N}/{client_path}").status_code == 404
        assert cloud.foreign.delete(f"{N}/{client_path}").status_code == 404
    assert cloud.foreign.get(f"{N}/networks").json()["networks"] == []
    answer = cloud.foreign.post(f"{N}/ports", json={"port": {"network_id": network}})
    assert answer.status_code == 404


def test_addresses_are_given_once(cloud, net):
    ips = set()
    for _ in range(5):
        port = cloud.member.post(f"{N}/ports", json={"port": {"network_id": net[0]}}).json()["port"]
        ips.add(port["fixed_ips"][0]["ip_address"])
    assert len(ips) == 5
    taken = ips.pop()
    answer = cloud.member.post(
        f"{N}/ports", json={"port": {"network_id": net[0], "fixed_ips": [{"ip_address": taken}]}}
    )
    assert answer.status_code == 409
    assert answer.json()["NeutronError"]["type"] == "IpAddressAlreadyAllocated"


def test_a_full_subnet_says_so(cloud):
    network = cloud.member.post(f"{N}/networks", json={"network": {}}).json()["network"]["id"]
    body = {"network_id": network, "cidr": "10.6.0.0/30", "ip_version": 4, "enable_dhcp": False}
    assert cloud.member.post(f"{N}/subnets", json={"subnet": body}).status_code == 201
    assert cloud.member.post(f"{N}/ports", json={"port": {"network_id": network}}).status_code == 201
    answer = cloud.member.post(f"{N}/ports", json={"port": {"network_id": network}})
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "IpAddressGenerationFailure")


def test_deletion_names_what_stands_in_the_way(cloud, net):
    port = cloud.member.post(f"{N}/ports", json={"port": {"network_id": net[0]}}).json()["port"]["id"]
    answer = cloud.member.delete(f"{N}/networks/{net[0]}")
    assert answer.status_code == 409
    assert port in answer.json()["NeutronError"]["message"]
    cloud.member.delete(f"{N}/ports/{port}")
    assert cloud.member.delete(f"{N}/networks/{net[0]}").status_code == 204


def test_a_floating_ip_finds_its_router(cloud, net):
    public = _public(cloud)
    port = cloud.member.post(f"{N}/ports", json={"port": {"network_id": net[0]}}).json()["port"]
    lonely = cloud.member.post(
        f"{N}/floatingips", json={"floatingip": {"floating_network_id": public, "port_id": port["id"]}}
    )
    assert lonely.status_code == 404
    router = cloud.member.post(
        f"{N}/routers", json={"router": {"external_gateway_info": {"network_id": public}}}
    ).json()["router"]
    assert (
        cloud.member.put(
            f"{N}/routers/{router['id']}/add_router_interface", json={"subnet_id": net[1]}
        ).status_code
        == 200
    )
    made = cloud.member.post(
        f"{N}/floatingips", json={"floatingip": {"floating_network_id": public, "port_id": port["id"]}}
    )
    assert made.status_code == 201, made.text
    floating = made.json()["floatingip"]
    assert (floating["router_id"], floating["fixed_ip_address"]) == (
        router["id"],
        port["fixed_ips"][0]["ip_address"],
    )
    blocked = cloud.member.put(
        f"{N}/routers/{router['id']}/remove_router_interface", json={"subnet_id": net[1]}
    )
    assert floating["floating_ip_address"] in blocked.json()["NeutronError"]["message"]
    assert cloud.foreign.delete(f"{N}/floatingips/{floating['id']}").status_code == 404
    assert cloud.member.delete(f"{N}/floatingips/{floating['id']}").status_code == 204


def test_quota_counts_rows(cloud):
    cloud.admin.put(f"{N}/quotas/{cloud.member.project_id}", json={"quota": {"network": 1}})
    assert cloud.member.post(f"{N}/networks", json={"network": {}}).status_code == 201
    answer = cloud.member.post(f"{N}/networks", json={"network": {}})
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "OverQuota")


def test_a_bulk_request_is_all_or_nothing(cloud, net):
    body = {
        "ports": [{"network_id": net[0]}, {"network_id": net[0], "fixed_ips": [{"ip_address": "10.99.0.1"}]}]
    }
    before = len(cloud.member.get(f"{N}/ports").json()["ports"])
    assert cloud.member.post(f"{N}/ports", json=body).status_code == 400
    assert len(cloud.member.get(f"{N}/ports").json()["ports"]) == before


def test_the_default_group_lets_members_in_and_all_out(cloud):
    groups = cloud.member.get(f"{N}/security-groups").json()["security_groups"]
    assert [group["name"] for group in groups] == ["default"]
    rules = groups[0]["security_group_rules"]
    mine = {(rule["direction"], rule["ethertype"], rule["remote_group_id"]) for rule in rules}
    own = groups[0]["id"]
    assert mine == {("egress", e, None) for e in ("IPv4", "IPv6")} | {
        ("ingress", e, own) for e in ("IPv4", "IPv6")
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"protocol": "tcp", "port_range_min": 90, "port_range_max": 80}, "port range"),
        ({"protocol": "icmp", "port_range_max": 1}, "type"),
        ({"protocol": "nonsense"}, "nonsense"),
        ({"remote_ip_prefix": "10.0.0.0/33"}, "10.0.0.0/33"),
        ({"ethertype": "IPv6", "remote_ip_prefix": "10.0.0.0/8"}, "ethertype"),
        ({"port_range_min": 1, "port_range_max": 2}, "protocol"),
    ],
)
def test_a_bad_rule_is_refused_with_the_reason(cloud, body, words):
    group = cloud.member.get(f"{N}/security-groups").json()["security_groups"][0]["id"]
    answer = cloud.member.post(
        f"{N}/security-group-rules",
        json={"security_group_rule": {"security_group_id": group, "direction": "ingress"} | body},
    )
    assert answer.status_code == 400
    assert words in answer.json()["NeutronError"]["message"]


def test_a_stale_revision_changes_nothing(cloud, net):
    path = f"{N}/networks/{net[0]}"
    answer = cloud.member.put(
        path, json={"network": {"name": "new"}}, headers={"If-Match": "revision_number=99"}
    )
    assert answer.status_code == 412
    assert cloud.member.get(path).json()["network"]["name"] == "net"
