"""SQL of the Network service that several resources share."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from clearsky.errors import NotFound
from clearsky.network import tables as t
from clearsky.work.queue import enqueue

KINDS = {
    t.networks: ("Network", "NetworkNotFound"),
    t.segment_ranges: ("Network Segment Range", "NetworkSegmentRangeNotFound"),
    t.subnets: ("Subnet", "SubnetNotFound"),
    t.subnetpools: ("Subnet pool", "SubnetPoolNotFound"),
    t.address_scopes: ("Address scope", "AddressScopeNotFound"),
    t.address_groups: ("Address group", "AddressGroupNotFound"),
    t.ports: ("Port", "PortNotFound"),
    t.routers: ("Router", "RouterNotFound"),
    t.ndp_proxies: ("Ndp proxy", "NDPProxyNotFound"),
    t.floating_ips: ("Floating IP", "FloatingIPNotFound"),
    t.trunks: ("Trunk", "TrunkNotFound"),
    t.qos_policies: ("QoS policy", "QosPolicyNotFound"),
    t.qos_rules: ("QoS rule", "QosRuleNotFound"),
    t.port_forwardings: ("Port forwarding", "PortForwardingNotFound"),
    t.security_groups: ("Security group", "SecurityGroupNotFound"),
    t.rules: ("Security group rule", "SecurityGroupRuleNotFound"),
    t.default_statefulness: (
        "Security group default statefulness",
        "SecurityGroupDefaultStatefulnessNotFound",
    ),
    t.default_rules: ("Default security group rule", "DefaultSecurityGroupRuleNotFound"),
    t.rbac: ("RBAC policy", "RbacPolicyNotFound"),
}
SHARED, EXTERNAL = "access_as_shared", "access_as_external"
EVERYBODY = "*"
_SHARABLE = (t.address_scopes, t.address_groups, t.security_groups, t.subnetpools, t.qos_policies)


def granted(scope: str | None, *actions: str) -> Select[tuple[str]]:
    """Return the ids of objects that a project may use by somebody's grant."""
    r = t.rbac.c
    return select(r.object_id).where(r.action.in_(actions), r.target_project.in_((scope or "", EVERYBODY)))


def visible(table: Table, scope: str | None) -> ColumnElement[bool]:
    """The rows that a project may see; None sees everything."""
    if scope is None or "project_id" not in table.c:
        return true()
    mine: ColumnElement[bool] = table.c.project_id == scope
    n, g = t.networks.c, t.security_groups.c
    if table is t.networks:
        return or_(mine, n.id.in_(granted(scope, SHARED, EXTERNAL)))
    if table is t.subnets:
        on_mine = table.c.network_id.in_(select(n.id).where(n.project_id == scope))
        return or_(mine, on_mine, table.c.network_id.in_(granted(scope, SHARED, EXTERNAL)))
    if table is t.ports:
        return or_(mine, table.c.network_id.in_(select(n.id).where(n.project_id == scope)))
    if table in _SHARABLE:
        return or_(mine, table.c.id.in_(granted(scope, SHARED)))
    if table is t.rules:
        on_mine = table.c.security_group_id.in_(select(g.id).where(g.project_id == scope))
        return or_(mine, on_mine, table.c.security_group_id.in_(granted(scope, SHARED)))
    return mine


def shared_with(c: Connection, ids: Iterable[str], project_id: str | None) -> set[str]:
    """Return which of these objects a project (and so perhaps every project) was granted."""
    wanted = list(ids)
    if not wanted:
        return set()
    query = granted(project_id, SHARED).where(t.rbac.c.object_id.in_(wanted))
    return {str(id) for id in c.execute(query).scalars()}


def get(c: Connection, table: Table, scope: str | None, id: str) -> Any:
    """Return a row the project may see; raises NotFound."""
    row = c.execute(select(table).where(table.c.id == id, visible(table, scope))).first()
    if row is None:
        what, kind = KINDS[table]
        raise NotFound(f"{what} {id} could not be found.", kind=kind)
    return row


def usable_network(c: Connection, scope: str | None, id: str) -> Any:
    """Return a network that a project may put ports on: its own, or one that is shared with it."""
    row = get(c, t.networks, scope, id)
    if scope is not None and row.project_id != scope and not shared_with(c, [id], scope):
        raise NotFound(f"Network {id} could not be found.", kind="NetworkNotFound")
    return row


def many(c: Connection, table: Table, ids: Iterable[str | None]) -> dict[str, Any]:
    wanted = [id for id in set(ids) if id]
    if not wanted:
        return {}
    return {row.id: row for row in c.execute(select(table).where(table.c.id.in_(wanted)))}


def create(c: Connection, table: Table, values: dict[str, Any]) -> Any:
    now = time.time()
    fixed = {"id": str(uuid.uuid4()), "created_at": now, "updated_at": now}
    return c.execute(insert(table).values(**(fixed | values)).returning(table)).one()


def change(c: Connection, table: Table, id: str, values: dict[str, Any]) -> Any:
    grown = {"updated_at": time.time(), "revision_number": table.c.revision_number + 1}
    return c.execute(update(table).where(table.c.id == id).values(**(values | grown)).returning(table)).one()


