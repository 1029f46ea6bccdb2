"""Tables of the Network service."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text, UniqueConstraint, false

from clearsky.db.types import Json, Timestamp, metadata


def _standard() -> list[Column[Any]]:
    """What every resource has: identity, owner, words, times, and a number that grows with each change."""
    return [
        Column("id", String(36), primary_key=True),
        Column("project_id", String(64), nullable=False, index=True),
        Column("name", String(255), nullable=False, default=""),
        Column("description", String(255), nullable=False, default=""),
        Column("tags", Json, nullable=False, default=list),
        Column("created_at", Timestamp, nullable=False),
        Column("updated_at", Timestamp, nullable=False),
        Column("revision_number", BigInteger, nullable=False, default=1),
    ]


networks = Table(
    "networks",
    metadata,
    *_standard(),
    Column("admin_state_up", Boolean, nullable=False, default=True),
    Column("external", Boolean, nullable=False, default=False),
    Column("is_default", Boolean, nullable=False, default=False),
    Column("mtu", Integer, nullable=False),
    Column("port_security_enabled", Boolean, nullable=False, default=True),
    Column("dns_domain", String(255), nullable=False, default=""),
    Column("network_type", String(16), nullable=False),
    Column("physical_network", String(64)),
    Column("segmentation_id", Integer),
    Column("vlan_transparent", Boolean, nullable=False, default=False),
    Column("availability_zone_hints", Json, nullable=False, default=list),
    Column("qos_policy_id", String(36), index=True),
)
"""`external` says that some project may plug routers in; who may see and use a network is in `rbac`."""

segment_ranges = Table(
    "network_segment_ranges",
    metadata,
    *_standard(),
    Column("is_first", Boolean, nullable=False, default=False),
    Column("shared", Boolean, nullable=False, default=True),
    Column("network_type", String(16), nullable=False),
    Column("physical_network", String(64)),
    Column("minimum", Integer, nullable=False),
    Column("maximum", Integer, nullable=False),
)
"""Numbers for networks; shared ones have the empty project. `is_first`: what the cloud began with."""

subnets = Table(
    "subnets",
    metadata,
    *_standard(),
    Column("network_id", String(36), nullable=False, index=True),
    Column("ip_version", Integer, nullable=False),
    Column("cidr", String(64), nullable=False),
    Column("gateway_ip", String(64)),
    Column("enable_dhcp", Boolean, nullable=False, default=True),
    Column("ipv6_ra_mode", String(20)),
    Column("ipv6_address_mode", String(20)),
    Column("allocation_pools", Json, nullable=False),
    Column("dns_nameservers", Json, nullable=False, default=list),
    Column("host_routes", Json, nullable=False, default=list),
    Column("service_types", Json, nullable=False, default=list),
    Column("subnetpool_id", String(36), index=True),
    Column("dns_publish_fixed_ip", Boolean, nullable=False, default=False),
)

subnetpools = Table(
    "subnetpools",
    metadata,
    *_standard(),
    Column("ip_version", Integer, nullable=False),
    Column("prefixes", Json, nullable=False),
    Column("default_prefixlen", Integer, nullable=False),
    Column("min_prefixlen", Integer, nullable=False),
    Column("max_prefixlen", Integer, nullable=False),
    Column("default_quota", BigInteger),
    Column("is_default", Boolean, nullable=False, default=False),
    Column("address_scope_id", String(36), index=True),
)

address_scopes = Table(
    "address_scopes",
    metadata,
    *_standard(),
    Column("ip_version", Integer, nullable=False),
)

address_groups = Table(
    "address_groups",
    metadata,
    *_standard(),
    Column("addresses", Json, nullable=False, default=list),
)

rbac = Table(
    "network_rbac",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False, index=True),
    Column("object_type", String(32), nullable=False),
    Column("object_id", String(36), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target_project", String(64), nullable=False, index=True),
    UniqueConstraint("object_id", "action", "target_project"),
)
"""Who else than its owner may use an object; the target `*` is every project."""

ports = Table(
    "ports",
    metadata,
    *_standard(),
    Column("network_id", String(36), nullable=False, index=True),
    Column("mac_address", String(17), nullable=False),
    Column("admin_state_up", Boolean, nullable=False, default=True),
    Column("device_id", String(255), nullable=False, default="", index=True),
    Column("device_owner", String(255), nullable=False, default=""),
    Column("device_index", Integer),
    Column("up", Boolean, nullable=False, default=False),
    Column("port_security_enabled", Boolean, nullable=False, default=True),
    Column("allowed_address_pairs", Json, nullable=False, default=list),
    Column("extra_dhcp_opts", Json, nullable=False, default=list),
    Column("host", String(255), nullable=False, default=""),
    Column("vnic_type", String(20), nullable=False, default="normal"),
    Column("binding_profile", Json, nullable=False, default=dict),
    Column("made_by_compute", Boolean, nullable=False, default=False),
    Column("dns_name", String(255), nullable=False, default=""),
    Column("dns_domain", String(255), nullable=False, default=""),
    Column("data_plane_status", String(16)),
    Column("qos_policy_id", String(36), index=True),
    Column("device_profile", String(255)),
    UniqueConstraint("network_id", "mac_address"),
)
"""`up` is what the network engine says; `device_index` orders the ports of one server."""

spare_bindings = Table(
    "port_spare_bindings",
    metadata,
    Column("port_id", String(36), primary_key=True),
    Column("host", String(255), primary_key=True),
    Column("vnic_type", String(20), nullable=False, default="normal"),
    Column("profile", Json, nullable=False, default=dict),
)
"""Hosts that a port may move to. The binding in force is in the port itself."""

addresses = Table(
    "port_addresses",
    metadata,
    Column("subnet_id", String(36), primary_key=True),
    Column("ip_address", String(64), primary_key=True),
    Column("port_id", String(36), nullable=False, index=True),
    Column("position", Integer, nullable=False, default=0),
)

port_groups = Table(
    "port_security_groups",
    metadata,
    Column("port_id", String(36), primary_key=True),
    Column("security_group_id", String(36), primary_key=True, index=True),
)

routers = Table(
    "routers",
    metadata,
    *_standard(),
    Column("admin_state_up", Boolean, nullable=False, default=True),
    Column("external_network_id", String(36)),
    Column("enable_snat", Boolean, nullable=False, default=True),
    Column("gateway_port_id", String(36)),
    Column("ecmp", Boolean, nullable=False, default=False, server_default=false()),
    Column("ndp_proxy", Boolean, nullable=False, default=False, server_default=false()),
    Column("routes", Json, nullable=False, default=list),
    Column("availability_zone_hints", Json, nullable=False, default=list),
    Column("qos_policy_id", String(36), index=True),
)

ndp_proxies = Table(
    "ndp_proxies",
    metadata,
    *_standard(),
    Column("router_id", String(36), nullable=False, index=True),
    Column("port_id", String(36), nullable=False, index=True),
    Column("ip_address", String(64), nullable=False),
    UniqueConstraint("router_id", "ip_address"),
)

floating_ips = Table(
    "floating_ips",
    metadata,
    *_standard(),
    Column("floating_network_id", String(36), nullable=False, index=True),
    Column("floating_ip_address", String(64), nullable=False),
    Column("floating_port_id", String(36), nullable=False),
    Column("port_id", String(36), index=True),
    Column("fixed_ip_address", String(64)),
    Column("router_id", String(36)),
    Column("dns_name", String(255), nullable=False, default=""),
    Column("dns_domain", String(255), nullable=False, default=""),
    Column("qos_policy_id", String(36), index=True),
)

port_forwardings = Table(
    "port_forwardings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("floating_ip_id", String(36), nullable=False, index=True),
    Column("description", String(255), nullable=False, default=""),
    Column("created_at", Timestamp, nullable=False),
    Column("protocol", String(8), nullable=False),
    Column("external_first", Integer, nullable=False),
    Column("external_last", Integer, nullable=False),
    Column("internal_first", Integer, nullable=False),
    Column("internal_last", Integer, nullable=False),
    Column("internal_port_id", String(36), nullable=False, index=True),
    Column("internal_ip_address", String(64), nullable=False),
)
"""Ports of a floating IP that lead to ports of addresses inside; as many within as without, or one."""

trunks = Table(
    "trunks",
    metadata,
    *_standard(),
    Column("port_id", String(36), nullable=False, unique=True),
    Column("admin_state_up", Boolean, nullable=False, default=True),
)

sub_ports = Table(
    "trunk_sub_ports",
    metadata,
    Column("port_id", String(36), primary_key=True),
    Column("trunk_id", String(36), nullable=False),
    Column("segmentation_type", String(16), nullable=False),
    Column("segmentation_id", Integer, nullable=False),
    UniqueConstraint("trunk_id", "segmentation_type", "segmentation_id"),
)

qos_policies = Table(
    "qos_policies",
    metadata,
    *_standard(),
    Column("is_default", Boolean, nullable=False, default=False),
)

qos_rules = Table(
    "qos_rules",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("policy_id", String(36), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("direction", String(7), nullable=False, default="egress"),
    Column("max_kbps", Integer),
    Column("max_burst_kbps", Integer),
    Column("min_kbps", Integer),
    Column("dscp_mark", Integer),
    UniqueConstraint("policy_id", "kind", "direction"),
)

security_groups = Table(
    "security_groups",
    metadata,
    *_standard(),
    Column("stateful", Boolean, nullable=False, default=True),
    Column("is_default", Boolean, nullable=False, default=False),
)

rules = Table(
    "security_group_rules",
    metadata,
    *_standard(),
    Column("security_group_id", String(36), nullable=False, index=True),
    Column("direction", String(7), nullable=False),
    Column("ethertype", String(4), nullable=False),
    Column("protocol", String(40)),
    Column("port_range_min", Integer),
    Column("port_range_max", Integer),
    Column("remote_ip_prefix", String(64)),
    Column("remote_group_id", String(36)),
    Column("remote_address_group_id", String(36)),
)

default_statefulness = Table(
    "security_group_default_statefulness",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False, unique=True),
    Column("stateful", Boolean, nullable=False, default=True),
)
"""Whether new groups remember connections where nobody says; the empty project stands for every other one."""

default_rules = Table(
    "security_group_default_rules",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("description", String(255), nullable=False, default=""),
    Column("created_at", Timestamp, nullable=False),
    Column("direction", String(7), nullable=False),
    Column("ethertype", String(4), nullable=False),
    Column("protocol", String(40)),
    Column("port_range_min", Integer),
    Column("port_range_max", Integer),
    Column("remote_ip_prefix", String(64)),
    Column("remote_group_id", String(36)),
    Column("remote_address_group_id", String(36)),
    Column("used_in_default_sg", Boolean, nullable=False, default=False),
    Column("used_in_non_default_sg", Boolean, nullable=False, default=True),
)
"""What a new security group begins with; the remote group `PARENT` is the new group itself."""

auto_topologies = Table(
    "auto_allocated_topologies",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("network_id", String(36), nullable=False),
    Column("router_id", String(36), nullable=False),
)

quotas = Table(
    "network_quotas",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("limit_", BigInteger, nullable=False),
)

observed = Table(
    "network_observed",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False, default=""),
    Column("seen_at", Timestamp, nullable=False),
)
"""What was last seen of the engine: `engine` holds what is wrong, empty where nothing is."""
