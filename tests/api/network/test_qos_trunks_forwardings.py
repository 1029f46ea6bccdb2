"""QoS policies, trunks and forwarded ports over the fake engine."""

from __future__ import annotations

import pytest

N = "/network/v2.0"


def post(client, path, status=201, **body):
    answer = client.post(f"{N}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return next(iter(answer.json().values()))


@pytest.fixture
def net(cloud):
    id = post(cloud.member, "networks", network={"name": "n"})["id"]
    return id, post(
        cloud.member, "subnets", subnet={"network_id": id, "cidr": "10.5.0.0/24", "ip_version": 4}
    )["id"]


def port(cloud, net, **more):
    return post(cloud.member, "ports", port={"network_id": net[0]} | more)["id"]


def test_a_policy_limits_marks_and_stands_in_the_way_of_its_deletion(cloud, net):
    post(cloud.member, "qos/policies", 403, policy={"name": "gold"})
    policy = post(cloud.admin, "qos/policies", policy={"name": "gold", "shared": True})["id"]
    path = f"qos/policies/{policy}"
    limit = post(cloud.admin, f"{path}/bandwidth_limit_rules", bandwidth_limit_rule={"max_kbps": 1000})
    assert (limit["direction"], limit["max_burst_kbps"]) == ("egress", 0)
    post(cloud.admin, f"{path}/bandwidth_limit_rules", 409, bandwidth_limit_rule={"max_kbps": 1})
    post(
        cloud.admin,
        f"{path}/bandwidth_limit_rules",
        bandwidth_limit_rule={"max_kbps": 9, "direction": "ingress"},
    )
    post(cloud.admin, f"{path}/dscp_marking_rules", 400, dscp_marking_rule={"dscp_mark": 5})
    post(cloud.admin, f"{path}/dscp_marking_rules", dscp_marking_rule={"dscp_mark": 26})
    shown = cloud.member.get(f"{N}/{path}").json()["policy"]
    assert sorted(rule["type"] for rule in shown["rules"]) == [
        "bandwidth_limit",
        "bandwidth_limit",
        "dscp_marking",
    ]
    alias = f"{N}/qos/alias-bandwidth-limit-rules/{limit['id']}"
    changed = cloud.admin.put(alias, json={"alias_bandwidth_limit_rule": {"max_kbps": 7}})
    assert changed.json()["alias_bandwidth_limit_rule"]["max_kbps"] == 7
    assert cloud.member.put(alias, json={"alias_bandwidth_limit_rule": {"max_kbps": 8}}).status_code in (
        403,
        404,
    )
    mine = port(cloud, net, qos_policy_id=policy)
    used = cloud.admin.delete(f"{N}/{path}")
    assert (used.status_code, mine in used.json()["NeutronError"]["message"]) == (409, True)
    assert cloud.member.put(f"{N}/ports/{mine}", json={"port": {"qos_policy_id": None}}).status_code == 200
    assert cloud.admin.delete(f"{N}/{path}").status_code == 204


def test_a_foreign_policy_cannot_be_used(cloud, net):
    policy = post(cloud.admin, "qos/policies", policy={"name": "mine"})["id"]
    post(cloud.member, "ports", 404, port={"network_id": net[0], "qos_policy_id": policy})
    assert cloud.member.get(f"{N}/qos/policies/{policy}").status_code == 404


def test_the_default_policy_is_a_new_networks(cloud):
    body = {"name": "d", "is_default": True, "project_id": cloud.member.project_id}
    policy = post(cloud.admin, "qos/policies", policy=body)["id"]
    post(cloud.admin, "qos/policies", 409, policy=body)
    assert post(cloud.member, "networks", network={})["qos_policy_id"] == policy
    assert post(cloud.member, "networks", network={"qos_policy_id": None})["qos_policy_id"] is None


def test_only_what_the_engine_enforces_is_a_rule_type(cloud):
    listed = cloud.member.get(f"{N}/qos/rule-types").json()["rule_types"]
    assert [one["type"] for one in listed] == ["bandwidth_limit", "dscp_marking", "minimum_bandwidth"]
    assert cloud.admin.get(f"{N}/qos/rule-types/packet_rate_limit").status_code == 404
    shown = cloud.admin.get(f"{N}/qos/rule-types/dscp_marking").json()["rule_type"]
    assert 26 in shown["drivers"][0]["supported_parameters"][0]["parameter_values"]


def test_a_trunk_holds_its_ports(cloud, net):
    parent, child, other = (port(cloud, net) for _ in range(3))
    subs = [{"port_id": child, "segmentation_type": "vlan", "segmentation_id": 7}]
    trunk = post(cloud.member, "trunks", trunk={"port_id": parent, "sub_ports": subs})["id"]
    path = f"{N}/trunks/{trunk}"
    details = cloud.member.get(f"{N}/ports/{parent}").json()["port"]["trunk_details"]
    assert [(one["port_id"], one["segmentation_id"]) for one in details["sub_ports"]] == [(child, 7)]
    for id, kind in ((parent, "PortInUseAsTrunkParent"), (child, "PortInUseAsSubPort")):
        answer = cloud.member.delete(f"{N}/ports/{id}")
        assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, kind)
    twice = {"sub_ports": [{"port_id": other, "segmentation_type": "vlan", "segmentation_id": 7}]}
    assert cloud.member.put(f"{path}/add_subports", json=twice).status_code == 409
    more = {"sub_ports": [{"port_id": other, "segmentation_type": "vlan", "segmentation_id": 8}]}
    assert len(cloud.member.put(f"{path}/add_subports", json=more).json()["sub_ports"]) == 2
    assert cloud.foreign.put(f"{path}/add_subports", json=more).status_code == 404
    cloud.admin.put(f"{N}/ports/{parent}", json={"port": {"binding:host_id": "host1"}})
    cloud.settle()
    assert cloud.member.get(path).json()["trunk"]["status"] == "ACTIVE"
    assert cloud.member.get(f"{N}/ports/{child}").json()["port"]["status"] == "ACTIVE"
    assert (
        len(
            cloud.member.put(f"{path}/remove_subports", json={"sub_ports": [{"port_id": other}]}).json()[
                "sub_ports"
            ]
        )
        == 1
    )
    assert (
        cloud.member.put(f"{path}/remove_subports", json={"sub_ports": [{"port_id": other}]}).status_code
        == 404
    )
    assert (
        cloud.member.put(path, json={"trunk": {"admin_state_up": False}}).json()["trunk"]["status"] == "DOWN"
    )
    assert (
        cloud.member.put(f"{path}/add_subports", json=more).json()["NeutronError"]["type"] == "TrunkDisabled"
    )
    assert cloud.member.delete(path).status_code == 204
    freed = cloud.member.get(f"{N}/ports/{child}").json()["port"]
    assert (freed["device_owner"], freed["device_id"], freed["status"]) == ("", "", "DOWN")


