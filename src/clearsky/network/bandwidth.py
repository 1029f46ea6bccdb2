"""Bandwidth that is promised to ports: what a server claims for them in Placement, and what stands in the way of a promise.

A promise is a QoS rule `minimum_bandwidth`. It is kept by never promising more than a physical network has on a host:
so only ports of provider networks get one, and a port keeps what it has as long as a server has the port.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, or_, select

from clearsky.config import Config
from clearsky.errors import Conflict
from clearsky.network import tables as t
from clearsky.network.model import SUB_PORT
from clearsky.placement import service as placement

KIND = "minimum_bandwidth"
CLASSES = {"egress": "NET_BW_EGR_KILOBIT_PER_SEC", "ingress": "NET_BW_IGR_KILOBIT_PER_SEC"}
ALLOCATION = "allocation"
"""Key in the binding profile of a port whose server has claimed its promise: the provider that it is claimed from."""
VNIC_TRAIT = "CUSTOM_VNIC_TYPE_NORMAL"


@dataclass(frozen=True, slots=True)
class Promise:
    """What one port is promised."""

    port_id: str
    physical_network: str
    resources: dict[str, int]
    """Placement's resource class -> kbit/s."""


def trait(physical_network: str) -> str:
    """Return the trait of what carries a physical network, as upstream names it."""
    return "CUSTOM_PHYSNET_" + re.sub(r"[^A-Z0-9]", "_", physical_network.upper())


def provided(config: Config) -> dict[str, dict[str, int]]:
    """Return what a host can promise: physical network -> resource class -> kbit/s."""
    settings = config.network
    rates = {"egress": settings.bandwidth_egress_kbps, "ingress": settings.bandwidth_ingress_kbps}
    found = {CLASSES[direction]: rate for direction, rate in rates.items() if rate > 0}
    return {settings.provider_name: found} if found else {}


def promises(c: Connection, ports: Iterable[Any]) -> dict[str, Promise]:
    """Return what each of these ports is promised, by its own policy or else by its network's."""
    rows = [row for row in ports if not row.device_owner.startswith("network:")]
    q, n = t.qos_rules.c, t.networks.c
    rules = select(q.policy_id, q.direction, q.min_kbps).where(q.kind == KIND)
    own = {row.qos_policy_id for row in rows if row.qos_policy_id}
    ids = {row.network_id for row in rows}
    networks = {
        row.id: row
        for row in c.execute(
            select(n.id, n.physical_network, n.qos_policy_id).where(
                n.id.in_(ids), n.physical_network.is_not(None)
            )
        )
    }
    policies = own | {network.qos_policy_id for network in networks.values() if network.qos_policy_id}
    if not networks or not policies:
        return {}
    rates: dict[str, dict[str, int]] = {}
    for rule in c.execute(rules.where(q.policy_id.in_(policies))):
        rates.setdefault(rule.policy_id, {})[CLASSES[rule.direction]] = rule.min_kbps
    found = {}
    for row in rows:
        network = networks.get(row.network_id)
        policy_id = row.qos_policy_id or (network.qos_policy_id if network else None)
        if network is not None and policy_id in rates:
            found[row.id] = Promise(row.id, network.physical_network, rates[policy_id])
    return found


def has_promise(c: Connection, policy_id: str | None) -> bool:
    q = t.qos_rules.c
    query = select(q.id).where(q.policy_id == policy_id, q.kind == KIND)
    return policy_id is not None and c.execute(query).first() is not None


def check_place(c: Connection, policy_id: str | None, physical_network: str | None, what: str) -> None:
    """Raise Conflict where a policy promises bandwidth to something that no physical network carries."""
    if physical_network is None and has_promise(c, policy_id):
        raise Conflict(
            f"QoS policy {policy_id} has a rule {KIND}, which {what} cannot have: it is for ports and networks "
            "that a physical network carries.",
            kind="QosRuleNotSupported",
        )


