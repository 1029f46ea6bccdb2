"""Networks and their ports: logical switches, the leases they give, and who may speak as whom."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from typing import Any

from clearsky.network.model import (
    DOMAIN,
    FLOATING_IP,
    METADATA,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    Network,
    Port,
    Subnet,
)
from clearsky.network.ovn import options as dhcp
from clearsky.network.ovn.translate.picture import Picture

METADATA_IP = "169.254.169.254"
SERVER_MAC = "fa:16:3e:00:00:01"
"""Of the DHCP server that OVN plays in each network."""
LEASE_S = 43200
NOBODY = "0.0.0.0"  # noqa: S104 - the source address of a guest that has none yet


def add(p: Picture) -> None:
    for network in p.t.networks:
        _switch(p, network)
    for subnet in p.t.subnets:
        _dhcp(p, subnet)
    for port in p.t.ports:
        _port(p, port)


def _switch(p: Picture, network: Network) -> None:
    other = {"mcast_snoop": "false", "vlan-passthru": "true" if network.vlan_transparent else "false"}
    p.add("Logical_Switch", f"net-{network.id}", {"name": f"net-{network.id}", "other_config": other})
    if network.physical_network is not None:
        columns: dict[str, Any] = {
            "name": f"provider-{network.id}",
            "type": "localnet",
            "addresses": ["unknown"],
            "options": {"network_name": network.physical_network},
            "tag": [network.segmentation_id] if network.network_type == "vlan" else [],
        }
        parent = (f"net-{network.id}", "ports")
        p.add("Logical_Switch_Port", f"provider-{network.id}", columns, parent=parent)


# -- leases -----------------------------------------------------------------------------------------------------


def _dhcp(p: Picture, subnet: Subnet) -> None:
    network = p.networks[subnet.network_id]
    if not subnet.enable_dhcp or network.external:
        return
    if subnet.ip_version == 4:
        _dhcp4(p, subnet, network.mtu)
    elif subnet.ipv6_address_mode in ("dhcpv6-stateful", "dhcpv6-stateless"):
        options = {"server_id": SERVER_MAC, "domain_search": f'"{DOMAIN}"'}
        if subnet.ipv6_address_mode == "dhcpv6-stateless":
            options["dhcpv6_stateless"] = "true"
        if subnet.dns_nameservers:
            options["dns_server"] = _several(subnet.dns_nameservers)
        p.add("DHCP_Options", f"dhcp-{subnet.id}", {"cidr": subnet.cidr, "options": options})


def _dhcp4(p: Picture, subnet: Subnet, mtu: int) -> None:
    server = subnet.gateway_ip or p.metadata_ip.get(subnet.id) or str(ipaddress.ip_network(subnet.cidr)[1])
    options = {"server_id": server, "server_mac": SERVER_MAC, "lease_time": str(LEASE_S), "mtu": str(mtu)}
    options["domain_name"] = f'"{DOMAIN}"'
    routes = [(destination, hop) for destination, hop in subnet.host_routes]
    if subnet.id in p.metadata_ip:
        routes.insert(0, (f"{METADATA_IP}/32", p.metadata_ip[subnet.id]))
    if subnet.gateway_ip:
        options["router"] = subnet.gateway_ip
        # A client that gets classless routes ignores the router option (RFC 3442): repeat it there.
        routes.append(("0.0.0.0/0", subnet.gateway_ip))
    if routes:
        options["classless_static_route"] = "{" + ", ".join(f"{d},{h}" for d, h in routes) + "}"
    if subnet.dns_nameservers:
        options["dns_server"] = _several(subnet.dns_nameservers)
    p.add("DHCP_Options", f"dhcp-{subnet.id}", {"cidr": subnet.cidr, "options": options})


def _leases(p: Picture, port: Port) -> dict[str, tuple[str, ...]]:
    if port.device_owner.startswith("network:"):
        return {}
    refs: dict[str, tuple[str, ...]] = {}
    for fixed in port.fixed_ips:
        version = p.subnets[fixed.subnet_id].ip_version
        column = "dhcpv4_options" if version == 4 else "dhcpv6_options"
        shared = f"dhcp-{fixed.subnet_id}"
        off = any(name == dhcp.DISABLED for name, _, family in port.extra_dhcp_opts if family == version)
        if shared not in p.rows or column in refs or off:
            continue
        refs[column] = (_own_lease(p, port, shared, version),)
    return refs


def _own_lease(p: Picture, port: Port, shared: str, version: int) -> str:
    """Return the key of the DHCP options that this port gets: the subnet's, or its own with extra options."""
    extra = [dhcp.rendered(name, value, family) for name, value, family in port.extra_dhcp_opts
             if family == version]  # fmt: skip
    if port.dns_name and version == 4:
        extra.insert(0, ("hostname", f'"{port.dns_name}"'))
    own = dict(item for item in extra if item is not None)
    if not own:
        return shared
    base = p.rows[shared].columns
    key = f"dhcp-port-{port.id}-{version}"
    p.add("DHCP_Options", key, {"cidr": base["cidr"], "options": base["options"] | own})
    return key


# -- ports ------------------------------------------------------------------------------------------------------


def _port(p: Picture, port: Port) -> None:
    if port.device_owner == FLOATING_IP:
        return  # an address that NAT answers for; nothing is plugged there
    columns: dict[str, Any] = {
        "name": port.id,
        "enabled": [port.admin_state_up],
        "tag": [],
        "parent_name": [],
    }
    ips = [fixed.ip_address for fixed in port.fixed_ips]
    if port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY):
        if port.device_id not in p.routers:
            return
        columns |= {"type": "router", "addresses": ["router"], "options": {"router-port": f"lrp-{port.id}"}}
        if port.device_owner == ROUTER_GATEWAY:
            columns["options"] |= {"nat-addresses": "router", "exclude-lb-vips-from-garp": "true"}
    elif port.device_owner == METADATA:
        columns |= {"type": "localport", "addresses": [" ".join([port.mac_address, *ips])]}
    else:
        # Only the host that the port is bound to may claim it, whatever others plug in under its name.
        where = {"requested-chassis": port.host} if port.host and port.parent is None else {}
        columns |= _guest(p, port, ips) | {"options": where}
    if port.parent is not None:
        columns |= {"parent_name": [port.parent[0]], "tag": [port.parent[1]]}
    parent = (f"net-{port.network_id}", "ports")
    p.add("Logical_Switch_Port", f"port-{port.id}", columns, parent=parent, refs=_leases(p, port))


def _guest(p: Picture, port: Port, ips: list[str]) -> dict[str, Any]:
    own = " ".join([port.mac_address, *ips])
    if not port.port_security_enabled:
        return {"addresses": [own, "unknown"], "port_security": []}
    pairs: dict[str, list[str]] = defaultdict(list)
    for mac, address in port.allowed_address_pairs:
        pairs[mac].append(address)
    if not ips and not pairs:
        # Without any address nothing but DHCP may leave: an empty list of addresses would allow all.
        return {"addresses": [port.mac_address], "port_security": [f"{port.mac_address} {NOBODY}"]}
    mine = [*ips, *pairs.pop(port.mac_address, [])]
    allowed = [" ".join([port.mac_address, *(mine or [NOBODY])])]
    allowed += [" ".join([mac, *addresses]) for mac, addresses in sorted(pairs.items())]
    # A MAC that is not the port's own is reachable only where the switch may learn it.
    return {"addresses": [own, *(["unknown"] if pairs else [])], "port_security": sorted(allowed)}


def _several(items: tuple[str, ...]) -> str:
    return "{" + ", ".join(items) + "}"
