"""From rows to the picture that a network engine carries: a fixed number of queries for any number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from clearsky.network import addressing, bandwidth
from clearsky.network import tables as t
from clearsky.network.model import (
    AddressGroup,
    FixedIp,
    FloatingIp,
    Forwarding,
    NdpProxy,
    Network,
    Port,
    QosRule,
    Router,
    Rule,
    SecurityGroup,
    Subnet,
    Topology,
)


def load(c: Connection, gateway_hosts: tuple[str, ...], default_dns: tuple[str, ...] = ()) -> Topology:
    """Read everything. Guests of a subnet that names no DNS server are told of `default_dns`."""
    fixed: dict[str, list[FixedIp]] = {}
    for row in c.execute(select(t.addresses).order_by(t.addresses.c.position)):
        fixed.setdefault(row.port_id, []).append(FixedIp(row.subnet_id, row.ip_address))
    groups: dict[str, list[str]] = {}
    for row in c.execute(select(t.port_groups)):
        groups.setdefault(row.port_id, []).append(row.security_group_id)
    f, pool = t.floating_ips.c, t.subnetpools.c
    scopes = {row.id: row.address_scope_id for row in c.execute(select(pool.id, pool.address_scope_id))}
    networks = list(c.execute(select(t.networks)))
    enforced = select(t.qos_rules).where(t.qos_rules.c.kind != bandwidth.KIND)
    around = _Around(
        fixed, groups, {row.id: row.qos_policy_id for row in networks if row.qos_policy_id}, _parents(c)
    )
    return Topology(
        networks=tuple(_pick(Network, row) for row in networks),
        subnets=tuple(
            _subnet(row, scopes.get(row.subnetpool_id), default_dns) for row in c.execute(select(t.subnets))
        ),
        ports=tuple(_port(row, around) for row in c.execute(select(t.ports))),
        routers=tuple(_router(row) for row in c.execute(select(t.routers))),
        floating_ips=tuple(
            _pick(FloatingIp, row)
            for row in c.execute(select(t.floating_ips).where(f.router_id.is_not(None)))
        ),
        security_groups=tuple(_pick(SecurityGroup, row) for row in c.execute(select(t.security_groups))),
        rules=tuple(_pick(Rule, row) for row in c.execute(select(t.rules))),
        address_groups=tuple(
            AddressGroup(row.id, tuple(row.addresses)) for row in c.execute(select(t.address_groups))
        ),
        forwardings=tuple(_forwardings(c)),
        ndp_proxies=tuple(_pick(NdpProxy, row) for row in c.execute(select(t.ndp_proxies))),
        qos_rules=tuple(_pick(QosRule, row) for row in c.execute(enforced)),
        gateway_hosts=gateway_hosts,
    )


@dataclass(slots=True)
class _Around:
    """What other tables say of ports: by port, but the QoS policies by network."""

    fixed: dict[str, list[FixedIp]]
    groups: dict[str, list[str]]
    policies: dict[str, str]
    parents: dict[str, tuple[str, int]]


def _parents(c: Connection) -> dict[str, tuple[str, int]]:
    s, k = t.sub_ports, t.trunks
    query = select(s.c.port_id, k.c.port_id.label("parent"), s.c.segmentation_id).join_from(
        s, k, s.c.trunk_id == k.c.id
    )
    return {row.port_id: (row.parent, row.segmentation_id) for row in c.execute(query)}


def _forwardings(c: Connection) -> Iterator[Forwarding]:
    p, f = t.port_forwardings, t.floating_ips
    query = select(p, f.c.router_id, f.c.floating_ip_address).join_from(p, f, p.c.floating_ip_id == f.c.id)
    for row in c.execute(query.where(f.c.router_id.is_not(None))):
        inside = range(row.internal_first, row.internal_last + 1)
        pairs = (
            (outside, inside[number] if len(inside) > 1 else inside[0])
            for number, outside in enumerate(range(row.external_first, row.external_last + 1))
        )
        yield Forwarding(
            id=row.id,
            floating_ip_id=row.floating_ip_id,
            router_id=row.router_id,
            floating_ip_address=row.floating_ip_address,
            protocol=row.protocol,
            pairs=tuple(pairs),
            internal_ip_address=row.internal_ip_address,
        )


def _pick(kind: Any, row: Any) -> Any:
    return kind(**{name: getattr(row, name) for name in kind.__slots__})


def _subnet(row: Any, address_scope_id: str | None, default_dns: tuple[str, ...]) -> Subnet:
    return Subnet(
        id=row.id,
        network_id=row.network_id,
        ip_version=row.ip_version,
        cidr=row.cidr,
        gateway_ip=row.gateway_ip,
        enable_dhcp=row.enable_dhcp,
        ipv6_ra_mode=row.ipv6_ra_mode,
        ipv6_address_mode=row.ipv6_address_mode,
        dns_nameservers=addressing.dns_servers(row, default_dns),
        host_routes=tuple((item["destination"], item["nexthop"]) for item in row.host_routes),
        address_scope_id=address_scope_id,
    )


def _port(row: Any, around: _Around) -> Port:
    return Port(
        id=row.id,
        network_id=row.network_id,
        name=row.name,
        mac_address=row.mac_address,
        admin_state_up=row.admin_state_up,
        device_id=row.device_id,
        device_owner=row.device_owner,
        host=row.host,
        port_security_enabled=row.port_security_enabled,
        fixed_ips=tuple(around.fixed.get(row.id, ())),
        security_group_ids=tuple(sorted(around.groups.get(row.id, ()))),
        allowed_address_pairs=tuple(
            (item.get("mac_address") or row.mac_address, item["ip_address"])
            for item in row.allowed_address_pairs
        ),
        extra_dhcp_opts=tuple(
            (item["opt_name"], str(item["opt_value"]), int(item.get("ip_version", 4)))
            for item in row.extra_dhcp_opts
        ),
        dns_name=row.dns_name,
        dns_domain=row.dns_domain,
        qos_policy_id=row.qos_policy_id or around.policies.get(row.network_id),
        parent=around.parents.get(row.id),
    )


def _router(row: Any) -> Router:
    return Router(
        id=row.id,
        name=row.name,
        admin_state_up=row.admin_state_up,
        enable_snat=row.enable_snat,
        gateway_port_id=row.gateway_port_id,
        routes=tuple((item["destination"], item["nexthop"]) for item in row.routes),
        qos_policy_id=row.qos_policy_id,
        ecmp=row.ecmp,
        ndp_proxy=row.ndp_proxy,
    )
