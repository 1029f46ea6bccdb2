"""Subnet pools: which prefix a new subnet gets, and whether one that was asked for may be had."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, select

from clearsky.db.engine import lock
from clearsky.errors import Conflict, Invalid
from clearsky.network import tables as t

Net = ipaddress.IPv4Network | ipaddress.IPv6Network


def default_of(c: Connection, version: int) -> Any:
    """Return the default pool of an IP version, or None."""
    p = t.subnetpools.c
    return c.execute(select(t.subnetpools).where(p.is_default, p.ip_version == version)).first()


def compact(prefixes: list[Net]) -> list[Net]:
    """Return the same addresses as few prefixes, in order."""
    four = ipaddress.collapse_addresses([net for net in prefixes if net.version == 4])
    six = ipaddress.collapse_addresses([net for net in prefixes if net.version == 6])
    return [*four, *six]


def allocated(c: Connection, pool_id: str) -> list[Net]:
    query = select(t.subnets.c.cidr).where(t.subnets.c.subnetpool_id == pool_id)
    return [ipaddress.ip_network(cidr) for cidr in c.execute(query).scalars()]


def delegate(c: Connection, pool: Any, project_id: str, cidr: Net | None, prefixlen: int | None) -> Net:
    """Return the prefix that a new subnet gets of the pool: `cidr`, or the first free one of `prefixlen`.

    Raises Invalid where the pool does not give such a one, Conflict where it has none left or the project's part
    of it is used up.
    """
    lock(c, f"pool:{pool.id}")
    length = cidr.prefixlen if cidr else prefixlen or pool.default_prefixlen
    if length < pool.min_prefixlen:
        raise Invalid(
            f"Unable to allocate subnet with prefix length {length}, minimum allowed prefix is {pool.min_prefixlen}.",
            kind="MinPrefixSubnetAllocationError",
        )
    if length > pool.max_prefixlen:
        raise Invalid(
            f"Unable to allocate subnet with prefix length {length}, maximum allowed prefix is {pool.max_prefixlen}.",
            kind="MaxPrefixSubnetAllocationError",
        )
    _check_quota(c, pool, project_id, length)
    taken = allocated(c, pool.id)
    prefixes = sorted(
        (ipaddress.ip_network(text) for text in pool.prefixes), key=lambda net: (-net.prefixlen, net)
    )
    if cidr is not None:
        inside = any(_within(cidr, prefix) for prefix in prefixes)
        if not inside or any(cidr.overlaps(other) for other in taken):
            raise Conflict(
                f"Failed to allocate subnet: Cannot allocate requested subnet {cidr} from the available set of prefixes.",
                kind="SubnetAllocationError",
            )
        return cidr
    for prefix in prefixes:
        if length >= prefix.prefixlen and (found := _first_free(prefix, length, taken)):
            return found
    raise Conflict(
        f"Failed to allocate subnet: Insufficient prefix space to allocate subnet size /{length}.",
        kind="SubnetAllocationError",
    )


def _within(inner: Net, outer: Net) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _first_free(prefix: Net, length: int, taken: list[Net]) -> Net | None:
    size = 1 << (prefix.max_prefixlen - length)
    at, end = int(prefix.network_address), int(prefix.broadcast_address)
    spans = sorted((int(net.network_address), int(net.broadcast_address)) for net in taken)
    for first, last in spans:
        if last < at or first >= at + size:
            continue
        at = -(-(last + 1) // size) * size
    if at + size - 1 > end:
        return None
    make = ipaddress.IPv4Network if prefix.version == 4 else ipaddress.IPv6Network
    return make((at, length))


def _check_quota(c: Connection, pool: Any, project_id: str, length: int) -> None:
    """Count what the project has of the pool: addresses in IPv4, /64 networks in IPv6."""
    if pool.default_quota is None:
        return
    whole = 32 if pool.ip_version == 4 else 64
    query = select(t.subnets.c.cidr).where(
        t.subnets.c.subnetpool_id == pool.id, t.subnets.c.project_id == project_id
    )
    used = sum(_units(int(cidr.partition("/")[2]), whole) for cidr in c.execute(query).scalars())
    if used + _units(length, whole) > pool.default_quota:
        raise Conflict(
            f"Per-tenant subnet pool prefix quota exceeded: {used} of {pool.default_quota} are used.",
            kind="SubnetPoolQuotaExceeded",
        )


def _units(length: int, whole: int) -> int:
    return 1 << max(0, whole - length)
