"""What operators do with networks by the real client: gateways, ranges, promises, defaults; and what is not there."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def net(cloud):
    cloud.run("network", "create", "inner")
    cloud.run("subnet", "create", "--network", "inner", "--subnet-range", "10.19.0.0/24", "inner4")
    return "inner"


def test_a_router_gets_a_second_gateway(cloud):
    cloud.run("network", "create", "--external", "--provider-network-type", "vlan", "--provider-physical-network",
              "physnet1", "outer")  # fmt: skip
    cloud.run(
        "subnet", "create", "--network", "outer", "--subnet-range", "172.29.0.0/24", "--no-dhcp", "outer4"
    )
    cloud.run("router", "create", "--external-gateway", "public", "--enable-default-route-ecmp", "many")
    cloud.run("router", "add", "gateway", "--fixed-ip", "ip-address=172.29.0.40", "many", "outer")
    shown = cloud.json("router", "show", "many")
    addresses = [one["external_fixed_ips"][0]["ip_address"] for one in shown["external_gateways"]]
    assert (addresses[1], shown["enable_default_route_ecmp"]) == ("172.29.0.40", True)
    cloud.run("router", "remove", "gateway", "many", "public")
    assert cloud.json("router", "show", "many")["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] == "172.29.0.40"  # fmt: skip
    cloud.run("router", "delete", "many")
    cloud.run("network", "delete", "outer")


def test_a_port_gets_an_ndp_proxy(cloud):
    cloud.run("address", "scope", "create", "--ip-version", "6", "six")
    for name, prefix in (("six-out", "2001:db8:40::/56"), ("six-in", "2001:db8:80::/56")):
        cloud.run("subnet", "pool", "create", "--pool-prefix", prefix, "--default-prefix-length", "64",
                  "--address-scope", "six", name)  # fmt: skip
        cloud.run("network", "create", *(["--external", "--provider-network-type", "vlan", "--provider-physical-network", "physnet1"] if name == "six-out" else []), name)  # fmt: skip
        cloud.run("subnet", "create", "--network", name, "--ip-version", "6", "--subnet-pool", name, name)
    cloud.run("router", "create", "--external-gateway", "six-out", "r6")
    cloud.run("router", "set", "--enable-ndp-proxy", "r6")
    cloud.run("router", "add", "subnet", "r6", "six-in")
    port = cloud.json("port", "create", "--network", "six-in", "p6")
    made = cloud.json("router", "ndp", "proxy", "create", "--name", "proxy", "--port", "p6", "r6")
    assert made["ip_address"] == port["fixed_ips"][0]["ip_address"]
    cloud.run("router", "ndp", "proxy", "set", "--description", "d", "proxy")
    assert cloud.json("router", "ndp", "proxy", "show", "proxy")["description"] == "d"
    listed = cloud.json("router", "ndp", "proxy", "list", "--router", "r6")
    assert [one["IP Address"] for one in listed] == [made["ip_address"]]
    assert "NDP proxy" in cloud.fails("router", "unset", "--external-gateway", "r6")
    cloud.run("router", "ndp", "proxy", "delete", "proxy")
    cloud.run("router", "set", "--disable-ndp-proxy", "r6")
    cloud.run("router", "remove", "subnet", "r6", "six-in")
    cloud.run("router", "delete", "r6")
    cloud.run("port", "delete", "p6")
    cloud.run("network", "delete", "six-in", "six-out")
    cloud.run("subnet", "pool", "delete", "six-in", "six-out")
    cloud.run("address", "scope", "delete", "six")


def test_ranges_of_segments(cloud):
    made = cloud.json("network", "segment", "range", "create", "--private", "--project", "demo", "--network-type",
                      "vxlan", "--minimum", "3000", "--maximum", "3001", "range")  # fmt: skip
    assert (made["shared"], made["available"]) == (False, ["3000-3001"])
    cloud.run("network", "segment", "range", "set", "--minimum", "3000", "--maximum", "3009", "range")
    assert cloud.json("network", "segment", "range", "show", "range")["maximum"] == 3009
    named = {one["Name"]: one for one in cloud.json("network", "segment", "range", "list", "--long")}
    assert named["range"]["Minimum ID"] == 3000
    assert {one["Default"] for one in named.values()} == {True, False}
    cloud.run("network", "create", "--project", "demo", "numbered")
    assert cloud.json("network", "show", "numbered")["provider:segmentation_id"] == 3000
    assert "referenced" in cloud.fails("network", "segment", "range", "delete", "range")
    cloud.run("network", "delete", "numbered")
    cloud.run("network", "segment", "range", "delete", "range")


def test_defaults_of_security_groups(cloud):
    what = ("security", "group", "default", "statefulness")
    made = cloud.json("security", "group", "default", "statefulness", "create", "--stateless", "--project", "demo")  # fmt: skip
    assert made["stateful"] is False
    assert cloud.json("security", "group", "create", "born", user="trial")["stateful"] is False
    cloud.run("security", "group", "default", "statefulness", "set", "--stateful", made["id"])
    assert cloud.json("security", "group", "default", "statefulness", "show", made["id"])["stateful"] is True
    assert [one["ID"] for one in cloud.json(*what, "list")] == [made["id"]]
    cloud.run("security", "group", "default", "statefulness", "delete", made["id"])
    assert cloud.json("security", "group", "default", "statefulness", "list") == []
    assert cloud.json("security", "group", "show", "born", user="trial")["stateful"] is False
    cloud.run("security", "group", "delete", "born", user="trial")


def test_bandwidth_is_promised_on_physical_networks(cloud, net):
    cloud.run("network", "qos", "policy", "create", "sure")
    rule = cloud.json("network", "qos", "rule", "create", "--type", "minimum-bandwidth", "--min-kbps", "500", "--egress",
                      "sure")  # fmt: skip
    assert (rule["min_kbps"], rule["direction"]) == (500, "egress")
    assert "physical network" in cloud.fails("port", "create", "--network", net, "--qos-policy", "sure", "no")
    port = cloud.json("port", "create", "--network", "public", "--qos-policy", "sure", "yes")
    assert port["resource_request"]["resources"] == {"NET_BW_EGR_KILOBIT_PER_SEC": 500}
    cloud.run("port", "delete", "yes")
    cloud.run("network", "qos", "policy", "delete", "sure")
    types = {one["Type"] for one in cloud.json("network", "qos", "rule", "type", "list", "--all-rules")}
    assert "packet_rate_limit" in types


def test_what_else_there_is(cloud, net):
    made = cloud.json("port", "create", "--network", net, "--device-profile", "gpu", "p")
    assert made["device_profile"] == "gpu"
    cloud.run("port", "create", "--network", net, "q")
    cloud.run("network", "trunk", "create", "--parent-port", "p", "t")
    cloud.run(
        "network",
        "trunk",
        "subport",
        "add",
        "--segmentation-type",
        "vlan",
        "--segmentation-id",
        "9",
        "t",
        "q",
    )
    assert [one["Segmentation ID"] for one in cloud.json("network", "trunk", "subport", "list", "t")] == [9]
    cloud.run("network", "trunk", "subport", "remove", "t", "q")
    assert cloud.json("network", "trunk", "subport", "list", "t") == []
    cloud.run("network", "trunk", "delete", "t")
    cloud.run("port", "delete", "p", "q")
    cloud.run(
        "subnet",
        "pool",
        "create",
        "--pool-prefix",
        "10.70.0.0/16",
        "--default-prefix-length",
        "24",
        "seventy",
    )
    cloud.run("network", "create", "joins")
    subnet = cloud.json("subnet", "create", "--network", "joins", "--subnet-range", "10.71.0.0/24", "joins4")
    cloud.run("subnet", "pool", "add", "network", "joins", "seventy")
    assert cloud.json("subnet", "show", subnet["id"])["subnetpool_id"] is not None
    cloud.run("network", "delete", "joins")
    cloud.run("subnet", "pool", "delete", "seventy")
    free = cloud.json("floating", "ip", "create", "public")
    assert cloud.json("floating", "ip", "show", free["id"])["status"] == "DOWN"
    cloud.run("floating", "ip", "delete", free["id"])
    topology = cloud.json("network", "auto", "allocated", "topology", "create")
    assert cloud.json("network", "show", topology["id"])["subnets"]
    cloud.run("network", "auto", "allocated", "topology", "delete")
    assert "No Network" in cloud.fails("network", "show", topology["id"])


NOT_THERE = """
local ip create --name x; local ip list; local ip show x; local ip set --name y x; local ip delete x
local ip association create x y; local ip association list x; local ip association delete x y
network flavor create --service-type L3_ROUTER_NAT x; network flavor list; network flavor show x
network flavor set --name y x; network flavor delete x; network flavor add profile x y; network flavor remove profile x y
network flavor profile create --driver x; network flavor profile list; network flavor profile show x
network flavor profile set --driver y x; network flavor profile delete x
network l3 conntrack helper create --helper tftp --protocol udp --port 69 ROUTER; network l3 conntrack helper list ROUTER
network l3 conntrack helper show ROUTER x; network l3 conntrack helper delete ROUTER x
network l3 conntrack helper set --port 70 ROUTER x
network meter create x; network meter list; network meter show x; network meter delete x
network meter rule create --remote-ip-prefix 10.0.0.0/8 x; network meter rule list; network meter rule show x
network meter rule delete x
network segment create --network inner --network-type vlan x; network segment list; network segment show x
network segment set --name y x; network segment delete x
network agent add network --dhcp AGENT inner; network agent remove network --dhcp AGENT inner
network agent add router --l3 AGENT ROUTER; network agent remove router --l3 AGENT ROUTER
network agent set --description x AGENT; network agent delete AGENT
network agent router set --ha-chassis-priority 1 AGENT ROUTER
"""
"""Commands for resources that this cloud does not have, and what fills their places."""


def test_what_is_not_there_is_refused_plainly(cloud, net):
    (agent,) = cloud.json("network", "agent", "list")
    cloud.run("router", "create", "lonely")
    places = {"AGENT": agent["ID"], "ROUTER": "lonely"}
    for command in NOT_THERE.strip().replace("\n", ";").split(";"):
        words = [places.get(word, word) for word in command.split()]
        if words[:2] == ["network", "agent"] and words[2] in ("add", "remove", "router"):
            cloud.openstack(*words)  # the client keeps to itself that it was refused
            continue
        said = cloud.fails(*words)
        plain = ("404", "405", "ResourceNotFound", "No ", "not found", "could not be found", "not supported")
        assert any(word in said for word in plain), f"{command}: {said}"
        assert "Server Error" not in said
    cloud.run("router", "delete", "lonely")


def test_every_command_of_the_network_family_was_run():
    sources = " ".join(path.read_text() for path in Path(__file__).parent.glob("test_network*.py"))
    tried = " ".join(sources.split()).replace("*forward,", '"floating", "ip", "port", "forwarding",')
    tried = tried.replace("( ", "(").replace("*what,", '"security", "group", "default", "statefulness",')
    absent = [" ".join(command.split()) for command in NOT_THERE.strip().replace("\n", ";").split(";")]
    missing = []
    for command in entry_points(group="openstack.network.v2"):
        words = command.name.split("_")
        quoted = ", ".join(f'"{word}"' for word in words)
        if quoted not in tried and not any(one.split()[: len(words)] == words for one in absent):
            missing.append(command.name)
    assert not missing
