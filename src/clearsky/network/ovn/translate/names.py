"""What OVN answers when a guest asks for a name: its network's ports, by their names and by their addresses."""

from __future__ import annotations

from collections import defaultdict

from clearsky.network.model import DOMAIN, FixedIp, Network, Port
from clearsky.network.ovn.translate.picture import Picture


def add(p: Picture) -> None:
    for network in p.t.networks:
        records: dict[str, list[str]] = defaultdict(list)
        for port in p.by_network[network.id]:
            if port.device_owner.startswith("compute:") or port.dns_name:
                for fixed in port.fixed_ips:
                    for name in names_of(port, network, fixed):
                        records[name.lower()].append(fixed.ip_address)
        if records:
            joined = {name: " ".join(ips) for name, ips in records.items()}
            parent = (f"net-{network.id}", "dns_records")
            p.add("DNS", f"dns-{network.id}", {"records": joined}, parent=parent)


def names_of(port: Port, network: Network, fixed: FixedIp) -> tuple[str, str]:
    """Return the short and the full name of a port's address."""
    host = port.dns_name or "host-" + fixed.ip_address.replace(".", "-").replace(":", "-")
    domain = (port.dns_domain or network.dns_domain or DOMAIN).rstrip(".")
    return host, f"{host}.{domain}"
