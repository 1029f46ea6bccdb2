"""Quotas count rows, in the transaction of the insert."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select

from clearsky.config import Quota
from clearsky.db.engine import lock
from clearsky.errors import QuotaExceeded
from clearsky.house import House
from clearsky.network import tables as t
from clearsky.network.model import METADATA

RESOURCES: dict[str, tuple[Table, str]] = {
    "network": (t.networks, "networks"),
    "subnet": (t.subnets, "subnets"),
    "subnetpool": (t.subnetpools, "subnet_pools"),
    "port": (t.ports, "ports"),
    "router": (t.routers, "routers"),
    "floatingip": (t.floating_ips, "floating_ips"),
    "security_group": (t.security_groups, "security_groups"),
    "security_group_rule": (t.rules, "security_group_rules"),
    "trunk": (t.trunks, "trunks"),
    "qos_policy": (t.qos_policies, "qos_policies"),
    "address_group": (t.address_groups, "address_groups"),
    "rbac_policy": (t.rbac, "rbac_policies"),
}
DATAPATH_CAP = 4095
"""Networks and routers together that VXLAN's 12 bits can tell apart in OVN."""
PORT_CAP = 2047
"""Ports of one network under VXLAN (11 bits)."""


def defaults(settings: Quota) -> dict[str, int]:
    return {name: getattr(settings, field) for name, (_, field) in RESOURCES.items()}


def limits(c: Connection, house: House, project_id: str) -> dict[str, int]:
    query = select(t.quotas.c.resource, t.quotas.c.limit_).where(t.quotas.c.project_id == project_id)
    return defaults(house.config.quota) | {name: int(limit) for name, limit in c.execute(query)}


def used(c: Connection, project_id: str, name: str) -> int:
    table = RESOURCES[name][0]
    query: Any = select(func.count()).select_from(table).where(table.c.project_id == project_id)
    if table is t.ports:
        query = query.where(table.c.device_owner != METADATA)
    return int(c.execute(query).scalar_one())


def check(c: Connection, house: House, project_id: str, name: str, more: int = 1) -> None:
    """Raise QuotaExceeded where `more` rows of the resource are too many for the project."""
    lock(c, f"quota:{project_id}")
    limit = limits(c, house, project_id)[name]
    have = used(c, project_id, name)
    if limit >= 0 and have + more > limit:
        raise QuotaExceeded(
            f"Quota exceeded for resources: ['{name}']. The project has {have} of {limit}.", kind="OverQuota"
        )


def check_datapaths(c: Connection, house: House) -> None:
    """Raise QuotaExceeded where another network or router would be more than the encapsulation can carry."""
    if house.config.network.encapsulation != "vxlan":
        return
    lock(c, "datapaths")
    have = sum(
        int(c.execute(select(func.count()).select_from(table)).scalar_one())
        for table in (t.networks, t.routers)
    )
    if have >= DATAPATH_CAP:
        raise QuotaExceeded(
            f"This cloud has {have} networks and routers, and VXLAN can carry {DATAPATH_CAP}. "
            "Delete some, or ask the operator for Geneve encapsulation.",
            kind="OverQuota",
        )


def check_network_ports(c: Connection, house: House, network_id: str) -> None:
    if house.config.network.encapsulation != "vxlan":
        return
    query = select(func.count()).select_from(t.ports).where(t.ports.c.network_id == network_id)
    if int(c.execute(query).scalar_one()) >= PORT_CAP:
        raise QuotaExceeded(
            f"Network {network_id} has {PORT_CAP} ports, as many as VXLAN can carry.", kind="OverQuota"
        )


def store(c: Connection, project_id: str, wanted: dict[str, int]) -> None:
    for name, limit in wanted.items():
        c.execute(delete(t.quotas).where(t.quotas.c.project_id == project_id, t.quotas.c.resource == name))
        c.execute(insert(t.quotas).values(project_id=project_id, resource=name, limit_=limit))


def reset(c: Connection, project_id: str) -> None:
    c.execute(delete(t.quotas).where(t.quotas.c.project_id == project_id))
