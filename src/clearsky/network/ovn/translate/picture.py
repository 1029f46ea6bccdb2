"""One translation at work: indexes of the topology, and the rows found so far."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from clearsky.network.model import (
    METADATA,
    ROUTER_GATEWAY,
    FloatingIp,
    Forwarding,
    NdpProxy,
    Port,
    Router,
    Topology,
)
from clearsky.network.ovn.rows import KEY, Row


class Picture:
    def __init__(self, topology: Topology) -> None:
        self.t = topology
        self.rows: dict[str, Row] = {}
        self.networks = {network.id: network for network in topology.networks}
        self.subnets = {subnet.id: subnet for subnet in topology.subnets}
        self.routers = {router.id: router for router in topology.routers}
        self.ports = {port.id: port for port in topology.ports}
        self.by_network: dict[str, list[Port]] = defaultdict(list)
        self.by_device: dict[str, list[Port]] = defaultdict(list)
        self.floating: dict[str, list[FloatingIp]] = defaultdict(list)
        self.forwardings: dict[str, list[Forwarding]] = defaultdict(list)
        for forwarding in topology.forwardings:
            self.forwardings[forwarding.router_id].append(forwarding)
        self.proxies: dict[str, list[NdpProxy]] = defaultdict(list)
        for proxy in topology.ndp_proxies:
            self.proxies[proxy.router_id].append(proxy)
        self.metadata_ip: dict[str, str] = {}
        for port in topology.ports:
            self.by_network[port.network_id].append(port)
            self.by_device[port.device_id].append(port)
            if port.device_owner == METADATA:
                self.metadata_ip |= {fixed.subnet_id: fixed.ip_address for fixed in port.fixed_ips}
        for floating in topology.floating_ips:
            self.floating[floating.router_id].append(floating)

    def gateways(self, router: Router) -> list[Port]:
        """Return a router's gateway ports, the first one first."""
        found = [port for port in self.by_device[router.id] if port.device_owner == ROUTER_GATEWAY]
        first = router.gateway_port_id
        return sorted(found, key=lambda port: (port.id != first, port.id)) if first in self.ports else []

    def gateway_of(self, floating: FloatingIp) -> Port | None:
        """Return the gateway port that a floating IP is behind: its network's, or the first."""
        found = self.gateways(self.routers[floating.router_id])
        mine = [port for port in found if port.network_id == floating.floating_network_id]
        return next(iter([*mine, *found]), None)

    def add(self, table: str, key: str, columns: dict[str, Any], **more: Any) -> None:
        """Add a row; everything we make carries its key."""
        columns["external_ids"] = {KEY: key} | columns.get("external_ids", {})
        self.rows[key] = Row(table, key, columns, **more)
