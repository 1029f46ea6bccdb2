"""From rows to the picture that a network engine carries: a fixed number of queries for any number of rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.network import tables as t
from clearsky.network.model import (
    AddressGroup,
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


def load(c: Connection, gateway_hosts: tuple[str, ...]) -> Topology:
    """Read everything."""
    fixed: dict[str, list[FixedIp]] = {}
    for row in c.execute(select(t.addresses).order_by(t.addresses.c.position)):
        fixed.setdefault(row.port_id, []).append(FixedIp(row.subnet_id, row.ip_address))
    groups: dict[str, list[str]] = {}
    for row in c.execute(select(t.port_groups)):
        groups.setdefault(row.port_id, []).append(row.security_group_id)
    f, pool = t.floating_ips.c, t.subnetpools.c
    scopes = {row.id: row.address_scope_id for row in c.execute(select(pool.id, pool.address_scope_id))}
    return Topology(
        networks=tuple(_pick(Network, row) for row in c.execute(select(t.networks))),
        subnets=tuple(_subnet(row, scopes.get(row.subnetpool_id)) for row in c.execute(select(t.subnets))),
        ports=tuple(
            _port(row, fixed.get(row.id, []), groups.get(row.id, [])) for row in c.execute(select(t.ports))
        ),
        routers=tuple(_router(row) for row in c.execute(select(t.routers))),
        floating_ips=tuple(
            _pick(FloatingIp, row)
            for row in c.execute(
                select(t.floating_ips).where(f.port_id.is_not(None), f.router_id.is_not(None))
            )
        ),
        security_groups=tuple(_pick(SecurityGroup, row) for row in c.execute(select(t.security_groups))),
        rules=tuple(_pick(Rule, row) for row in c.execute(select(t.rules))),
        address_groups=tuple(
            AddressGroup(row.id, tuple(row.addresses)) for row in c.execute(select(t.address_groups))
        ),
        gateway_hosts=gateway_hosts,
    )


def _pick(kind: Any, row: Any) -> Any:
    return kind(**{name: getattr(row, name) for name in kind.__slots__})


def _subnet(row: Any, address_scope_id: str | None) -> Subnet:
    return Subnet(
        id=row.id,
        network_id=row.network_id,
        ip_version=row.ip_version,
        cidr=row.cidr,
        gateway_ip=row.gateway_ip,
        enable_dhcp=row.enable_dhcp,
        ipv6_ra_mode=row.ipv6_ra_mode,
        ipv6_address_mode=row.ipv6_address_mode,
        dns_nameservers=tuple(row.dns_nameservers),
        host_routes=tuple((item["destination"], item["nexthop"]) for item in row.host_routes),
        address_scope_id=address_scope_id,
    )


def _port(row: Any, fixed: list[FixedIp], groups: list[str]) -> Port:
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
        fixed_ips=tuple(fixed),
        security_group_ids=tuple(sorted(groups)),
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
    )


def _router(row: Any) -> Router:
    return Router(
        id=row.id,
        name=row.name,
        admin_state_up=row.admin_state_up,
        enable_snat=row.enable_snat,
        gateway_port_id=row.gateway_port_id,
        routes=tuple((item["destination"], item["nexthop"]) for item in row.routes),
    )
