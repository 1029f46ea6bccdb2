"""The networks that the tests with packets are about: red and blue have the same addresses and MACs."""

from __future__ import annotations

from clearsky.network.model import (
    FixedIp,
    FloatingIp,
    Network,
    Port,
    Router,
    Rule,
    SecurityGroup,
    Subnet,
    Topology,
)


def _network(id, number):
    return Network(id, id, True, 1450, "vxlan", None, number, False)


def _subnet(id, network, cidr, gateway):
    return Subnet(id, network, 4, cidr, gateway, True, None, None, ("9.9.9.9",), ())


def _port(id, network, subnet, mac, ip, groups=(), owner="compute:nova", device="", **more):
    return Port(
        id,
        network,
        id,
        mac,
        True,
        device,
        owner,
        "host1",
        bool(groups),
        (FixedIp(subnet, ip),),
        tuple(groups),
        (),
        **more,
    )


def _rule(id, group, direction, **more):
    empty = dict.fromkeys(
        ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")
    )
    return Rule(
        **({"id": id, "security_group_id": group, "direction": direction, "ethertype": "IPv4"} | empty | more)
    )


MAC = "fa:16:3e:00:00:1{}"
PUBLIC = Network("public", "public", True, 1500, "flat", "physnet1", None, True)
TOPOLOGY = Topology(
    networks=(_network("red", 1), _network("blue", 2), _network("green", 3), PUBLIC),
    subnets=(
        _subnet("red-s", "red", "10.1.0.0/24", "10.1.0.1"),
        _subnet("blue-s", "blue", "10.1.0.0/24", "10.1.0.1"),
        _subnet("green-s", "green", "10.2.0.0/24", "10.2.0.1"),
        Subnet("public-s", "public", 4, "172.24.4.0/24", "172.24.4.1", False, None, None, (), ()),
    ),
    ports=(
        _port("red1", "red", "red-s", MAC.format(1), "10.1.0.11", ["sg-open"]),
        _port("red2", "red", "red-s", MAC.format(2), "10.1.0.12", ["sg-open"]),
        _port("red3", "red", "red-s", MAC.format(3), "10.1.0.13", ["sg-shut"]),
        _port("blue1", "blue", "blue-s", MAC.format(1), "10.1.0.11", ["sg-open"]),
        _port("blue2", "blue", "blue-s", MAC.format(4), "10.1.0.14", ["sg-open"]),
        _port("green1", "green", "green-s", MAC.format(5), "10.2.0.11", ["sg-open"]),
        _port(
            "r-red", "red", "red-s", MAC.format(6), "10.1.0.1", owner="network:router_interface", device="r"
        ),
        _port(
            "r-green",
            "green",
            "green-s",
            MAC.format(7),
            "10.2.0.1",
            owner="network:router_interface",
            device="r",
        ),
        _port(
            "r-gw",
            "public",
            "public-s",
            MAC.format(8),
            "172.24.4.10",
            owner="network:router_gateway",
            device="r",
        ),
    ),
    routers=(Router("r", "r", True, True, "r-gw", ()),),
    floating_ips=(FloatingIp("fip", "172.24.4.20", "10.1.0.11", "r", "red1"),),
    security_groups=(SecurityGroup("sg-open", True), SecurityGroup("sg-shut", True)),
    rules=(
        _rule("open-in", "sg-open", "ingress"),
        _rule("open-out", "sg-open", "egress"),
        _rule("shut-out", "sg-shut", "egress"),
    ),
    gateway_hosts=("host1",),
)
