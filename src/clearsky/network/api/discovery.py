"""Version documents, extensions, availability zones, agents."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.api.schema import Schema
from clearsky.errors import NotFound
from clearsky.network import tables as t

routes = Routes()
ZONE = "nova"
EXTENSIONS = {
    "availability_zone": "Availability Zone",
    "allowed-address-pairs": "Allowed Address Pairs",
    "binding": "Port Binding",
    "external-net": "Neutron external network",
    "ext-gw-mode": "Neutron L3 Configurable external gateway mode",
    "extra_dhcp_opt": "Neutron Extra DHCP options",
    "extraroute": "Neutron Extra Route",
    "net-mtu": "Network MTU",
    "net-mtu-writable": "Network MTU (writable)",
    "network_availability_zone": "Network Availability Zone",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "project-id": "project_id field enabled",
    "provider": "Provider Network",
    "quotas": "Quota management support",
    "quota_details": "Quota details management support",
    "revision-if-match": "If-Match constraints based on revision_number",
    "router": "Neutron L3 Router",
    "router_availability_zone": "Router Availability Zone",
    "security-group": "security-group",
    "stateful-security-group": "Stateful security group",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute",
    "standard-attr-timestamp": "Resource timestamps",
}
_EXTENSION = {"type": "object", "required": ["alias", "name", "description", "updated", "links"]}
_LIST = {
    name: Schema({"type": "object", "properties": {name: {"type": "array"}}, "required": [name]})
    for name in ("extensions", "availability_zones", "agents", "resources")
}


@routes.get("", rule=PUBLIC)
def list_versions(call: Call) -> Reply:
    """List the versions of the Network API."""
    links = [{"rel": "self", "href": f"{call.base_url}/v2.0/"}]
    return Reply({"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})


@routes.get("/v2.0", rule="get_extension", response=_LIST["resources"])
def list_resources(call: Call) -> Reply:
    """List the collections of the API."""
    names = ("networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules",
             "quotas", "extensions", "agents", "availability_zones")  # fmt: skip
    found = [
        {
            "name": name.rstrip("s"),
            "collection": name,
            "links": [{"rel": "self", "href": f"{call.base_url}/v2.0/{name}"}],
        }
        for name in names
    ]
    return Reply({"resources": found})


def _extension(alias: str) -> dict[str, Any]:
    name = EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": name,
        "updated": "2026-01-01T00:00:00-00:00",
        "links": [],
    }


@routes.get("/v2.0/extensions", rule="get_extension", response=_LIST["extensions"])
def list_extensions(call: Call) -> Reply:
    """List what the API offers beyond its core; only what really works is here."""
    return Reply({"extensions": [_extension(alias) for alias in EXTENSIONS]})


@routes.get(
    "/v2.0/extensions/{alias}",
    rule="get_extension",
    response=Schema({"type": "object", "properties": {"extension": _EXTENSION}, "required": ["extension"]}),
)
def show_extension(call: Call) -> Reply:
    """Show one extension."""
    alias = call.params["alias"]
    if alias not in EXTENSIONS:
        raise NotFound(f"Extension with alias {alias} does not exist", kind="HTTPNotFound")
    return Reply({"extension": _extension(alias)})


@routes.get("/v2.0/availability_zones", rule="get_availability_zone", response=_LIST["availability_zones"])
def list_zones(call: Call) -> Reply:
    """List the availability zones of networks and routers: one."""
    zones = [{"name": ZONE, "resource": resource, "state": "available"} for resource in ("network", "router")]
    return Reply({"availability_zones": zones})


@routes.get("/v2.0/agents", rule="get_agent", response=_LIST["agents"])
def list_agents(call: Call) -> Reply:
    """List what carries the networks, and whether it has answered lately."""
    with call.house.db.read() as c:
        row = c.execute(select(t.observed).where(t.observed.c.name == "engine")).first()
    host = call.house.config.host
    alive = row is not None and time.time() - row.seen_at < 150
    agent: dict[str, Any] = {
        "id": host,
        "agent_type": "OVN Controller Gateway agent",
        "binary": "ovn-controller",
        "host": host,
        "alive": alive,
        "admin_state_up": True,
        "availability_zone": ZONE,
        "topic": "",
        "configurations": {},
        "description": "",
    }
    return Reply({"agents": [agent] if row is not None else []})
