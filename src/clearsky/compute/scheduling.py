"""Which host a server goes to, and what is said when there is none."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from sqlalchemy import Connection

from clearsky.compute import store
from clearsky.placement import service as placement

ZONE = "nova"
ALIVE_S = 60.0
"""A host that has not reported for so long gets no new servers."""


class NoValidHost(Exception):
    """No host takes the server; says how many fell out for which reason."""


def resources(row: Any) -> dict[str, int]:
    """Return what a server claims, in Placement's classes."""
    flavor = row.flavor
    disk = flavor["disk_gib"] + flavor["ephemeral_gib"] + -(-flavor["swap_mib"] // 1024)
    return {"VCPU": flavor["vcpus"], "MEMORY_MB": flavor["ram_mib"], "DISK_GB": disk}


def is_up(host: Any, now: float) -> bool:
    return now - host.seen_at < ALIVE_S and not host.forced_down


def choose(c: Connection, row: Any) -> Any:
    """Return the host with the most free memory among those that fit; raises NoValidHost."""
    now, rejected = time.time(), Counter[str]()
    fitting, short = placement.candidates(c, resources(row))
    rejected.update(short)
    hosts = {host.id: host for host in store.hosts(c)}
    for candidate in fitting:
        host = hosts.get(candidate.provider_id)
        if host is None:
            rejected["not a compute host"] += 1
        elif not is_up(host, now):
            rejected["host is down"] += 1
        elif not host.enabled:
            rejected["host is disabled"] += 1
        elif row.forced_host and row.forced_host != host.name:
            rejected[f"not the host that was asked for ({row.forced_host})"] += 1
        elif row.availability_zone not in (None, ZONE):
            rejected[f"not in availability zone {row.availability_zone}"] += 1
        else:
            return host
    told = (
        ", ".join(f"{reason}: {count}" for reason, count in sorted(rejected.items())) or "there are no hosts"
    )
    raise NoValidHost(f"No valid host was found. Of {len(hosts)} host(s) fell out, by reason: {told}.")
