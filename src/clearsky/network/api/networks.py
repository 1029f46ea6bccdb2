"""Networks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid
from clearsky.network import quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit
from clearsky.network.api.discovery import ZONE
from clearsky.network.model import METADATA

routes = Routes()
OVERHEAD = {"vxlan": 50, "geneve": 58, "flat": 0}
"""Bytes that the encapsulation takes from the underlay's MTU (IPv4 outside)."""
_ADMIN = ("shared", "router:external", "provider:network_type", "provider:physical_network",
          "provider:segmentation_id", "is_default")  # fmt: skip
_CREATE = {
    "admin_state_up": kit.FLAG,
    "shared": kit.FLAG,
    "router:external": kit.FLAG,
    "is_default": kit.FLAG,
    "mtu": {"type": "integer", "minimum": 0, "maximum": 65535},
    "port_security_enabled": kit.FLAG,
    "availability_zone_hints": {"type": "array", "items": kit.TEXT, "maxItems": 10},
    "provider:network_type": {"enum": ["flat", "vxlan", "geneve"]},
    "provider:physical_network": {"type": ["string", "null"], "maxLength": 64},
    "provider:segmentation_id": {"type": ["integer", "null"]},
}
_UPDATE = {
    name: _CREATE[name]
    for name in ("admin_state_up", "shared", "router:external", "is_default", "mtu", "port_security_enabled")
}


