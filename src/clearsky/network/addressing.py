"""Which address a port gets."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, insert, select

from clearsky.db.engine import lock
from clearsky.errors import Conflict, Invalid
from clearsky.network import store
from clearsky.network import tables as t

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def new_mac() -> str:
    return "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))


def dns_servers(subnet: Any, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the DNS servers that a subnet's guests are told of: its own, or the cloud's of the same IP version."""
    given: tuple[str, ...] = tuple(subnet.dns_nameservers)
    return given or tuple(ip for ip in default if ipaddress.ip_address(ip).version == subnet.ip_version)


def is_slaac(subnet: Any) -> bool:
    """Hosts make their own address from the MAC and the prefix."""
    automatic = ("slaac", "dhcpv6-stateless")
    return subnet.ip_version == 6 and (
        subnet.ipv6_address_mode in automatic or subnet.ipv6_ra_mode in automatic
    )


def eui64(cidr: str, mac: str) -> str:
    """Return the address that a host with this MAC makes itself in a /64 (RFC 4291, appendix A)."""
    parts = [int(part, 16) for part in mac.split(":")]
    parts[0] ^= 2
    suffix = bytes([*parts[:3], 0xFF, 0xFE, *parts[3:]])
    return str(ipaddress.IPv6Network(cidr).network_address + int.from_bytes(suffix, "big"))


def pools(cidr: str, gateway: str | None) -> list[dict[str, str]]:
    """Return the default allocation pools: every host address but the gateway's."""
    net = ipaddress.ip_network(cidr)
    small = net.num_addresses <= 2
    first = int(net.network_address) + (0 if small else 1)
    last = int(net.broadcast_address) - (1 if net.version == 4 and not small else 0)
    make = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
    spans = [(first, last)]
    if gateway and ipaddress.ip_address(gateway) in net:
        g = int(ipaddress.ip_address(gateway))
        spans = [(first, g - 1), (g + 1, last)]
    return [{"start": str(make(a)), "end": str(make(b))} for a, b in spans if a <= b]


def free_address(c: Connection, subnet: Any, besides: Iterable[str] = ()) -> str:
    """Return the lowest free address of the subnet's pools; raises Conflict where there is none."""
    lock(c, f"subnet:{subnet.id}")
    query = select(t.addresses.c.ip_address).where(t.addresses.c.subnet_id == subnet.id)
    found = [*c.execute(query).scalars(), *besides]
    if subnet.gateway_ip:
        found.append(subnet.gateway_ip)
    used = {int(ipaddress.ip_address(text)) for text in found}
    make = ipaddress.IPv4Address if subnet.ip_version == 4 else ipaddress.IPv6Address
    for pool in subnet.allocation_pools:
        first, last = int(ipaddress.ip_address(pool["start"])), int(ipaddress.ip_address(pool["end"]))
        taken = sorted(value for value in used if first <= value <= last)
        candidate = first
        for value in taken:
            if value != candidate:
                break
            candidate += 1
        if candidate <= last:
            return str(make(candidate))
    raise Conflict(
        f"No more IP addresses available on network {subnet.network_id}: subnet {subnet.id} ({subnet.cidr}) is full.",
        kind="IpAddressGenerationFailure",
    )


def choose(
    c: Connection, network_id: str, mac: str, wanted: list[dict[str, str]] | None, owner: str = ""
) -> list[tuple[Any, str]]:
    """Return (subnet, address) pairs for a port: what is wanted, else one of each version; the SLAAC ones always.

    A router chooses its own address where hosts make theirs themselves.
    """
    everything = store.subnets_on(c, [network_id])
    subnets = [s for s in everything if not s.service_types or owner in s.service_types]
    if wanted is not None:
        chosen: list[tuple[Any, str]] = []
        for item in wanted:
            taken = {ip for _, ip in chosen}
            chosen.append(_wanted(c, everything, network_id, mac, item, owner, taken))
    else:
        if everything and not subnets:
            raise Conflict(
                f"No subnet on network {network_id} is for ports of {owner!r} (service_types).",
                kind="IpAddressGenerationFailureNoMatchingSubnet",
            )
        chosen = _one_of_each_version(c, subnets)
    if not owner.startswith("network:router"):
        have = {subnet.id for subnet, _ in chosen}
        chosen += [(s, eui64(s.cidr, mac)) for s in subnets if is_slaac(s) and s.id not in have]
    return chosen


def _one_of_each_version(c: Connection, subnets: list[Any]) -> list[tuple[Any, str]]:
    chosen: list[tuple[Any, str]] = []
    for version in (4, 6):
        problem: Conflict | None = None
        for subnet in subnets:
            if subnet.ip_version != version or is_slaac(subnet):
                continue
            try:
                chosen.append((subnet, free_address(c, subnet)))
                problem = None
                break
            except Conflict as error:
                problem = error
        if problem is not None:
            raise problem
    return chosen


def _wanted(
    c: Connection,
    subnets: list[Any],
    network_id: str,
    mac: str,
    item: dict[str, str],
    owner: str,
    besides: set[str],
) -> tuple[Any, str]:
    text, subnet_id = item.get("ip_address"), item.get("subnet_id")
    if text is None and subnet_id is None:
        raise Invalid("IP allocation requires subnet_id or ip_address.", kind="InvalidInput")
    if subnet_id is not None:
        subnet = next((s for s in subnets if s.id == subnet_id), None)
        if subnet is None:
            raise Invalid(f"Subnet {subnet_id} is not on network {network_id}.", kind="InvalidInput")
    else:
        address = _parse(text)
        subnet = next((s for s in subnets if address in ipaddress.ip_network(s.cidr)), None)
        if subnet is None:
            raise Invalid(
                f"IP address {text} is not a valid IP for any of the subnets on the network.",
                kind="InvalidIpForNetwork",
            )
    if text is None:
        if is_slaac(subnet) and not owner.startswith("network:router"):
            return subnet, eui64(subnet.cidr, mac)
        return subnet, free_address(c, subnet, besides)
    address = _parse(text)
    if address not in ipaddress.ip_network(subnet.cidr):
        raise Invalid(
            f"IP address {text} is not a valid IP for the specified subnet.", kind="InvalidIpForSubnet"
        )
    if (
        is_slaac(subnet)
        and not owner.startswith("network:router")
        and str(address) != eui64(subnet.cidr, mac)
    ):
        raise Invalid(
            f"IPv6 address {text} cannot be chosen: subnet {subnet.id} makes addresses from the MAC.",
            kind="AllocationOnAutoAddressSubnet",
        )
    query = select(t.addresses.c.port_id).where(
        t.addresses.c.subnet_id == subnet.id, t.addresses.c.ip_address == str(address)
    )
    if str(address) in besides:
        raise Invalid(f"IP address {text} is given twice.", kind="DuplicateIpsOnPort")
    if holder := c.execute(query).scalar():
        raise Conflict(
            f"IP address {text} already allocated in subnet {subnet.id}: port {holder} has it.",
            kind="IpAddressAlreadyAllocated",
        )
    return subnet, str(address)


def _parse(text: str | None) -> Ip:
    try:
        return ipaddress.ip_address(text or "")
    except ValueError as error:
        raise Invalid(f"'{text}' is not a valid IP address.", kind="InvalidInput") from error


def assign(c: Connection, port_id: str, chosen: list[tuple[Any, str]]) -> None:
    rows = [
        {"subnet_id": subnet.id, "ip_address": ip, "port_id": port_id, "position": position}
        for position, (subnet, ip) in enumerate(chosen)
    ]
    if rows:
        c.execute(insert(t.addresses), rows)
