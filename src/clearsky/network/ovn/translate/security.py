"""Security groups: port groups whose ACLs allow, above a drop that every port with security is under.

ACLs for traffic to a port never match `inport`: OVN does not enforce that across hosts under VXLAN.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict

from clearsky.network.model import PROTOCOLS, Rule
from clearsky.network.ovn.translate.picture import Picture

DROP_GROUP = "clearsky_drop"
NAMED = {"tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "sctp": "sctp", "132": "sctp"}
ICMP = {"icmp", "1", "icmpv6", "ipv6-icmp", "58"}


def add(p: Picture) -> None:
    secured = [
        port
        for port in p.t.ports
        if port.port_security_enabled
        and f"port-{port.id}" in p.rows
        and not port.device_owner.startswith("network:")
    ]
    members: dict[str, list[str]] = defaultdict(list)
    for port in secured:
        for group_id in port.security_group_ids:
            members[group_id].append(f"port-{port.id}")
    refs = {"ports": tuple(sorted(f"port-{port.id}" for port in secured))}
    p.add("Port_Group", DROP_GROUP, {"name": DROP_GROUP}, refs=refs)
    for direction, side in (("from-lport", "inport"), ("to-lport", "outport")):
        _acl(p, f"{DROP_GROUP}-{direction}", direction, 1001, f"{side} == @{DROP_GROUP} && ip", "drop")
    _always(p)
    _never(p)
    stateful = {group.id: group.stateful for group in p.t.security_groups}
    for id in stateful:
        name = group_name(id)
        p.add("Port_Group", name, {"name": name}, refs={"ports": tuple(sorted(members[id]))})
    _address_sets(p)
    for rule in p.t.rules:
        if rule.security_group_id in stateful:
            action = "allow-related" if stateful[rule.security_group_id] else "allow-stateless"
            direction = "to-lport" if rule.direction == "ingress" else "from-lport"
            group = group_name(rule.security_group_id)
            _acl(p, f"rule-{rule.id}", direction, 1002, match_of(rule), action, group)


def _acl(
    p: Picture, key: str, direction: str, priority: int, match: str, action: str, group: str = DROP_GROUP
) -> None:
    columns = {"direction": direction, "priority": priority, "match": match, "action": action}
    p.add("ACL", key, columns, parent=(group, "acls"))


def _always(p: Picture) -> None:
    """What no security group may forbid: getting an address, finding neighbours."""
    dhcp4 = "ip4 && ip4.dst == {255.255.255.255, 0.0.0.0/0} && udp && udp.src == 68 && udp.dst == 67"
    dhcp6 = "ip6 && ip6.dst == ff02::1:2 && udp && udp.src == 546 && udp.dst == 547"
    neighbours = "icmp6 && icmp6.type == {133, 135, 136} && ip.ttl == 255"
    reports = "icmp6 && icmp6.type == {131, 143} && ip.ttl == 1"
    answers = "icmp6 && icmp6.type == {134, 135, 136} && ip.ttl == 255"
    for name, direction, match in (
        ("dhcp4", "from-lport", f"inport == @{DROP_GROUP} && {dhcp4}"),
        ("dhcp6", "from-lport", f"inport == @{DROP_GROUP} && {dhcp6}"),
        ("nd-out", "from-lport", f"inport == @{DROP_GROUP} && {neighbours}"),
        ("mld", "from-lport", f"inport == @{DROP_GROUP} && {reports}"),
        ("nd-in", "to-lport", f"outport == @{DROP_GROUP} && {answers}"),
    ):
        _acl(p, f"{DROP_GROUP}-{name}", direction, 1002, match, "allow")


def _never(p: Picture) -> None:
    """What no security group may allow: to give addresses to others.

    Router advertisements belong here too, but OVN lets all neighbour discovery pass by every ACL.
    """
    for name, match in (
        ("dhcp4-server", "ip4 && udp && udp.src == 67 && udp.dst == 68"),
        ("dhcp6-server", "ip6 && udp && udp.src == 547 && udp.dst == 546"),
    ):
        _acl(p, f"{DROP_GROUP}-{name}", "from-lport", 1003, f"inport == @{DROP_GROUP} && {match}", "drop")


def _address_sets(p: Picture) -> None:
    for group in p.t.address_groups:
        for version in (4, 6):
            mine = [a for a in group.addresses if ipaddress.ip_network(a).version == version]
            name = set_name(group.id, version)
            p.add("Address_Set", name, {"name": name, "addresses": sorted(mine)})


def group_name(id: str) -> str:
    """Return the port group's name; OVN wants an identifier, and derives address sets from it."""
    return "pg_" + id.replace("-", "_")


def set_name(id: str, version: int) -> str:
    return f"ag_{id.replace('-', '_')}_v{version}"


def match_of(rule: Rule) -> str:
    """Return OVN's expression for a security group rule."""
    ingress, four = rule.direction == "ingress", rule.ethertype == "IPv4"
    ip, far = "ip4" if four else "ip6", "src" if ingress else "dst"
    parts = [f"{'outport' if ingress else 'inport'} == @{group_name(rule.security_group_id)}", ip]
    if rule.remote_ip_prefix and not rule.remote_ip_prefix.endswith("/0"):
        parts.append(f"{ip}.{far} == {ipaddress.ip_network(rule.remote_ip_prefix, strict=False)}")
    if rule.remote_group_id:
        parts.append(f"{ip}.{far} == ${group_name(rule.remote_group_id)}_{ip}")
    if rule.remote_address_group_id:
        parts.append(f"{ip}.{far} == ${set_name(rule.remote_address_group_id, 4 if four else 6)}")
    return " && ".join([*parts, *_protocol(rule, four)])


def _protocol(rule: Rule, four: bool) -> list[str]:
    name = rule.protocol
    if name is None:
        return []
    low, high = rule.port_range_min, rule.port_range_max
    if name in ICMP:
        icmp = "icmp4" if four else "icmp6"
        parts = [icmp]
        if low is not None:
            parts.append(f"{icmp}.type == {low}")
        if high is not None:
            parts.append(f"{icmp}.code == {high}")
        return parts
    if name in NAMED:
        short = NAMED[name]
        if low is None or (low, high) == (1, 65535):
            return [short]
        one = f"{short}.dst == {low}"
        return [short, one if low == high else f"{short}.dst >= {low} && {short}.dst <= {high}"]
    return [f"ip.proto == {PROTOCOLS.get(name, name)}"]
