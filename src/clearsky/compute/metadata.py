"""What a guest reads about itself: one tree of files for the config drive and the metadata service. Pure."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from typing import Any

import orjson

from clearsky.network.service import Address, PortInfo


@dataclass(frozen=True, slots=True)
class Facts:
    """What the tree is made from."""

    server_id: str
    name: str
    hostname: str
    project_id: str
    availability_zone: str
    launch_index: int
    reservation_id: str
    key_name: str | None
    public_key: str | None
    metadata: dict[str, str]
    user_data: str | None
    """Base64, as the client sent it."""
    flavor_name: str
    ports: tuple[PortInfo, ...]
    password: str = ""
    """As the guest has encrypted and posted it."""


def tree(facts: Facts) -> dict[str, str]:
    """Return path -> base64 of content."""
    files: dict[str, bytes] = {
        "openstack/latest/meta_data.json": orjson.dumps(_meta_data(facts)),
        "openstack/latest/network_data.json": orjson.dumps(network_data(facts.ports)),
        "openstack/latest/vendor_data.json": b"{}",
        "openstack/latest/vendor_data2.json": b"{}",
        "openstack/latest/password": facts.password.encode(),
        "ec2/latest/meta-data.json": orjson.dumps(_ec2(facts)),
    }
    if facts.user_data:
        raw = base64.b64decode(facts.user_data)
        files["openstack/latest/user_data"] = raw
        files["ec2/latest/user-data"] = raw
    return {path: base64.b64encode(content).decode() for path, content in files.items()}


def _meta_data(facts: Facts) -> dict[str, Any]:
    data: dict[str, Any] = {
        "uuid": facts.server_id,
        "name": facts.name,
        "hostname": facts.hostname,
        "project_id": facts.project_id,
        "availability_zone": facts.availability_zone,
        "launch_index": facts.launch_index,
        "devices": [],
        "dedicated_cpus": [],
    }
    if facts.metadata:
        data["meta"] = facts.metadata
    if facts.public_key:
        name = facts.key_name or "key"
        data["public_keys"] = {name: facts.public_key}
        data["keys"] = [{"name": name, "type": "ssh", "data": facts.public_key}]
    return data


def _ec2(facts: Facts) -> dict[str, Any]:
    own = [a.ip for port in facts.ports for a in port.addresses if a.version == 4]
    floating = [ip for port in facts.ports for ip in port.floating_ips.values()]
    number = facts.server_id.replace("-", "")[:8]
    data: dict[str, Any] = {
        "ami-id": f"ami-{number}",
        "ami-launch-index": facts.launch_index,
        "hostname": facts.hostname,
        "instance-action": "none",
        "instance-id": f"i-{number}",
        "instance-type": facts.flavor_name,
        "local-hostname": facts.hostname,
        "local-ipv4": own[0] if own else "",
        "placement": {"availability-zone": facts.availability_zone},
        "public-hostname": facts.hostname,
        "public-ipv4": floating[0] if floating else "",
        "reservation-id": facts.reservation_id,
        "security-groups": sorted({name for port in facts.ports for name in port.security_groups.values()}),
        "block-device-mapping": {"ami": "vda", "root": "/dev/vda"},
    }
    if facts.public_key:
        data["public-keys"] = {"0": {"_name": facts.key_name or "key", "openssh-key": facts.public_key}}
    return data


def network_data(ports: tuple[PortInfo, ...]) -> dict[str, Any]:
    """Return network_data.json: the guest's links, the networks on them, and DNS, true to its ports."""
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: list[dict[str, Any]] = []
    for port in ports:
        name = f"tap{port.id[:11]}"
        links.append(
            {
                "id": name,
                "vif_id": port.id,
                "type": "ovs",
                "mtu": port.mtu,
                "ethernet_mac_address": port.mac,
            }
        )
        for address in port.addresses:
            networks.append(_network(f"network{len(networks)}", name, port, address))
        servers = dict.fromkeys(ip for address in port.addresses for ip in address.dns_servers)
        services += [{"type": "dns", "address": ip} for ip in servers]
    unique = list({item["address"]: item for item in services}.values())
    return {"links": links, "networks": networks, "services": unique}


def _network(id: str, link: str, port: PortInfo, address: Address) -> dict[str, Any]:
    common: dict[str, Any] = {"id": id, "link": link, "network_id": port.network_id}
    if address.version == 4 and address.dhcp:
        return common | {"type": "ipv4_dhcp"}
    if address.version == 6 and address.dhcp and address.ipv6_address_mode:
        return common | {
            "type": f"ipv6_{address.ipv6_address_mode.removeprefix('dhcpv6-').replace('stateful', 'dhcpv6-stateful').replace('stateless', 'dhcpv6-stateless')}"
        }
    net = ipaddress.ip_network(address.cidr)
    empty = "0.0.0.0" if address.version == 4 else "::"  # noqa: S104 - a destination, not a listener
    routes = [_route(destination, hop) for destination, hop in address.host_routes]
    if address.gateway_ip:
        routes.append({"network": empty, "netmask": empty, "gateway": address.gateway_ip})
    return common | {
        "type": f"ipv{address.version}",
        "ip_address": address.ip,
        "netmask": str(net.netmask),
        "routes": routes,
        "services": [{"type": "dns", "address": ip} for ip in address.dns_servers],
    }


def _route(destination: str, hop: str) -> dict[str, str]:
    net = ipaddress.ip_network(destination)
    return {"network": str(net.network_address), "netmask": str(net.netmask), "gateway": hop}
