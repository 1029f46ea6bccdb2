"""What a network engine is to carry: a picture of everything, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    id: str
    name: str
    admin_state_up: bool
    mtu: int
    network_type: str
    physical_network: str | None
    segmentation_id: int | None
    external: bool
    vlan_transparent: bool = False
    dns_domain: str = ""


@dataclass(frozen=True, slots=True)
class Subnet:
    id: str
    network_id: str
    ip_version: int
    cidr: str
    gateway_ip: str | None
    enable_dhcp: bool
    ipv6_ra_mode: str | None
    ipv6_address_mode: str | None
    dns_nameservers: tuple[str, ...]
    host_routes: tuple[tuple[str, str], ...]
    """(destination, next hop)"""
    address_scope_id: str | None = None


@dataclass(frozen=True, slots=True)
class FixedIp:
    subnet_id: str
    ip_address: str


@dataclass(frozen=True, slots=True)
class Port:
    id: str
    network_id: str
    name: str
    mac_address: str
    admin_state_up: bool
    device_id: str
    device_owner: str
    host: str
    port_security_enabled: bool
    fixed_ips: tuple[FixedIp, ...]
    security_group_ids: tuple[str, ...]
    allowed_address_pairs: tuple[tuple[str, str], ...]
    """(MAC, address or range)"""
    extra_dhcp_opts: tuple[tuple[str, str, int], ...] = ()
    """(option, value, IP version)"""
    dns_name: str = ""
    dns_domain: str = ""
    qos_policy_id: str | None = None
    """Its own, or its network's."""
    parent: tuple[str, int] | None = None
    """Where it is a trunk's sub-port: the parent port, and the VLAN that carries it there."""


@dataclass(frozen=True, slots=True)
class Router:
    id: str
    name: str
    admin_state_up: bool
    enable_snat: bool
    gateway_port_id: str | None
    routes: tuple[tuple[str, str], ...]
    qos_policy_id: str | None = None
    ecmp: bool = False
    """Spread what leaves over the default routes of all gateways, not only of the first."""
    ndp_proxy: bool = False
    """Let IPv6 in from outside only to addresses that have an NDP proxy."""


@dataclass(frozen=True, slots=True)
class FloatingIp:
    id: str
    floating_ip_address: str
    fixed_ip_address: str | None
    """None where only some of its ports lead inside."""
    router_id: str
    port_id: str | None
    qos_policy_id: str | None = None
    floating_network_id: str = ""


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Ports of a floating IP that lead inside."""

    id: str
    floating_ip_id: str
    router_id: str
    floating_ip_address: str
    protocol: str
    pairs: tuple[tuple[int, int], ...]
    """(port outside, port inside)"""
    internal_ip_address: str


@dataclass(frozen=True, slots=True)
class NdpProxy:
    """An IPv6 address inside that a router's gateway answers for outside, as if it were there."""

    id: str
    router_id: str
    ip_address: str


@dataclass(frozen=True, slots=True)
class QosRule:
    policy_id: str
    kind: str
    direction: str
    max_kbps: int | None
    max_burst_kbps: int | None
    dscp_mark: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    security_group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    remote_address_group_id: str | None = None


@dataclass(frozen=True, slots=True)
class AddressGroup:
    id: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    id: str
    stateful: bool


@dataclass(frozen=True, slots=True)
class Topology:
    networks: tuple[Network, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    ports: tuple[Port, ...] = ()
    routers: tuple[Router, ...] = ()
    floating_ips: tuple[FloatingIp, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    rules: tuple[Rule, ...] = ()
    address_groups: tuple[AddressGroup, ...] = ()
    forwardings: tuple[Forwarding, ...] = ()
    ndp_proxies: tuple[NdpProxy, ...] = ()
    qos_rules: tuple[QosRule, ...] = ()
    gateway_hosts: tuple[str, ...] = ()
    """Chassis that may carry routers' gateways."""


ROUTER_INTERFACE = "network:router_interface"
ROUTER_GATEWAY = "network:router_gateway"
FLOATING_IP = "network:floatingip"
METADATA = "network:distributed"
SUB_PORT = "trunk:subport"
DOMAIN = "openstacklocal"
"""What names of ports end with where nobody chose another domain."""

PROTOCOLS = {"ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmpv6": 58, "igmp": 2, "ipip": 4,
             "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43,
             "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112}  # fmt: skip
"""IP protocol numbers by the API's names."""
