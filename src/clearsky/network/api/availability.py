"""How full networks are, which pools floating IPs come from, and what carries them."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, func, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.network import store
from clearsky.network import tables as t

routes = Routes()


def _list(name: str) -> Schema:
    return Schema({"type": "object", "properties": {name: {"type": "array"}}, "required": [name]})


def _counted(c: Connection, networks: list[Any]) -> list[dict[str, Any]]:
    subnets: dict[str, list[Any]] = {}
    for subnet in store.subnets_on(c, [network.id for network in networks]):
        subnets.setdefault(subnet.network_id, []).append(subnet)
    a = t.addresses.c
    ids = [subnet.id for found in subnets.values() for subnet in found]
    query = select(a.subnet_id, func.count()).where(a.subnet_id.in_(ids)).group_by(a.subnet_id)
    used = {id: int(number) for id, number in c.execute(query)}
    return [_one(network, subnets.get(network.id, []), used) for network in networks]


def _one(network: Any, subnets: list[Any], used: dict[str, int]) -> dict[str, Any]:
    per_subnet = [
        {
            "subnet_id": subnet.id,
            "subnet_name": subnet.name,
            "cidr": subnet.cidr,
            "ip_version": subnet.ip_version,
            "total_ips": _size(subnet),
            "used_ips": used.get(subnet.id, 0),
        }
        for subnet in subnets
    ]
    return {
        "network_id": network.id,
        "network_name": network.name,
        "project_id": network.project_id,
        "tenant_id": network.project_id,
        "total_ips": sum(item["total_ips"] for item in per_subnet),
        "used_ips": sum(item["used_ips"] for item in per_subnet),
        "subnet_ip_availability": per_subnet,
    }


def _size(subnet: Any) -> int:
    return sum(
        int(ipaddress.ip_address(pool["end"])) - int(ipaddress.ip_address(pool["start"])) + 1
        for pool in subnet.allocation_pools
    )


@routes.get(
    "/v2.0/network-ip-availabilities",
    rule="get_network_ip_availability",
    response=_list("network_ip_availabilities"),
)
def list_availabilities(call: Call) -> Reply:
    """Say of each network how many addresses it has and how many are taken."""
    n = t.networks.c
    query = select(t.networks).order_by(n.id)
    columns = {
        "network_id": n.id,
        "network_name": n.name,
        "tenant_id": n.project_id,
        "project_id": n.project_id,
    }
    for name, column in columns.items():
        if name in call.query:
            query = query.where(column.in_(call.query.getlist(name)))
    with call.house.db.read() as c:
        found = _counted(c, list(c.execute(query)))
    if "ip_version" in call.query:
        versions = call.query.getlist("ip_version")
        for item in found:
            kept = [one for one in item["subnet_ip_availability"] if str(one["ip_version"]) in versions]
            item["subnet_ip_availability"] = kept
            for name in ("total_ips", "used_ips"):
                item[name] = sum(one[name] for one in kept)
    return Reply({"network_ip_availabilities": found})


@routes.get(
    "/v2.0/network-ip-availabilities/{id}",
    rule="get_network_ip_availability",
    response=Schema(
        {
            "type": "object",
            "properties": {"network_ip_availability": {"type": "object"}},
            "required": ["network_ip_availability"],
        }
    ),
)
def show_availability(call: Call) -> Reply:
    """Say how many addresses a network has and how many are taken."""
    with call.house.db.read() as c:
        network = store.get(c, t.networks, None, call.params["id"])
        return Reply({"network_ip_availability": _counted(c, [network])[0]})


@routes.get("/v2.0/floatingip-pools", rule="get_floatingip_pool", response=_list("floatingip_pools"))
def list_pools(call: Call) -> Reply:
    """List the subnets that floating IPs can be taken from."""
    n, s = t.networks.c, t.subnets.c
    outside = n.external if call.scope is None else n.id.in_(store.granted(call.scope, store.EXTERNAL))
    query = select(t.subnets).where(s.ip_version == 4, s.network_id.in_(select(n.id).where(outside)))
    with call.house.db.read() as c:
        found = [
            {
                "network_id": row.network_id,
                "subnet_id": row.id,
                "subnet_name": row.name,
                "cidr": row.cidr,
                "project_id": row.project_id,
                "tenant_id": row.project_id,
            }
            for row in c.execute(query.order_by(s.id))
        ]
    names = [name for name in call.query if name in ("network_id", "subnet_id", "subnet_name", "cidr")]
    for name in names:
        found = [item for item in found if item[name] in call.query.getlist(name)]
    return Reply({"floatingip_pools": found})


@routes.get("/v2.0/service-providers", rule="get_service_provider", response=_list("service_providers"))
def list_providers(call: Call) -> Reply:
    """List what carries the services that could be carried by several things: routers, by OVN."""
    found = [{"service_type": "L3_ROUTER_NAT", "name": "ovn", "default": True}]
    for name in ("service_type", "name"):
        if name in call.query:
            found = [item for item in found if item[name] in call.query.getlist(name)]
    return Reply({"service_providers": found})
