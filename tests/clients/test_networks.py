"""Networks, subnets, ports, routers, floating IPs and what belongs to them, with the real client."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def net(cloud):
    made = cloud.json("network", "create", "--dns-domain", "example.org.", "--tag", "red", "plain")
    cloud.json("subnet", "create", "--network", "plain", "--subnet-range", "10.9.0.0/24",
               "--dns-nameserver", "9.9.9.9", "--host-route", "destination=10.8.0.0/24,gateway=10.9.0.9", "plain4")  # fmt: skip
    return made


def test_networks_and_subnets_live_their_lives(cloud, net):
    assert (net["dns_domain"], net["tags"]) == ("example.org.", ["red"])
    cloud.run("network", "set", "--description", "d", "--mtu", "1400", "--tag", "blue", "plain")
    shown = cloud.json("network", "show", "plain")
    assert (shown["description"], shown["mtu"], sorted(shown["tags"])) == ("d", 1400, ["blue", "red"])
    cloud.run("network", "unset", "--tag", "blue", "plain")
    assert [n["Name"] for n in cloud.json("network", "list", "--tags", "red")] == ["plain"]
    vlan = cloud.json("network", "create", "--provider-network-type", "vlan", "--provider-physical-network", "physnet1",
                      "--provider-segment", "77", "--share", "lan")  # fmt: skip
    assert (vlan["provider:segmentation_id"], vlan["shared"]) == (77, True)
    assert [
        n["Name"] for n in cloud.json("network", "list", "--share", "--provider-network-type", "vlan")
    ] == ["lan"]
    cloud.run("network", "delete", "lan")
    cloud.run(
        "subnet", "set", "--no-dns-nameservers", "--service-type", "compute:nova", "--name", "four", "plain4"
    )
    four = cloud.json("subnet", "show", "four")
    assert (four["dns_nameservers"], four["service_types"]) == ([], ["compute:nova"])
    cloud.run(
        "subnet",
        "unset",
        "--service-type",
        "compute:nova",
        "--host-route",
        "destination=10.8.0.0/24,gateway=10.9.0.9",
        "four",
    )
    cloud.run("subnet", "set", "--name", "plain4", "four")
    six = cloud.json("subnet", "create", "--network", "plain", "--ip-version", "6", "--subnet-range", "fd00:9::/64",
                     "--ipv6-ra-mode", "slaac", "--ipv6-address-mode", "slaac", "plain6")  # fmt: skip
    assert six["ipv6_ra_mode"] == "slaac"
    assert {s["Name"] for s in cloud.json("subnet", "list", "--network", "plain")} == {"plain4", "plain6"}
    cloud.run("subnet", "delete", "plain6")
    assert cloud.json("ip", "availability", "show", "plain")["total_ips"] == 253
    assert "plain" in [one["Network Name"] for one in cloud.json("ip", "availability", "list")]


def test_pools_scopes_and_onboarding(cloud):
    scope = cloud.json("address", "scope", "create", "--share", "scope")
    cloud.run("address", "scope", "set", "--name", "scope2", "scope")
    assert cloud.json("address", "scope", "show", "scope2")["id"] == scope["id"]
    pool = cloud.json("subnet", "pool", "create", "--pool-prefix", "10.64.0.0/16", "--default-prefix-length", "26",
                      "--address-scope", "scope2", "--default-quota", "1000", "pool")  # fmt: skip
    cloud.run("subnet", "pool", "set", "--pool-prefix", "10.65.0.0/16", "--tag", "t", "pool")
    assert cloud.json("subnet", "pool", "show", "pool")["prefixes"] == ["10.64.0.0/15"]
    cloud.run("subnet", "pool", "unset", "--tag", "t", "pool")
    cloud.run("network", "create", "pooled")
    got = cloud.json("subnet", "create", "--network", "pooled", "--subnet-pool", "pool", "pooled")
    assert (got["cidr"], got["subnetpool_id"]) == ("10.64.0.0/26", pool["id"])
    assert pool["id"] in [
        one["ID"] for one in cloud.json("subnet", "pool", "list", "--address-scope", "scope2")
    ]
    assert scope["id"] in [one["ID"] for one in cloud.json("address", "scope", "list", "--ip-version", "4")]
    cloud.run("network", "create", "old")
    cloud.run("subnet", "create", "--network", "old", "--subnet-range", "10.99.0.0/24", "old")
    cloud.run("network", "onboard", "subnet", "old", "pool")
    assert cloud.json("subnet", "show", "old")["subnetpool_id"] == pool["id"]
    assert "in use" in cloud.fails("address", "scope", "delete", "scope2")
    cloud.run("network", "delete", "pooled", "old")
    cloud.run("subnet", "pool", "delete", "pool")
    cloud.run("address", "scope", "delete", "scope2")


def test_ports_and_trunks(cloud, net):
    made = cloud.json("port", "create", "--network", "plain", "--fixed-ip", "ip-address=10.9.0.50", "--dns-name", "web",
                      "--allowed-address", "ip-address=10.9.0.200", "--extra-dhcp-option",
                      "name=bootfile-name,value=boot.0", "p1")  # fmt: skip
    assert made["dns_assignment"][0]["fqdn"] == "web.example.org."
    cloud.run("port", "set", "--description", "d", "--tag", "t", "--data-plane-status", "ACTIVE", "p1")
    cloud.run(
        "port",
        "unset",
        "--allowed-address",
        f"ip-address=10.9.0.200,mac-address={made['mac_address']}",
        "--data-plane-status",
        "p1",
    )
    shown = cloud.json("port", "show", "p1")
    assert (shown["description"], shown["allowed_address_pairs"], shown["data_plane_status"]) == (
        "d",
        [],
        None,
    )
    assert [p["Name"] for p in cloud.json("port", "list", "--fixed-ip", "ip-substring=10.9.0.5")] == ["p1"]
    cloud.run("port", "create", "--network", "plain", "p2")
    trunk = cloud.json("network", "trunk", "create", "--parent-port", "p1", "t1")
    cloud.run("network", "trunk", "set", "--description", "d", "--subport",
              "port=p2,segmentation-type=vlan,segmentation-id=9", "t1")  # fmt: skip
    assert cloud.json("network", "trunk", "show", "t1")["description"] == "d"
    assert [one["Segmentation ID"] for one in cloud.json("network", "subport", "list", "--trunk", "t1")] == [
        9
    ]
    assert trunk["id"] in [one["ID"] for one in cloud.json("network", "trunk", "list")]
    cloud.run("network", "trunk", "unset", "--subport", "p2", "t1")
    cloud.run("network", "trunk", "delete", "t1")
    cloud.run("port", "delete", "p1", "p2")


def test_routers_floating_ips_and_forwarded_ports(cloud, net):
    cloud.run("router", "create", "--external-gateway", "public", "--disable-snat", "r1")
    cloud.run("router", "add", "subnet", "r1", "plain4")
    cloud.run("router", "set", "--enable-snat", "--external-gateway", "public", "--description", "d", "r1")
    cloud.run("router", "add", "route", "--route", "destination=10.7.0.0/24,gateway=10.9.0.77", "r1")
    assert cloud.json("router", "show", "r1")["routes"] == [
        {"destination": "10.7.0.0/24", "nexthop": "10.9.0.77"}
    ]
    cloud.run("router", "remove", "route", "--route", "destination=10.7.0.0/24,gateway=10.9.0.77", "r1")
    assert "r1" in [one["Name"] for one in cloud.json("router", "list")]
    cloud.run("port", "create", "--network", "plain", "inside")
    whole = cloud.json("floating", "ip", "create", "--port", "inside", "public")
    assert whole["router_id"] == cloud.json("router", "show", "r1")["id"]
    cloud.run("floating", "ip", "unset", "--port", whole["id"])
    cloud.run("floating", "ip", "set", "--port", "inside", whole["id"])
    assert whole["id"] in [one["ID"] for one in cloud.json("floating", "ip", "list", "--router", "r1")]
    cloud.run("floating", "ip", "delete", whole["id"])
    part = cloud.json("floating", "ip", "create", "public")["id"]
    inside = cloud.json("port", "show", "inside")
    forward = ("floating", "ip", "port", "forwarding")
    made = cloud.json(*forward, "create", "--port", inside["id"], "--internal-ip-address",
                      inside["fixed_ips"][0]["ip_address"], "--internal-protocol-port", "22",
                      "--external-protocol-port", "8022", "--protocol", "tcp", part)  # fmt: skip
    cloud.run(*forward, "set", "--external-protocol-port", "9022", part, made["id"])
    assert cloud.json(*forward, "show", part, made["id"])["external_port"] == 9022
    assert [one["ID"] for one in cloud.json(*forward, "list", part)] == [made["id"]]
    cloud.run(*forward, "delete", part, made["id"])
    cloud.run("floating", "ip", "delete", part)
    cloud.run("router", "remove", "subnet", "r1", "plain4")
    cloud.run("router", "add", "port", "r1", "inside")
    cloud.run("router", "remove", "port", "r1", "inside")
    cloud.run("router", "unset", "--external-gateway", "r1")
    cloud.run("router", "delete", "r1")


def test_security_groups_and_address_groups(cloud):
    group = cloud.json("security", "group", "create", "--stateless", "sg")
    assert group["stateful"] is False
    cloud.run("security", "group", "set", "--description", "d", "--tag", "t", "sg")
    cloud.run("security", "group", "unset", "--tag", "t", "sg")
    addresses = cloud.json("address", "group", "create", "--address", "10.0.0.1", "ag")
    cloud.run("address", "group", "set", "--address", "10.0.0.2", "ag")
    cloud.run("address", "group", "unset", "--address", "10.0.0.1", "ag")
    assert cloud.json("address", "group", "show", "ag")["addresses"] == ["10.0.0.2/32"]
    assert addresses["id"] in [one["ID"] for one in cloud.json("address", "group", "list")]
    rule = cloud.json("security", "group", "rule", "create", "--protocol", "tcp", "--dst-port", "22:23",
                      "--remote-address-group", "ag", "sg")  # fmt: skip
    assert rule["port_range_max"] == 23
    assert rule["id"] in [one["ID"] for one in cloud.json("security", "group", "rule", "list", "sg")]
    assert (
        cloud.json("security", "group", "rule", "show", rule["id"])["remote_address_group_id"]
        == addresses["id"]
    )
    cloud.run("security", "group", "rule", "delete", rule["id"])
    assert "sg" in [one["Name"] for one in cloud.json("security", "group", "list")]
    cloud.run("security", "group", "delete", "sg")
    cloud.run("address", "group", "delete", "ag")
    template = cloud.json(
        "default", "security", "group", "rule", "create", "--protocol", "udp", "--dst-port", "53"
    )
    assert template["id"] in [one["ID"] for one in cloud.json("default", "security", "group", "rule", "list")]
    assert cloud.json("default", "security", "group", "rule", "show", template["id"])["protocol"] == "udp"
    cloud.run("default", "security", "group", "rule", "delete", template["id"])


def test_qos_and_rbac(cloud, net):
    cloud.run("network", "qos", "policy", "create", "--share", "gold")
    cloud.run("network", "qos", "policy", "set", "--description", "d", "gold")
    rule = cloud.json(
        "network",
        "qos",
        "rule",
        "create",
        "--type",
        "bandwidth-limit",
        "--max-kbps",
        "500",
        "--ingress",
        "gold",
    )
    cloud.run("network", "qos", "rule", "set", "--max-kbps", "600", "gold", rule["id"])
    assert cloud.json("network", "qos", "rule", "show", "gold", rule["id"])["max_kbps"] == 600
    assert [one["ID"] for one in cloud.json("network", "qos", "rule", "list", "gold")] == [rule["id"]]
    types = cloud.json("network", "qos", "rule", "type", "list")
    assert [one["Type"] for one in types] == ["bandwidth_limit", "dscp_marking", "minimum_bandwidth"]
    assert cloud.json("network", "qos", "rule", "type", "show", "dscp_marking")["drivers"]
    cloud.run("network", "set", "--qos-policy", "gold", "plain")
    assert "is used by" in cloud.fails("network", "qos", "policy", "delete", "gold")
    cloud.run("network", "set", "--no-qos-policy", "plain")
    cloud.run("network", "qos", "rule", "delete", "gold", rule["id"])
    assert cloud.json("network", "qos", "policy", "show", "gold")["rules"] == []
    assert "gold" in [one["Name"] for one in cloud.json("network", "qos", "policy", "list")]
    cloud.run("network", "qos", "policy", "delete", "gold")
    policy = cloud.json("network", "rbac", "create", "--type", "network", "--action", "access_as_shared",
                        "--target-project", "demo", "plain")  # fmt: skip
    cloud.run("network", "rbac", "set", "--target-project", "admin", policy["id"])
    assert cloud.json("network", "rbac", "show", policy["id"])["object_id"] == net["id"]
    assert policy["id"] in [one["ID"] for one in cloud.json("network", "rbac", "list")]
    cloud.run("network", "rbac", "delete", policy["id"])


def test_what_operators_look_at(cloud):
    agents = cloud.json("network", "agent", "list")
    assert [(one["Host"], one["Alive"]) for one in agents] == [("host1", True)]
    assert cloud.json("network", "agent", "show", agents[0]["ID"])["binary"] == "ovn-controller"
    assert cloud.json("network", "service", "provider", "list") == [{"Service Type": "L3_ROUTER_NAT", "Name": "ovn", "Default": True}]  # fmt: skip
    assert {one["Zone Name"] for one in cloud.json("availability", "zone", "list", "--network")} == {"nova"}
    cloud.run("extension", "list", "--network")
    assert cloud.json("extension", "show", "trunk")["alias"] == "trunk"
    assert "ports" in cloud.run("quota", "show", "--network", "demo")
    cloud.run("quota", "set", "--networks", "7", "demo")
    assert any(
        one["Resource"] == "networks" and one["Limit"] == 7
        for one in cloud.json("quota", "show", "--network", "demo")
    )
    cloud.run("quota", "delete", "--network", "demo")
    checked = ("network", "auto", "allocated", "topology", "create", "--check-resources")
    assert "dry_run" in cloud.run(*checked), "a cloud begins with what such a topology needs"
