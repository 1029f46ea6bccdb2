"""Routers: their ports, routes, gateways and address translation."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any

from clearsky.network.model import ROUTER_GATEWAY, ROUTER_INTERFACE, Port, Router, Subnet
from clearsky.network.ovn.translate.picture import Picture


def add(p: Picture) -> None:
    for router in p.t.routers:
        _router(p, router)


def _router(p: Picture, router: Router) -> None:
    key = f"router-{router.id}"
    options = {"always_learn_from_arp_request": "false", "dynamic_neigh_routers": "true"}
    own: dict[str, Any] = {"name": key, "enabled": [router.admin_state_up], "options": options}
    p.add("Logical_Router", key, own, refs={"load_balancer": _forwardings(p, router)})
    outside = p.gateways(router)
    inside = [port for port in p.by_device[router.id] if port.device_owner == ROUTER_INTERFACE]
    for port in [*inside, *outside]:
        _router_port(p, router, port)
    for destination, hop in router.routes:
        columns = {"ip_prefix": destination, "nexthop": hop}
        route = f"route-{router.id}-{destination}-{hop}"
        p.add("Logical_Router_Static_Route", route, columns, parent=(key, "static_routes"))
    for gateway in outside if router.ecmp else outside[:1]:
        _default_routes(p, router, gateway)
    for gateway in outside if router.enable_snat else ():
        _snat(p, router, gateway, inside)
    if outside:
        _floating(p, router)
        _proxies(p, router, outside[0], inside)


def _forwardings(p: Picture, router: Router) -> tuple[str, ...]:
    """Add a load balancer for each floating IP and protocol whose ports lead inside; returns their keys."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for one in p.forwardings[router.id]:
        vips = found.setdefault((one.floating_ip_id, one.protocol), {})
        for outside, inside in one.pairs:
            vips[f"{one.floating_ip_address}:{outside}"] = f"{one.internal_ip_address}:{inside}"
    keys = []
    for (floating_id, protocol), vips in sorted(found.items()):
        key = f"forward-{floating_id}-{protocol}"
        p.add("Load_Balancer", key, {"name": key, "protocol": [protocol], "vips": vips})
        keys.append(key)
    return tuple(keys)


def _router_port(p: Picture, router: Router, port: Port) -> None:
    networks = [
        f"{fixed.ip_address}/{ipaddress.ip_network(p.subnets[fixed.subnet_id].cidr).prefixlen}"
        for fixed in port.fixed_ips
    ]
    columns: dict[str, Any] = {
        "name": f"lrp-{port.id}",
        "mac": port.mac_address,
        "networks": sorted(networks),
        "enabled": [port.admin_state_up],
        "options": {},
        "ipv6_ra_configs": {},
    }
    mtu = p.networks[port.network_id].mtu
    is_gateway = port.device_owner == ROUTER_GATEWAY
    if is_gateway:
        smallest = min([mtu, *(p.networks[other.network_id].mtu for other in p.by_device[router.id])])
        columns["options"] = {"gateway_mtu": str(smallest)}
    else:
        columns["ipv6_ra_configs"] = _advertised(
            [p.subnets[fixed.subnet_id] for fixed in port.fixed_ips], mtu
        )
    p.add("Logical_Router_Port", f"lrp-{port.id}", columns, parent=(f"router-{router.id}", "ports"))
    if is_gateway:
        for rank, host in enumerate(_by_turns(router, p.t.gateway_hosts)):
            name = f"lrp-{port.id}_{host}"
            chassis = {"name": name, "chassis_name": host, "priority": len(p.t.gateway_hosts) - rank}
            p.add("Gateway_Chassis", name, chassis, parent=(f"lrp-{port.id}", "gateway_chassis"))


def _by_turns(router: Router, hosts: tuple[str, ...]) -> list[str]:
    """Return the hosts in the order in which they are a router's gateway: another for each router, the same each time."""
    return sorted(hosts, key=lambda host: hashlib.sha256(f"{router.id} {host}".encode()).digest())


