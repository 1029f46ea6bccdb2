"""The translation's rules, without OVN."""

from __future__ import annotations

import pytest

from clearsky.network.model import FixedIp, Network, Port, Rule, Subnet, Topology
from clearsky.network.ovn.translate import translate
from clearsky.network.ovn.translate.security import match_of


def _rule(**more):
    base = {
        "id": "r", "security_group_id": "a-b", "direction": "ingress", "ethertype": "IPv4", "protocol": None,
        "port_range_min": None, "port_range_max": None, "remote_ip_prefix": None, "remote_group_id": None,
    }  # fmt: skip
    return Rule(**(base | more))


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (_rule(), "outport == @pg_a_b && ip4"),
        (_rule(direction="egress", ethertype="IPv6"), "inport == @pg_a_b && ip6"),
        (
            _rule(protocol="tcp", port_range_min=22, port_range_max=22),
            "outport == @pg_a_b && ip4 && tcp && tcp.dst == 22",
        ),
        (
            _rule(protocol="17", port_range_min=1, port_range_max=9),
            "outport == @pg_a_b && ip4 && udp && udp.dst >= 1 && udp.dst <= 9",
        ),
        (
            _rule(protocol="icmp", port_range_min=8, port_range_max=0),
            "outport == @pg_a_b && ip4 && icmp4 && icmp4.type == 8 && icmp4.code == 0",
        ),
        (_rule(remote_group_id="c-d"), "outport == @pg_a_b && ip4 && ip4.src == $pg_c_d_ip4"),
        (
            _rule(remote_ip_prefix="10.0.0.0/8", direction="egress"),
            "inport == @pg_a_b && ip4 && ip4.dst == 10.0.0.0/8",
        ),
        (_rule(remote_ip_prefix="0.0.0.0/0"), "outport == @pg_a_b && ip4"),
        (_rule(protocol="gre"), "outport == @pg_a_b && ip4 && ip.proto == 47"),
    ],
)
def test_a_rule_becomes_a_match(rule, match):
    assert match_of(rule) == match


def _one_port(**port):
    base = {
        "id": "p", "network_id": "n", "name": "", "mac_address": "fa:16:3e:00:00:01", "admin_state_up": True,
        "device_id": "s", "device_owner": "compute:nova", "host": "h", "port_security_enabled": True,
        "fixed_ips": (FixedIp("s4", "10.0.0.5"),), "security_group_ids": (), "allowed_address_pairs": (),
    }  # fmt: skip
    return Topology(
        networks=(Network("n", "n", True, 1450, "vxlan", None, 1, False),),
        subnets=(Subnet("s4", "n", 4, "10.0.0.0/24", "10.0.0.1", True, None, None, ("9.9.9.9",), (("10.8.0.0/16", "10.0.0.9"),)),),
        ports=(
            Port(**(base | port)),
            Port(**(base | {"id": "m", "device_owner": "network:distributed", "port_security_enabled": False,
                            "mac_address": "fa:16:3e:00:00:02", "fixed_ips": (FixedIp("s4", "10.0.0.2"),)})),
        ),
    )  # fmt: skip


def test_a_lease_has_mtu_and_every_route():
    options = translate(_one_port())["dhcp-s4"].columns["options"]
    assert options["mtu"] == "1450"
    assert (
        options["classless_static_route"]
        == "{169.254.169.254/32,10.0.0.2, 10.8.0.0/16,10.0.0.9, 0.0.0.0/0,10.0.0.1}"
    )


def test_a_port_may_only_speak_as_itself():
    assert translate(_one_port())["port-p"].columns["port_security"] == ["fa:16:3e:00:00:01 10.0.0.5"]


def test_a_port_without_an_address_may_not_speak_as_anybody():
    assert translate(_one_port(fixed_ips=()))["port-p"].columns["port_security"] == [
        "fa:16:3e:00:00:01 0.0.0.0"
    ]


def test_address_pairs_are_added_to_what_a_port_may_say():
    pairs = (("fa:16:3e:00:00:01", "10.0.0.200"), ("fa:16:3e:00:00:aa", "10.0.0.201"))
    assert translate(_one_port(allowed_address_pairs=pairs))["port-p"].columns["port_security"] == [
        "fa:16:3e:00:00:01 10.0.0.5 10.0.0.200",
        "fa:16:3e:00:00:aa 10.0.0.201",
    ]


def test_every_port_with_security_is_under_the_drop():
    assert translate(_one_port())["clearsky_drop"].refs["ports"] == ("port-p",)
    assert translate(_one_port(port_security_enabled=False))["clearsky_drop"].refs["ports"] == ()


def test_no_rule_toward_a_port_looks_at_where_it_came_from():
    for row in translate(_one_port()).values():
        if row.table == "ACL" and row.columns["direction"] == "to-lport":
            assert "inport" not in row.columns["match"]
