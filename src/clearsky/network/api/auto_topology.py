"""A project's first network, made on demand: network, subnets of the default pools, router to the default outside."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.db.engine import lock
from clearsky.errors import Conflict, NotFound
from clearsky.network import gateways, pools, store
from clearsky.network import tables as t
from clearsky.network.api import networks, router_interfaces, routers, subnets
from clearsky.network.model import METADATA, ROUTER_INTERFACE

routes = Routes()
_PATH = "/v2.0/auto-allocated-topology/{project_id}"
_SHOWN = Schema(
    {
        "type": "object",
        "properties": {"auto_allocated_topology": {"type": "object", "required": ["id", "tenant_id"]}},
        "required": ["auto_allocated_topology"],
    }
)


@routes.get(_PATH, rule="get_auto_allocated_topology", response=_SHOWN)
def show_topology(call: Call) -> Reply:
    """Return the project's own network, made now where it is not there; or only say whether that could be."""
    project_id = _project(call)
    with call.house.db.read() as c:
        outside, found = _requirements(c), _of(c, project_id)
    if "dry-run" in call.query.getlist("fields"):
        return _reply("dry-run=pass", project_id)
    if found is None:
        with call.house.db.write() as c:
            lock(c, f"auto-topology:{project_id}")
            found = _of(c, project_id) or _make(call, c, project_id, outside)
            store.sync(c, call.request_id)
    return _reply(found.network_id, project_id)


def _reply(id: str, project_id: str) -> Reply:
    shown = {"id": id, "tenant_id": project_id, "project_id": project_id}
    return Reply({"auto_allocated_topology": shown})


def _project(call: Call) -> str:
    id = call.params["project_id"]
    if id in ("None", "null") or (call.scope is not None and id != call.scope):
        if call.scope is not None and id not in ("None", "null"):
            raise NotFound(f"Auto-allocated topology of project {id} could not be found.")
        id = call.caller.project_id or ""
    return id


def _of(c: Connection, project_id: str) -> Any:
    a = t.auto_topologies
    return c.execute(select(a).where(a.c.project_id == project_id)).first()


def _requirements(c: Connection) -> str:
    """Return the default external network's id; raises Conflict that says what an operator has to make."""
    n = t.networks.c
    outside = c.execute(select(n.id).where(n.is_default, n.external)).scalar()
    problem = ""
    if outside is None:
        problem = "No default router:external network: an administrator sets is_default on one"
    elif pools.default_of(c, 4) is None and pools.default_of(c, 6) is None:
        problem = "No default pools defined: an administrator makes a subnet pool with is_default"
    if problem:
        raise Conflict(f"Deployment error: {problem}.", kind="AutoAllocationFailure")
    return str(outside)


def _make(call: Call, c: Connection, project_id: str, outside: str) -> Any:
    owner = {"project_id": project_id}
    network = networks.create(call, c, owner | {"name": "auto_allocated_network"})
    router = routers.create(
        call, c, owner | {"name": "auto_allocated_router", "external_gateway_info": {"network_id": outside}}
    )
    for version in (4, 6):
        pool = pools.default_of(c, version)
        if pool is None:
            continue
        body = {"name": f"auto_allocated_subnet_v{version}", "network_id": network.id, "ip_version": version}
        if version == 6:
            body |= {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
        subnet = subnets.create(call, c, owner | body | {"subnetpool_id": pool.id})
        router_interfaces.interface_by_subnet(c, call, router, subnet.id)
    values = {"project_id": project_id, "network_id": network.id, "router_id": router.id}
    return c.execute(insert(t.auto_topologies).values(**values).returning(t.auto_topologies)).one()


@routes.delete(_PATH, rule="delete_auto_allocated_topology")
def delete_topology(call: Call) -> Reply:
    """Delete the project's own network with its router; ports of users stand in the way."""
    project_id = _project(call)
    with call.house.db.write() as c:
        found = _of(c, project_id)
        if found is None:
            raise NotFound(f"Auto-allocated topology of project {project_id} could not be found.")
        router = store.many(c, t.routers, [found.router_id]).get(found.router_id)
        mine = (METADATA, ROUTER_INTERFACE)
        for port in store.ports_on(c, found.network_id):
            if port.device_owner not in mine or port.device_id not in (
                found.router_id,
                f"ovnmeta-{found.network_id}",
            ):
                raise Conflict(
                    f"Unable to delete the auto-allocated topology: port {port.id} ({port.device_owner or 'unbound'}) uses it.",
                    kind="NetworkInUse",
                )
            store.remove_port(c, port.id)
        if router is not None:
            gateways.clear(c, router)
            store.remove(c, t.routers, router.id)
        for subnet in store.subnets_on(c, [found.network_id]):
            store.remove(c, t.subnets, subnet.id)
        store.remove(c, t.networks, found.network_id)
        c.execute(delete(t.auto_topologies).where(t.auto_topologies.c.project_id == project_id))
        store.sync(c, call.request_id)
    return Reply()
