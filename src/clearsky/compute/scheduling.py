"""Which host a server goes to, and what is said when there is none."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import Any

from sqlalchemy import Connection, select

from clearsky.compute import groups, store
from clearsky.compute import tables as t
from clearsky.db.engine import lock
from clearsky.house import House
from clearsky.network import service as network
from clearsky.placement import service as placement

ZONE = "nova"
"""The zone of every host that no aggregate puts into another one."""
ALIVE_S = 60.0
"""A host that has not reported for so long gets no new servers."""


class NoValidHost(Exception):
    """No host takes the server; says how many fell out for which reason."""


Claims = dict[str, dict[str, int]]
"""Resource provider -> resource class -> amount."""


def resources(flavor: dict[str, Any]) -> dict[str, int]:
    """Return what a server of a flavor claims, in Placement's classes."""
    disk = flavor["disk_gib"] + flavor["ephemeral_gib"] + -(-flavor["swap_mib"] // 1024)
    return {"VCPU": flavor["vcpus"], "MEMORY_MB": flavor["ram_mib"], "DISK_GB": disk}


def claims(c: Connection, row: Any, host_id: str, flavor: dict[str, Any] | None = None) -> Claims:
    """Return what a server claims on a host and on its links: the flavor, and the bandwidth its ports are promised."""
    return {host_id: resources(flavor or row.flavor)} | _on_links(_promised(c, row), host_id)


def _promised(c: Connection, row: Any) -> list[network.Promise]:
    asked = [request["port_id"] for request in row.plan["requests"] if request]
    return list(network.promises(c, asked).values())


def links(c: Connection, row: Any) -> dict[str, str]:
    """Return port -> the provider that a server on a host claims its promised bandwidth from."""
    host = store.host(c, row.host)
    return {one.port_id: link_id(host.id, one.physical_network) for one in _promised(c, row)}


def _on_links(promised: list[network.Promise], host_id: str) -> Claims:
    found: Claims = {}
    for promise in promised:
        link = found.setdefault(link_id(host_id, promise.physical_network), {})
        for name, rate in promise.resources.items():
            link[name] = link.get(name, 0) + rate
    return found


def link_id(host_id: str, physical_network: str) -> str:
    """Return the id of the provider below a host that is its link to a physical network."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{host_id}/{physical_network}"))


def traits(flavor: dict[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the traits that a flavor's extra specs require and forbid: `trait:NAME=required`."""
    named: dict[str, set[str]] = {"required": set(), "forbidden": set()}
    for key, value in flavor["extra_specs"].items():
        if key.startswith("trait:") and value in named:
            named[value].add(key.removeprefix("trait:"))
    return frozenset(named["required"]), frozenset(named["forbidden"])


def is_up(host: Any, now: float) -> bool:
    return now - host.seen_at < ALIVE_S and not host.forced_down


def zones(c: Connection) -> dict[str, str]:
    """Return host -> availability zone, for those that an aggregate puts into one."""
    a, m = t.aggregates, t.aggregate_hosts
    query = select(m.c.host, a.c.metadata).join(a, a.c.id == m.c.aggregate_id).order_by(a.c.id)
    found = {}
    for host, metadata in c.execute(query):
        if zone := metadata.get("availability_zone"):
            found[host] = zone
    return found


def zone_names(c: Connection) -> set[str]:
    """Return the availability zones that a server may be asked for in."""
    named = zones(c)
    return {named.get(host.name, ZONE) for host in store.hosts(c)} or {ZONE}


def choose(house: House, c: Connection, row: Any) -> Any:
    """Return the host with the most free memory among those that fit; raises NoValidHost."""
    now, rejected = time.time(), Counter[str]()
    if row.group_id:
        lock(c, f"server-group:{row.group_id}")
    fitting, short = placement.candidates(house, c, resources(row.flavor), *traits(row.flavor))
    rejected.update(short)
    hosts = {host.id: host for host in store.hosts(c)}
    named, fits_group = zones(c), groups.judge(c, row)
    near, far = (_hosts_of(c, row, hint) for hint in ("same_host", "different_host"))
    best: list[tuple[int, Any]] = []
    promised = _promised(c, row)
    for candidate in fitting:
        host = hosts.get(candidate.provider_id)
        if host is None:
            rejected["not a compute host"] += 1
            continue
        reason, penalty = fits_group(host.name)
        if reason:
            pass
        elif not is_up(host, now):
            reason = "host is down"
        elif not host.enabled:
            reason = "host is disabled"
        elif row.forced_host and row.forced_host != host.name:
            reason = f"not the host that was asked for ({row.forced_host})"
        elif row.availability_zone not in (None, named.get(host.name, ZONE)):
            reason = f"not in availability zone {row.availability_zone}"
        elif near is not None and host.name not in near:
            reason = "not the host of the servers in same_host"
        elif far is not None and host.name in far:
            reason = "the host of a server in different_host"
        elif not placement.fits(house, c, _on_links(promised, host.id)):
            reason = "not enough bandwidth to promise"
        if reason:
            rejected[reason] += 1
        else:
            best.append((penalty, host))
    if best:
        return min(best, key=lambda item: item[0])[1]
    told = (
        ", ".join(f"{reason}: {count}" for reason, count in sorted(rejected.items())) or "there are no hosts"
    )
    raise NoValidHost(f"No valid host was found. Of {len(hosts)} host(s) fell out, by reason: {told}.")


def _hosts_of(c: Connection, row: Any, hint: str) -> set[str] | None:
    """Return the hosts of the servers that a scheduler hint names; None where it is not given."""
    named = row.scheduler_hints.get(hint)
    if not named:
        return None
    ids = [named] if isinstance(named, str) else list(named)
    s = t.servers.c
    query = select(s.host).where(s.id.in_(ids), s.project_id == row.project_id, s.host.is_not(None))
    return set(c.execute(query).scalars())
