"""What OpenStack promises of networks, as a model of its own: who receives a packet, by nothing but the API's answers.

It knows nothing of OVN nor of the translation. Sources: the Networking API reference (port security, allowed address
pairs, security groups) and the Networking guide (what no group may forbid, and what no guest may do). One promise is
missing, because OVN cannot keep it: that a guest's router advertisements stay where they are. They reach the other
ports of its network, under its own name.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from functools import cache
from typing import Any

from tests.functional.network import frames
from tests.functional.network.frames import Packet

NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "ipv6-icmp": 58, "sctp": 132}


def get_all(client: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the API's rows of what the model is made of, as an administrator sees them."""
    names = ("networks", "subnets", "ports", "routers", "floatingips", "security-groups", "address-groups")
    found = {}
    for name in names:
        answer = client.get(f"/network/v2.0/{name}")
        assert answer.status_code == 200, answer.text
        found[name] = answer.json()[name.replace("-", "_")]
    return found


class Promise:
    def __init__(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        self.subnets = {one["id"]: one for one in rows["subnets"]}
        self.ports = {one["id"]: one for one in rows["ports"]}
        self.routers = {one["id"]: one for one in rows["routers"]}
        self.floating = rows["floatingips"]
        self.groups = {one["id"]: one for one in rows["security-groups"]}
        self.address_groups = {one["id"]: one["addresses"] for one in rows["address-groups"]}
        self.external = {one["id"] for one in rows["networks"] if one["router:external"]}
        self.on: dict[str, list[dict[str, Any]]] = {}
        self.at: dict[tuple[str, str], dict[str, Any]] = {}
        """(network, address) -> port"""
        self.members: dict[str, set[str]] = {}
        self.interfaces: dict[str, list[dict[str, Any]]] = {}
        for port in rows["ports"]:
            self.on.setdefault(port["network_id"], []).append(port)
            if port["device_owner"] == "network:router_interface":
                self.interfaces.setdefault(port["device_id"], []).append(port)
            for ip in addresses(port):
                self.at[port["network_id"], ip] = port
            for group in port["security_groups"]:
                self.members.setdefault(group, set()).update(addresses(port))

    # -- the answer ---------------------------------------------------------------------------------------------

    def receivers(self, packet: Packet, *, answers: bool = False) -> set[str]:
        """Return the ids of the ports at which a packet arrives.

        With `answers` it belongs to a conversation that both ends' groups have let begin.
        """
        sender = self.ports[packet.sender]
        if not sender["admin_state_up"] or not self._honest(sender, packet):
            return set()
        if not self._permits(sender, "egress", packet, answers=answers):
            return set()
        router_port = self._router_port(sender, packet)
        found = self._routed(router_port, packet) if router_port else self._switched(sender, packet)
        return {
            port["id"]
            for port, seen in found
            if port["admin_state_up"] and self._permits(port, "ingress", seen, answers=answers)
        }

    def resolves(self, packet: Packet) -> tuple[str | None, bool]:
        """Return the MAC that a question (ARP, neighbour solicitation) leads to (None: nobody has the address), and
        whether it must: the switch may or may not answer for a port that is switched off.
        """
        sender, wanted = self.ports[packet.sender], packet.target or packet.dst
        if not sender["admin_state_up"] or not self._honest(sender, packet):
            return None, False
        port = self.at.get((sender["network_id"], wanted))
        return (port["mac_address"], port["admin_state_up"]) if port else (None, False)

    # -- what a guest may claim to be ---------------------------------------------------------------------------

    def _honest(self, port: dict[str, Any], packet: Packet) -> bool:
        if not port["port_security_enabled"]:
            return True
        may = self._may_be(port)
        link, known = packet.link or packet.eth_src, may.get(packet.eth_src)
        if known is None:
            return False
        if packet.proto == 0:
            return link == packet.eth_src and _within(packet.src, known)
        if packet.proto == frames.UDP and (packet.sport, packet.dport) in ((67, 68), (547, 546)):
            return False  # no guest is a DHCP server
        if packet.proto == frames.ICMP6 and packet.sport == frames.NA and not _within(packet.target, known):
            return False
        if packet.proto == frames.ICMP6 and packet.sport in (frames.NS, frames.NA) and link not in may:
            return False
        return _within(packet.src, known)

    def _may_be(self, port: dict[str, Any]) -> dict[str, list[str]]:
        """Return MAC -> addresses and ranges."""
        own = port["mac_address"]
        found = {own: [*addresses(port)]}
        for pair in port["allowed_address_pairs"]:
            found.setdefault(pair["mac_address"], []).append(pair["ip_address"])
        for mac, known in found.items():
            known.append(frames.link_local(mac))
        return found

    # -- security groups ----------------------------------------------------------------------------------------

    def _permits(self, port: dict[str, Any], direction: str, packet: Packet, *, answers: bool) -> bool:
        if not port["port_security_enabled"] or packet.proto == 0:
            return True
        if packet.proto == frames.ICMP6 and packet.sport in (frames.RS, frames.RA, frames.NS, frames.NA):
            return True
        if packet.proto == frames.UDP and (packet.sport, packet.dport) == (68, 67) and direction == "egress":
            return True
        groups = [self.groups[id] for id in port["security_groups"]]
        if answers and any(group["stateful"] for group in groups):
            return True
        rules = [rule for group in groups for rule in group["security_group_rules"]]
        return any(rule["direction"] == direction and self._fits(rule, packet) for rule in rules)

    def _fits(self, rule: dict[str, Any], packet: Packet) -> bool:
        if rule["ethertype"] != f"IPv{packet.version}":
            return False
        far = packet.src if rule["direction"] == "ingress" else packet.dst
        if rule["remote_ip_prefix"] and not _within(far, [rule["remote_ip_prefix"]]):
            return False
        if rule["remote_group_id"] and far not in self.members.get(rule["remote_group_id"], ()):
            return False
        if rule["remote_address_group_id"] and not _within(
            far, self.address_groups[rule["remote_address_group_id"]]
        ):
            return False
        return _protocol_fits(rule, packet)

    # -- the way ------------------------------------------------------------------------------------------------

    def _switched(self, sender: dict[str, Any], packet: Packet) -> list[tuple[dict[str, Any], Packet]]:
        others = [
            port
            for port in self.on[sender["network_id"]]
            if port["id"] != sender["id"] and not port["device_owner"].startswith("network:")
        ]
        if int(packet.eth_dst[1], 16) & 1:
            return [(port, packet) for port in others]
        for port in others:
            if port["mac_address"] == packet.eth_dst:
                return [(port, packet)]
        # A MAC of nobody: perhaps of somebody behind a port that may have any.
        return [(port, packet) for port in others if not port["port_security_enabled"]]

    def _router_port(self, sender: dict[str, Any], packet: Packet) -> dict[str, Any] | None:
        for port in self.on[sender["network_id"]]:
            if port["device_owner"] == "network:router_interface" and port["mac_address"] == packet.eth_dst:
                return port
        return None

    def _routed(self, entry: dict[str, Any], packet: Packet) -> list[tuple[dict[str, Any], Packet]]:
        router = self.routers[entry["device_id"]]
        if not router["admin_state_up"] or not entry["admin_state_up"] or packet.proto == 0:
            return []
        for port in self.interfaces[router["id"]]:
            for fixed in port["fixed_ips"]:
                if _within(packet.dst, [self.subnets[fixed["subnet_id"]]["cidr"]]):
                    found = self.at.get((port["network_id"], packet.dst))
                    plugged = found and not found["device_owner"].startswith("network:")
                    return [(found, packet)] if found and plugged and port["admin_state_up"] else []
        return self._outside(router, packet) if packet.version == 4 else []

    def _outside(self, router: dict[str, Any], packet: Packet) -> list[tuple[dict[str, Any], Packet]]:
        """Leave by the router's gateway, and perhaps come in again by a floating IP."""
        gateway = router["external_gateway_info"]
        if not gateway:
            return []
        own = [
            one
            for one in self.floating
            if one["fixed_ip_address"] == packet.src and one["router_id"] == router["id"]
        ]
        if own:
            packet = replace(packet, src=own[0]["floating_ip_address"])
        elif gateway["enable_snat"]:
            packet = replace(packet, src=gateway["external_fixed_ips"][0]["ip_address"])
        for one in self.floating:
            if one["floating_ip_address"] == packet.dst and one["port_id"] and one["router_id"]:
                there = self.routers[one["router_id"]]
                if there["admin_state_up"] and one["floating_network_id"] == gateway["network_id"]:
                    return [(self.ports[one["port_id"]], replace(packet, dst=one["fixed_ip_address"]))]
        return []


def addresses(port: dict[str, Any]) -> list[str]:
    return [fixed["ip_address"] for fixed in port["fixed_ips"]]


def _within(ip: str, ranges: list[str]) -> bool:
    return any(_in(ip, text) for text in ranges)


@cache
def _in(ip: str, text: str) -> bool:
    one, net = ipaddress.ip_address(ip), ipaddress.ip_network(text, strict=False)
    return one.version == net.version and one in net


def _protocol_fits(rule: dict[str, Any], packet: Packet) -> bool:
    name, low, high = rule["protocol"], rule["port_range_min"], rule["port_range_max"]
    if name is None:
        return True
    number = NUMBERS[name] if name in NUMBERS else int(name)
    if number == frames.ICMP and packet.version == 6:
        number = frames.ICMP6
    if number != packet.proto:
        return False
    if number in (frames.ICMP, frames.ICMP6):
        return low in (None, packet.sport) and high in (None, packet.dport)
    return low is None or low <= packet.dport <= high
