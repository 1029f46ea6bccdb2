"""What is around OVN: who answers for an address on a network, and where guests and the outside send a packet.

Guests are taken to have what their leases and their routers' advertisements say: the addresses of their ports, the
routes of their subnets, the gateway. The outside is taken to know the provider networks' subnets, and routes to what
routers hand out untranslated: IPv6, and IPv4 of the outer network's address scope.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from dataclasses import dataclass

from clearsky.network.model import (
    FLOATING_IP,
    METADATA,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    FixedIp,
    FloatingIp,
    Forwarding,
    Network,
    Port,
    Router,
    Subnet,
    Topology,
)

METADATA_IP = "169.254.169.254"
OUTSIDE_MAC = "02:00:00:00:00:01"
"""Of whoever is outside: nobody here knows the true one, and no flow asks."""


@dataclass(frozen=True, slots=True)
class NextHop:
    address: str
    mac: str
    """Empty: nobody on the network answers for the address."""
    port: Port | None
    """Whose MAC it is, where it is one of ours."""
    by: str = ""
    """The route that leads there; empty where the destination is on the network itself."""


@dataclass(frozen=True, slots=True)
class NoRoute:
    why: str


class Surroundings:
    def __init__(self, topology: Topology) -> None:
        self.t = topology
        self.networks: dict[str, Network] = {one.id: one for one in topology.networks}
        self.subnets: dict[str, Subnet] = {one.id: one for one in topology.subnets}
        self.ports: dict[str, Port] = {one.id: one for one in topology.ports}
        self.routers: dict[str, Router] = {one.id: one for one in topology.routers}
        self.rules = {one.id: one for one in topology.rules}
        self.floating: dict[str, FloatingIp] = {one.id: one for one in topology.floating_ips}
        self.subnets_of: dict[str, list[Subnet]] = defaultdict(list)
        for subnet in topology.subnets:
            self.subnets_of[subnet.network_id].append(subnet)
        self._holders: dict[tuple[str, str], Port] = {}
        self._metadata: dict[str, str] = {}
        """Subnet -> where its leases say that metadata is."""
        self._reserved: dict[tuple[str, str], Port] = {}
        """Addresses that are floating IPs' own: somebody answers only while they lead to a port."""
        self._paired: dict[tuple[str, str], tuple[Port, str]] = {}
        self.interfaces: dict[str, list[Port]] = defaultdict(list)
        for port in topology.ports:
            self._index(port)
        self._led_in: dict[tuple[str, str], Port] = {}
        """The gateway that answers for a floating IP."""
        led_in: list[FloatingIp | Forwarding] = [*topology.forwardings, *topology.floating_ips]
        for one in led_in:
            for gateway in self.gateways(one.router_id):
                if self.on_network(gateway.network_id, one.floating_ip_address):
                    self._led_in[gateway.network_id, one.floating_ip_address] = gateway

    def _index(self, port: Port) -> None:
        if port.device_owner == METADATA:
            self._metadata |= {fixed.subnet_id: fixed.ip_address for fixed in port.fixed_ips}
        if port.device_owner == FLOATING_IP:
            self._reserved |= {(port.network_id, canonical(one.ip_address)): port for one in port.fixed_ips}
            return
        for fixed in port.fixed_ips:
            self._holders[port.network_id, canonical(fixed.ip_address)] = port
        for mac, pair in port.allowed_address_pairs:
            network = ipaddress.ip_network(pair, strict=False)
            if network.num_addresses == 1:
                self._paired.setdefault((port.network_id, str(network[0])), (port, mac))
        if port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY):
            self.interfaces[port.device_id].append(port)

    def gateways(self, router_id: str) -> list[Port]:
        return [port for port in self.interfaces[router_id] if port.device_owner == ROUTER_GATEWAY]

    # -- who is where -------------------------------------------------------------------------------------------

    def neighbour(self, network_id: str, address: str, asker: str = "") -> tuple[str, Port | None]:
        """Return the MAC that answers for an address on a network, and whose it is; "" where nobody does."""
        address = canonical(address)
        held = self._holders.get((network_id, address))
        if held is not None:
            return (held.mac_address, held) if self._answers(held) else ("", held)
        if gateway := self._led_in.get((network_id, address)):
            return (gateway.mac_address, gateway) if self._answers(gateway) else ("", gateway)
        if (network_id, address) in self._reserved:
            return "", self._reserved[network_id, address]
        if found_pair := self._paired.get((network_id, address)):
            port, mac = found_pair
            return (mac, port) if self._answers(port) and port.id != asker else ("", port)
        if self.networks[network_id].physical_network is not None:
            return OUTSIDE_MAC, None
        return "", None

    def _answers(self, port: Port) -> bool:
        if not port.admin_state_up:
            return False
        if port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY):
            router = self.routers.get(port.device_id)
            return router is not None and router.admin_state_up
        return True

    # -- guests -------------------------------------------------------------------------------------------------

    def from_guest(self, port: Port, packet_source: str, destination: str) -> NextHop | NoRoute:
        """Return where a guest sends a packet to."""
        target = ipaddress.ip_address(destination)
        source = canonical(packet_source)
        mine = sorted(port.fixed_ips, key=lambda fixed: canonical(fixed.ip_address) != source)
        subnets = [self.subnets[fixed.subnet_id] for fixed in mine]
        subnets = [subnet for subnet in subnets if subnet.ip_version == target.version]
        if not subnets:
            return NoRoute(f"the port has no IPv{target.version} address")
        best: tuple[int, str, str] | None = None
        for subnet in subnets:
            for cidr, hop in self._routes(subnet):
                network = ipaddress.ip_network(cidr)
                if target in network and (best is None or network.prefixlen > best[0]):
                    best = (network.prefixlen, hop, cidr)
        if best is None:
            told = ", ".join(subnet.cidr for subnet in subnets)
            return NoRoute(f"{destination} is not in {told}, and no gateway or host route leads there")
        _, hop, cidr = best
        mac, owner = self.neighbour(port.network_id, hop or destination, port.id)
        return NextHop(hop or destination, mac, owner, cidr if hop else "")

    def _routes(self, subnet: Subnet) -> list[tuple[str, str]]:
        """Return the routes of a guest with an address there; without a next hop: the network itself."""
        found = [(subnet.cidr, "")]
        if subnet.ip_version == 4:
            found += subnet.host_routes
            if subnet.id in self._metadata:
                found.append((f"{METADATA_IP}/32", self._metadata[subnet.id]))
        if subnet.gateway_ip:
            found.append(("0.0.0.0/0" if subnet.ip_version == 4 else "::/0", subnet.gateway_ip))
        return found

    # -- outside ------------------------------------------------------------------------------------------------

    def from_outside(self, network_id: str, destination: str) -> NextHop | NoRoute:
        """Return where somebody on a provider network sends a packet to."""
        target = ipaddress.ip_address(destination)
        if self.on_network(network_id, destination):
            mac, owner = self.neighbour(network_id, destination)
            if mac == OUTSIDE_MAC:
                return NoRoute(f"{destination} is nobody's here: no floating IP, no port")
            return NextHop(destination, mac, owner)
        for router in self.t.routers:
            for gateway in self.gateways(router.id):
                for port in self.interfaces[router.id] if gateway.network_id == network_id else ():
                    for fixed in port.fixed_ips if port.device_owner == ROUTER_INTERFACE else ():
                        found = self._routed(gateway, self.subnets[fixed.subnet_id], target)
                        if found is not None:
                            return found
        return NoRoute(f"the outside knows no route to {destination}: it has no floating IP")

    def on_network(self, network_id: str, address: str) -> bool:
        """Say whether an address is in one of a network's subnets."""
        target = ipaddress.ip_address(address)
        return any(target in ipaddress.ip_network(subnet.cidr) for subnet in self.subnets_of[network_id])

    def inside(self, network_id: str, address: str) -> bool:
        """Say whether an address belongs to networks of this cloud that a provider network does not reach."""
        target = ipaddress.ip_address(address)
        return not self.on_network(network_id, address) and any(
            target in ipaddress.ip_network(subnet.cidr) for subnet in self.t.subnets
        )

    def leads_in(self, network_id: str, address: str) -> bool:
        """Say whether somebody on a provider network knows a way to an address."""
        return isinstance(self.from_outside(network_id, address), NextHop)

    def _routed(
        self, gateway: Port, subnet: Subnet, target: ipaddress.IPv4Address | ipaddress.IPv6Address
    ) -> NextHop | None:
        if target.version != subnet.ip_version or target not in ipaddress.ip_network(subnet.cidr):
            return None
        outer = [self.subnets[fixed.subnet_id] for fixed in gateway.fixed_ips]
        fixed = next((one for one, s in zip(gateway.fixed_ips, outer, strict=True) if s.ip_version == target.version), None)  # fmt: skip
        same = subnet.address_scope_id is not None and subnet.address_scope_id in {s.address_scope_id for s in outer}  # fmt: skip
        if fixed is None or not (target.version == 6 or same):
            return None
        mac = gateway.mac_address if self._answers(gateway) else ""
        return NextHop(fixed.ip_address, mac, gateway, subnet.cidr)

    # -- port security ------------------------------------------------------------------------------------------

    def is_router(self, port: Port) -> bool:
        return port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY)

    def is_guest(self, port: Port) -> bool:
        return not self.is_router(port) and port.device_owner not in (FLOATING_IP, METADATA)


def first_of(port: Port, version: int) -> FixedIp | None:
    return next((one for one in port.fixed_ips if (":" in one.ip_address) == (version == 6)), None)


def canonical(address: str) -> str:
    """Return an address as `ipaddress` writes it, so that two spellings are one."""
    return str(ipaddress.ip_address(address))


def allowed(entries: list[str], mac: str, address: str) -> bool:
    """Say whether port security, as OVN has it, lets a port speak as (or be spoken to as) MAC and address."""
    if not entries:
        return True
    target = ipaddress.ip_address(address)
    if target.is_link_local and target.version == 6:
        return any(entry.split()[0].lower() == mac.lower() for entry in entries)
    for entry in entries:
        own, *ranges = entry.split()
        if own.lower() != mac.lower():
            continue
        if not ranges:
            return True
        if any(_within(target, one) for one in ranges):
            return True
    return False


def _within(target: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    """Say whether an entry covers an address; with bits of a host in it, it is that host's only (ovn-nb(5))."""
    entered = ipaddress.ip_interface(entry)
    if entered.ip != entered.network.network_address:
        return target == entered.ip
    return target.version == entered.version and target in entered.network