def _advertised(subnets: list[Subnet], mtu: int) -> dict[str, str]:
    """Return what a router says of itself in an IPv6 network; nothing where no subnet asks for it."""
    found = next((subnet for subnet in subnets if subnet.ipv6_ra_mode), None)
    if found is None or found.ipv6_ra_mode is None:
        return {}
    config = {
        "address_mode": found.ipv6_ra_mode.replace("-", "_"),
        "send_periodic": "true",
        "mtu": str(mtu),
    }
    servers = [server for server in found.dns_nameservers if ":" in server]
    return config | ({"rdnss": servers[0]} if servers else {})


def _default_routes(p: Picture, router: Router, gateway: Port) -> None:
    for fixed in gateway.fixed_ips:
        subnet = p.subnets[fixed.subnet_id]
        if subnet.gateway_ip:
            columns = {
                "ip_prefix": "0.0.0.0/0" if subnet.ip_version == 4 else "::/0",
                "nexthop": subnet.gateway_ip,
                "output_port": [f"lrp-{gateway.id}"],
            }
            key = f"default-{router.id}-{gateway.id}-{subnet.id}"
            p.add(
                "Logical_Router_Static_Route", key, columns, parent=(f"router-{router.id}", "static_routes")
            )


def _floating(p: Picture, router: Router) -> None:
    for floating in p.floating[router.id]:
        gateway = p.gateway_of(floating)
        if floating.fixed_ip_address is None or gateway is None:
            continue
        columns = {
            "type": "dnat_and_snat",
            "external_ip": floating.floating_ip_address,
            "logical_ip": floating.fixed_ip_address,
        }
        _nat(p, router, gateway, f"floating-{floating.id}", columns)


def _proxies(p: Picture, router: Router, gateway: Port, inside: list[Port]) -> None:
    """Answer outside for IPv6 addresses inside that have an NDP proxy, and let nothing in to the others.

    OVN answers for what it translates: each address is translated to itself.
    """
    if not router.ndp_proxy:
        return
    side = f'inport == "lrp-{gateway.id}"'
    subnets = {fixed.subnet_id for port in inside for fixed in port.fixed_ips}
    for cidr in sorted({p.subnets[id].cidr for id in subnets if p.subnets[id].ip_version == 6}):
        _policy(p, router, f"shut-{router.id}-{cidr}", 100, f"{side} && ip6.dst == {cidr}", "drop")
    for proxy in p.proxies[router.id]:
        address = proxy.ip_address
        _policy(p, router, f"open-{proxy.id}", 200, f"{side} && ip6.dst == {address}", "allow")
        columns = {"type": "dnat_and_snat", "external_ip": address, "logical_ip": address}
        _nat(p, router, gateway, f"proxy-{proxy.id}", columns | {"options": {"stateless": "true"}})


def _policy(p: Picture, router: Router, key: str, priority: int, match: str, action: str) -> None:
    columns = {"priority": priority, "match": match, "action": action}
    p.add("Logical_Router_Policy", key, columns, parent=(f"router-{router.id}", "policies"))


def _nat(p: Picture, router: Router, gateway: Port, key: str, columns: dict[str, Any]) -> None:
    """Add a translation at one gateway: a router with several has to be told at which."""
    refs = {"gateway_port": (f"lrp-{gateway.id}",)}
    p.add("NAT", key, columns, parent=(f"router-{router.id}", "nat"), refs=refs)


def _snat(p: Picture, router: Router, gateway: Port, inside: list[Port]) -> None:
    """Hide the networks inside behind the gateway's address, but for those in the same address scope."""
    four = [fixed for fixed in gateway.fixed_ips if p.subnets[fixed.subnet_id].ip_version == 4]
    if not four:
        return
    scopes = {p.subnets[fixed.subnet_id].address_scope_id for fixed in four} - {None}
    ranges = {
        subnet.cidr
        for port in inside
        for fixed in port.fixed_ips
        if (subnet := p.subnets[fixed.subnet_id]).ip_version == 4 and subnet.address_scope_id not in scopes
    }
    for cidr in sorted(ranges):
        columns = {"type": "snat", "external_ip": four[0].ip_address, "logical_ip": cidr}
        _nat(p, router, gateway, f"snat-{gateway.id}-{cidr}", columns)