def view(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    subnets: dict[str, list[str]] = {}
    for subnet in store.subnets_on(c, [row.id for row in rows]):
        subnets.setdefault(subnet.network_id, []).append(subnet.id)
    admin = call.may("network:admin_attributes")
    return [_one(row, subnets.get(row.id, []), admin) for row in rows]


def _one(row: Any, subnets: list[str], admin: bool) -> dict[str, Any]:
    shown = kit.standard(row) | {
        "admin_state_up": row.admin_state_up,
        "status": "ACTIVE",
        "subnets": subnets,
        "shared": row.shared,
        "router:external": row.external,
        "is_default": row.is_default,
        "mtu": row.mtu,
        "port_security_enabled": row.port_security_enabled,
        "availability_zone_hints": [],
        "availability_zones": [ZONE] if subnets else [],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
    }
    if admin:
        shown |= {
            "provider:network_type": row.network_type,
            "provider:physical_network": row.physical_network,
            "provider:segmentation_id": row.segmentation_id,
        }
    return shown


NETWORK = kit.Resource(
    "network", "networks", t.networks, view, _CREATE, _UPDATE,
    aliases={"router:external": "external", "provider:network_type": "network_type",
             "provider:physical_network": "physical_network", "provider:segmentation_id": "segmentation_id"},
)  # fmt: skip
_SHOWN = NETWORK.shown()


def _columns(body: dict[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    for name in ("admin_state_up", "shared", "is_default", "port_security_enabled"):
        if name in body:
            columns[name] = kit.truth(body[name])
    if "router:external" in body:
        columns["external"] = kit.truth(body["router:external"])
    return columns


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    kit.only_admins(
        call,
        {name: body[name] for name in _ADMIN if name in body and body[name] not in (False, None)},
        *_ADMIN,
    )
    quotas.check(c, call.house, project_id, "network")
    quotas.check_datapaths(c, call.house)
    settings = call.house.config.network
    kind = body.get("provider:network_type") or settings.encapsulation
    columns = _columns(body) | {"project_id": project_id, "network_type": kind}
    if kind == "flat":
        physical = body.get("provider:physical_network")
        if physical != settings.provider_name:
            raise Invalid(
                f"provider:physical_network = {physical!r}: there is {settings.provider_name!r}",
                kind="InvalidInput",
            )
        if c.execute(select(t.networks.c.id).where(t.networks.c.physical_network == physical)).first():
            raise Conflict(
                f"Unable to create the flat network. Physical network {physical} is in use.",
                kind="FlatNetworkInUse",
            )
        columns["physical_network"] = physical
    elif kind != settings.encapsulation or body.get("provider:physical_network"):
        raise Invalid(
            f"provider:network_type = {kind!r}: this cloud encapsulates with {settings.encapsulation}",
            kind="InvalidInput",
        )
    else:
        columns["segmentation_id"] = _segment(c, body.get("provider:segmentation_id"))
    largest = settings.underlay_mtu - OVERHEAD[kind]
    if body.get("mtu", 0) > largest:
        raise Invalid(f"mtu = {body['mtu']}: at most {largest} fit the underlay", kind="InvalidInput")
    if 0 < body.get("mtu", 0) < 68:
        raise Invalid(f"mtu = {body['mtu']}: an IPv4 network carries at least 68", kind="InvalidInput")
    return store.create(c, t.networks, columns | {"mtu": body.get("mtu") or largest})


def _segment(c: Connection, wanted: int | None) -> int:
    n = t.networks.c.segmentation_id
    if wanted is not None:
        if not 1 <= wanted < 2**24:
            raise Invalid(
                f"provider:segmentation_id = {wanted}: it is between 1 and {2**24 - 1}", kind="InvalidInput"
            )
        if c.execute(select(n).where(n == wanted)).first():
            raise Conflict(f"Segment {wanted} is in use by another network.", kind="VlanIdInUse")
        return wanted
    return int(c.execute(select(func.coalesce(func.max(n), 0))).scalar_one()) + 1


@routes.post("/v2.0/networks", rule="create_network", status=201, request=NETWORK.creation(), response=_SHOWN)
def create_network(call: Call) -> Reply:
    """Create one network or several."""
    return kit.create_all(NETWORK, call, lambda c, body: _create(call, c, body))


@routes.get("/v2.0/networks", rule="get_network", response=_SHOWN)
def list_networks(call: Call) -> Reply:
    """List networks: own, shared and external ones."""
    return kit.listed(NETWORK, call)


@routes.get("/v2.0/networks/{id}", rule="get_network", response=_SHOWN)
def show_network(call: Call) -> Reply:
    """Show a network."""
    return kit.show(NETWORK, call)


@routes.put("/v2.0/networks/{id}", rule="update_network", request=NETWORK.changing(), response=_SHOWN)
def update_network(call: Call) -> Reply:
    """Update a network."""
    body = call.body["network"]
    kit.only_admins(call, body, "shared", "router:external", "is_default")
    with call.house.db.write() as c:
        row = kit.writable(c, NETWORK, call, "update", call.params["id"])
        columns = _columns(body)
        if "mtu" in body:
            largest = call.house.config.network.underlay_mtu - OVERHEAD[row.network_type]
            if not 68 <= body["mtu"] <= largest:
                raise Invalid(f"mtu = {body['mtu']}: between 68 and {largest}", kind="InvalidInput")
            columns["mtu"] = body["mtu"]
        if columns.get("external") is False and row.external:
            _not_in_use(c, row)
        if columns.get("shared") is False and row.shared:
            p = t.ports.c
            foreign = select(p.id).where(
                p.network_id == row.id, p.project_id != row.project_id, p.project_id != ""
            )
            if c.execute(foreign).first():
                raise Conflict(
                    f"Unable to reconfigure sharing settings for network {row.id}. Other projects use it.",
                    kind="InvalidSharedSetting",
                )
        row = store.change(c, t.networks, row.id, columns)
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"network": shown})


def _not_in_use(c: Connection, row: Any) -> None:
    if c.execute(select(t.routers.c.id).where(t.routers.c.external_network_id == row.id)).first():
        raise Conflict(
            f"External network {row.id} cannot be updated to be made non-external, since it has existing gateway ports.",
            kind="ExternalNetworkInUse",
        )


@routes.delete("/v2.0/networks/{id}", rule="delete_network")
def delete_network(call: Call) -> Reply:
    """Delete a network with its subnets; ports of users stand in the way."""
    with call.house.db.write() as c:
        row = kit.writable(c, NETWORK, call, "delete", call.params["id"])
        ports = store.ports_on(c, row.id)
        blocking = [port for port in ports if port.device_owner != METADATA]
        if blocking:
            named = ", ".join(f"port {port.id} ({port.device_owner or 'unbound'})" for port in blocking[:10])
            raise Conflict(
                f"Unable to complete operation on network {row.id}. There are one or more ports still in use on the network: {named}.",
                kind="NetworkInUse",
            )
        for port in ports:
            store.remove_port(c, port.id)
        for subnet in store.subnets_on(c, [row.id]):
            store.remove(c, t.subnets, subnet.id)
        store.remove(c, t.networks, row.id)
        store.sync(c, call.request_id)
    return Reply()