@pytest.fixture
def floating(cloud, net):
    outside = post(cloud.admin, "networks", network={"router:external": True})["id"]
    body = {"network_id": outside, "cidr": "172.24.9.0/24", "ip_version": 4, "enable_dhcp": False}
    post(cloud.admin, "subnets", subnet=body)
    router = post(cloud.member, "routers", router={"external_gateway_info": {"network_id": outside}})["id"]
    assert (
        cloud.member.put(f"{N}/routers/{router}/add_router_interface", json={"subnet_id": net[1]}).status_code
        == 200
    )
    return post(cloud.member, "floatingips", floatingip={"floating_network_id": outside})["id"], router


def test_ports_of_a_floating_ip_lead_inside(cloud, net, floating):
    inside = port(cloud, net)
    path = f"floatingips/{floating[0]}/port_forwardings"
    body = {"protocol": "tcp", "internal_port_id": inside, "internal_port": 22, "external_port": 8022}
    made = post(cloud.member, path, port_forwarding=body)
    assert (made["internal_ip_address"], made["external_port_range"]) == ("10.5.0.3", "8022:8022")
    shown = cloud.member.get(f"{N}/floatingips/{floating[0]}").json()["floatingip"]
    assert (shown["status"], shown["router_id"], len(shown["port_forwardings"])) == ("ACTIVE", floating[1], 1)
    spans = {"internal_port": None, "external_port": None, "internal_port_range": "10:12"}
    post(cloud.member, path, 400, port_forwarding=body | spans | {"external_port_range": "8100:8101"})
    clash = post(cloud.member, path, 409, port_forwarding=body | spans | {"external_port_range": "8021:8023"})
    assert made["id"] in clash["message"]
    post(
        cloud.member,
        path,
        port_forwarding=body | spans | {"external_port_range": "8021:8023", "protocol": "udp"},
    )
    whole = cloud.member.put(f"{N}/floatingips/{floating[0]}", json={"floatingip": {"port_id": inside}})
    assert whole.json()["NeutronError"]["type"] == "FipInUseByPortForwarding"
    one = f"{N}/{path}/{made['id']}"
    changed = cloud.member.put(one, json={"port_forwarding": {"external_port": 9022}}).json()[
        "port_forwarding"
    ]
    assert (changed["external_port"], changed["internal_port"]) == (9022, 22)
    assert cloud.foreign.get(one).status_code == 404
    assert cloud.foreign.delete(one).status_code == 404
    assert cloud.member.delete(one).status_code == 204
    assert cloud.member.delete(f"{N}/ports/{inside}").status_code == 204
    assert cloud.member.get(f"{N}/{path}").json()["port_forwardings"] == []


def test_a_gateway_and_a_floating_ip_have_policies(cloud, floating):
    policy = post(cloud.admin, "qos/policies", policy={"name": "gold", "shared": True})["id"]
    info = {"external_gateway_info": {"qos_policy_id": policy}}
    answer = cloud.member.put(f"{N}/routers/{floating[1]}", json={"router": info})
    assert answer.json()["router"]["external_gateway_info"]["qos_policy_id"] == policy
    body = {"floatingip": {"qos_policy_id": policy}}
    assert (
        cloud.member.put(f"{N}/floatingips/{floating[0]}", json=body).json()["floatingip"]["qos_policy_id"]
        == policy
    )
    assert cloud.admin.delete(f"{N}/qos/policies/{policy}").status_code == 409