def remove(c: Connection, table: Table, id: str) -> None:
    """Remove a row with what was granted of it."""
    c.execute(delete(t.rbac).where(t.rbac.c.object_id == id))
    c.execute(delete(table).where(table.c.id == id))


def grant(c: Connection, row: Any, object_type: str, action: str, target: str) -> Any:
    """Let a project (or everybody) use an object; again is harmless."""
    r = t.rbac.c
    key = {"object_id": row.id, "action": action, "target_project": target}
    query = select(t.rbac).where(*(r[name] == value for name, value in key.items()))
    if found := c.execute(query).first():
        return found
    values = key | {"id": str(uuid.uuid4()), "project_id": row.project_id, "object_type": object_type}
    return c.execute(insert(t.rbac).values(**values).returning(t.rbac)).one()


def revoke(c: Connection, id: str, action: str, target: str) -> None:
    r = t.rbac.c
    c.execute(delete(t.rbac).where(r.object_id == id, r.action == action, r.target_project == target))


def count(c: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return int(c.execute(select(func.count()).select_from(table).where(where)).scalar_one())


def sync(c: Connection, request_id: str = "") -> None:
    """Say that the engine has to be brought in line with the rows."""
    enqueue(c, "network", "all", request_id=request_id)


# -- addresses and groups of ports ------------------------------------------------------------------------------


def addresses_of(c: Connection, port_ids: Iterable[str]) -> dict[str, list[Any]]:
    query = (
        select(t.addresses).where(t.addresses.c.port_id.in_(list(port_ids))).order_by(t.addresses.c.position)
    )
    found: dict[str, list[Any]] = defaultdict(list)
    for row in c.execute(query):
        found[row.port_id].append(row)
    return found


def addresses_with_domains(c: Connection, port_ids: Iterable[str]) -> dict[str, list[Any]]:
    """Do the same, with the domain of each address's network."""
    a, s, n = t.addresses, t.subnets, t.networks
    joined = a.join(s, a.c.subnet_id == s.c.id).join(n, s.c.network_id == n.c.id)
    query = select(a, n.c.dns_domain).select_from(joined).where(a.c.port_id.in_(list(port_ids)))
    found: dict[str, list[Any]] = defaultdict(list)
    for row in c.execute(query.order_by(a.c.position)):
        found[row.port_id].append(row)
    return found


def groups_of(c: Connection, port_ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in c.execute(select(t.port_groups).where(t.port_groups.c.port_id.in_(list(port_ids)))):
        found[row.port_id].append(row.security_group_id)
    return found


def set_groups(c: Connection, port_id: str, group_ids: Iterable[str]) -> None:
    c.execute(delete(t.port_groups).where(t.port_groups.c.port_id == port_id))
    if rows := [{"port_id": port_id, "security_group_id": id} for id in dict.fromkeys(group_ids)]:
        c.execute(insert(t.port_groups), rows)


def remove_port(c: Connection, id: str) -> None:
    """Remove a port with its addresses and groups; floating IPs on it are left without a port."""
    c.execute(delete(t.addresses).where(t.addresses.c.port_id == id))
    c.execute(delete(t.port_groups).where(t.port_groups.c.port_id == id))
    c.execute(delete(t.port_forwardings).where(t.port_forwardings.c.internal_port_id == id))
    c.execute(delete(t.sub_ports).where(t.sub_ports.c.port_id == id))
    c.execute(delete(t.ndp_proxies).where(t.ndp_proxies.c.port_id == id))
    c.execute(delete(t.spare_bindings).where(t.spare_bindings.c.port_id == id))
    free = {"port_id": None, "fixed_ip_address": None, "router_id": None}
    c.execute(update(t.floating_ips).where(t.floating_ips.c.port_id == id).values(**free))
    c.execute(delete(t.ports).where(t.ports.c.id == id))


def follow(c: Connection, port_id: str, host: str) -> None:
    """Let what hangs on a port follow it to a host ("": none), and drop the spare bindings that this spends."""
    b = t.spare_bindings.c
    mine = b.port_id == port_id
    c.execute(delete(t.spare_bindings).where(and_(mine, b.host == host) if host else mine))
    move_sub_ports(c, port_id, host)


def move_sub_ports(c: Connection, parent_id: str, host: str) -> None:
    """Let a trunk's sub-ports follow their parent to a host."""
    s = t.sub_ports.c
    mine = select(s.port_id).where(
        s.trunk_id.in_(select(t.trunks.c.id).where(t.trunks.c.port_id == parent_id))
    )
    c.execute(update(t.ports).where(t.ports.c.id.in_(mine)).values(host=host))


def ports_on(c: Connection, network_id: str) -> list[Any]:
    return list(c.execute(select(t.ports).where(t.ports.c.network_id == network_id)))


def subnets_on(c: Connection, network_ids: Iterable[str]) -> list[Any]:
    query = select(t.subnets).where(t.subnets.c.network_id.in_(list(network_ids)))
    return list(c.execute(query.order_by(t.subnets.c.created_at, t.subnets.c.id)))


def interfaces(c: Connection, router_id: str) -> list[Any]:
    p = t.ports.c
    return list(
        c.execute(
            select(t.ports).where(and_(p.device_id == router_id, p.device_owner.like("network:router%")))
        )
    )
