"""Quality of service: how fast a port, a floating IP or a gateway may go, and how its packets are marked."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from clearsky.network.model import Port, QosRule
from clearsky.network.ovn.translate.picture import Picture

BURST = 0.8
"""Part of the rate that may come at once where nobody chose a burst: TCP needs some to reach its rate."""
PORT, FLOATING, GATEWAY = 2002, 2003, 2001
"""Priorities: what goes through a gateway as a floating IP is not the gateway's own."""


def add(p: Picture) -> None:
    rules: dict[str, list[QosRule]] = defaultdict(list)
    for rule in p.t.qos_rules:
        rules[rule.policy_id].append(rule)
    if not rules:
        return
    for port in p.t.ports:
        if f"port-{port.id}" in p.rows and not port.device_owner.startswith("network:"):
            for rule in rules.get(port.qos_policy_id or "", ()):
                _row(p, port.network_id, f"port-{port.id}", rule, PORT, _match(rule, port.id))
    for router in p.t.routers:
        if not (found := p.gateways(router)):
            continue
        for rule in rules.get(router.qos_policy_id or "", ()):
            match = f"{_match(rule, found[0].id)} && {_here(found[0])}"
            _row(p, found[0].network_id, f"router-{router.id}", rule, GATEWAY, match)
        for floating in p.floating[router.id]:
            gateway = p.gateway_of(floating) or found[0]
            for rule in rules.get(floating.qos_policy_id or "", ()):
                far = "src" if rule.direction == "egress" else "dst"
                address = f"ip4.{far} == {floating.floating_ip_address}"
                match = f"{_match(rule, gateway.id)} && {address} && {_here(gateway)}"
                _row(p, gateway.network_id, f"floating-{floating.id}", rule, FLOATING, match)


def _here(gateway: Port) -> str:
    return f'is_chassis_resident("cr-lrp-{gateway.id}")'


def _match(rule: QosRule, port: str) -> str:
    """Return what comes out of a port or goes into it; a gateway's egress comes into its outer network there too."""
    return f'{"inport" if rule.direction == "egress" else "outport"} == "{port}"'


def _row(p: Picture, network_id: str, whose: str, rule: QosRule, priority: int, match: str) -> None:
    direction = "from-lport" if rule.direction == "egress" else "to-lport"
    columns: dict[str, Any] = {"direction": direction, "priority": priority, "match": match}
    columns |= {"action": {}, "bandwidth": {}}
    if rule.dscp_mark is not None:
        columns["action"] = {"dscp": rule.dscp_mark}
    if rule.max_kbps is not None:
        burst = rule.max_burst_kbps or int(rule.max_kbps * BURST)
        columns["bandwidth"] = {"rate": rule.max_kbps, "burst": max(burst, 1)}
    key = f"qos-{whose}-{rule.kind}-{rule.direction}"
    p.add("QoS", key, columns, parent=(f"net-{network_id}", "qos_rules"))