def check_users(c: Connection, policy_id: str) -> None:
    """Raise Conflict where something uses the policy that can be promised nothing."""
    n, p, q = t.networks.c, t.ports.c, {"router": t.routers, "floating IP": t.floating_ips}
    tunnelled = select(n.id).where(n.physical_network.is_(None))
    queries = {
        what: select(func.min(table.c.id)).where(table.c.qos_policy_id == policy_id)
        for what, table in q.items()
    } | {
        "network": select(func.min(n.id)).where(n.qos_policy_id == policy_id, n.id.in_(tunnelled)),
        "port": select(func.min(p.id)).where(p.qos_policy_id == policy_id, p.network_id.in_(tunnelled)),
    }
    for what, query in queries.items():
        if user := c.execute(query).scalar():
            raise Conflict(
                f"Rule {KIND} is not supported by {what} {user}, which has QoS policy {policy_id}: it is for ports and "
                "networks that a physical network carries.",
                kind="QosRuleNotSupported",
            )


def _claimed() -> Any:
    """Ports whose promise must not change: a server has claimed it, or, for a trunk's sub-ports, nobody can."""
    return or_(t.ports.c.device_owner.like("compute:%"), t.ports.c.device_owner == SUB_PORT)


def _refuse(policy_id: str, port: Any) -> None:
    raise Conflict(
        f"The bandwidth that QoS policy {policy_id} promises cannot change: port {port.id} is {port.device_owner} "
        f"{port.device_id}'s, and what a server claims is claimed when it is made. Take the port out first.",
        kind="QosPolicyInUse",
    )


def check_rules(c: Connection, policy_id: str) -> None:
    """Raise Conflict where a policy's promises must not change, because ports in use are under it."""
    p, n = t.ports.c, t.networks.c
    by_network = p.qos_policy_id.is_(None) & p.network_id.in_(
        select(n.id).where(n.qos_policy_id == policy_id)
    )
    query = select(t.ports).where(_claimed(), or_(p.qos_policy_id == policy_id, by_network))
    if port := c.execute(query.limit(1)).first():
        _refuse(policy_id, port)


def check_network(c: Connection, network: Any, policy_id: str | None) -> None:
    """Raise Conflict where another policy of a network would change what ports in use are promised."""
    p = t.ports.c
    query = select(t.ports).where(_claimed(), p.qos_policy_id.is_(None), p.network_id == network.id)
    for one in {network.qos_policy_id, policy_id} - {None} if policy_id != network.qos_policy_id else ():
        if has_promise(c, one) and (port := c.execute(query.limit(1)).first()):
            _refuse(one, port)


def move_claim(c: Connection, port: Any, policy_id: str | None) -> None:
    """Let what a port's server has claimed for it follow another policy; raises Conflict where that does not fit.

    A server that has claimed nothing for the port claims nothing now: a promise begins with the server.
    """
    if policy_id == port.qos_policy_id:
        return
    n = t.networks.c
    network = c.execute(select(n.qos_policy_id).where(n.id == port.network_id)).scalar()
    before, after = (rates(c, one or network) for one in (port.qos_policy_id, policy_id))
    if port.device_owner == SUB_PORT and (before or after):
        _refuse(str(policy_id or port.qos_policy_id), port)
    if provider := port.binding_profile.get(ALLOCATION):
        change = {name: after.get(name, 0) - before.get(name, 0) for name in before | after}
        placement.adjust(c, port.device_id, provider, change)


def rates(c: Connection, policy_id: str | None) -> dict[str, int]:
    """Return what a policy promises: resource class -> kbit/s."""
    q = t.qos_rules.c
    query = select(q.direction, q.min_kbps).where(q.policy_id == policy_id, q.kind == KIND)
    return {CLASSES[direction]: rate for direction, rate in c.execute(query)} if policy_id else {}


def profile_of(port: Any, provider: str | None) -> dict[str, Any]:
    """Return a port's binding profile where its server has claimed from a provider, or from none."""
    kept = {name: value for name, value in port.binding_profile.items() if name != ALLOCATION}
    return kept | ({ALLOCATION: provider} if provider else {})


def counts(port: Any) -> bool:
    """Say whether a port's promise is, or is to be, part of its server's claim."""
    return not (port.device_id and port.host) or ALLOCATION in port.binding_profile
