"""Networks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid
from clearsky.network import bandwidth, qos_policies, quotas, segments, store
from clearsky.network import tables as t
from clearsky.network.api import kit, rbac, zones
from clearsky.network.model import FLOATING_IP, METADATA

routes = Routes()
OVERHEAD = {"vxlan": 50, "geneve": 58, "flat": 0, "vlan": 0}
"""Bytes that the encapsulation takes from the underlay's MTU (IPv4 outside)."""
_ADMIN = ("shared", "router:external", "provider:network_type", "provider:physical_network",
          "provider:segmentation_id", "is_default")  # fmt: skip
_CREATE = {
    "admin_state_up": kit.FLAG,
    "shared": kit.FLAG,
    "router:external": kit.FLAG,
    "is_default": kit.FLAG,
    "mtu": {"type": ["integer", "string"], "minimum": 0, "maximum": 65535, "pattern": "^[0-9]{1,5}$"},
    "port_security_enabled": kit.FLAG,
    "dns_domain": kit.DOMAIN,
    "vlan_transparent": {"type": ["boolean", "null"]},
    "availability_zone_hints": zones.HINTS,
    "qos_policy_id": kit.OPTIONAL_UUID,
    "provider:network_type": {"enum": ["flat", "vlan", "vxlan", "geneve"]},
    "provider:physical_network": {"type": ["string", "null"], "maxLength": 64},
    "provider:segmentation_id": {"type": ["integer", "string", "null"], "pattern": "^[0-9]{1,8}$"},
}
_UPDATE = {
    name: _CREATE[name]
    for name in ("admin_state_up", "shared", "router:external", "is_default", "mtu", "port_security_enabled",
                 "dns_domain", "qos_policy_id")
}  # fmt: skip


def view(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    ids = [row.id for row in rows]
    s, p = t.subnets.c, t.subnetpools.c
    query = select(s.id, s.network_id, s.ip_version, p.address_scope_id)
    query = query.select_from(t.subnets.outerjoin(t.subnetpools, s.subnetpool_id == p.id))
    subnets: dict[str, list[Any]] = {}
    for subnet in c.execute(query.where(s.network_id.in_(ids)).order_by(s.created_at, s.id)):
        subnets.setdefault(subnet.network_id, []).append(subnet)
    shared, admin = kit.shared(c, rows, call), call.may("network:admin_attributes")
    return [_one(row, subnets.get(row.id, []), admin) | {"shared": row.id in shared} for row in rows]


def _one(row: Any, subnets: list[Any], admin: bool) -> dict[str, Any]:
    scopes = {subnet.ip_version: subnet.address_scope_id for subnet in subnets}
    shown = kit.standard(row) | {
        "admin_state_up": row.admin_state_up,
        "status": "ACTIVE",
        "subnets": [subnet.id for subnet in subnets],
        "router:external": row.external,
        "is_default": row.is_default,
        "mtu": row.mtu,
        "port_security_enabled": row.port_security_enabled,
        "dns_domain": row.dns_domain,
        "vlan_transparent": row.vlan_transparent,
        "qos_policy_id": row.qos_policy_id,
        "availability_zone_hints": row.availability_zone_hints,
        "availability_zones": [zones.ZONE] if subnets else [],
        "ipv4_address_scope": scopes.get(4),
        "ipv6_address_scope": scopes.get(6),
    }
    if admin:
        shown |= {
            "provider:network_type": row.network_type,
            "provider:physical_network": row.physical_network,
            "provider:segmentation_id": row.segmentation_id,
        }
    return shown


NETWORK = kit.Resource(
    "network", "networks", t.networks, view, _CREATE, _UPDATE, object_type="network",
    aliases={"router:external": "external", "provider:network_type": "network_type",
             "provider:physical_network": "physical_network", "provider:segmentation_id": "segmentation_id"},
    derived=("status", "subnets", "ipv4_address_scope", "ipv6_address_scope"),
)  # fmt: skip
_SHOWN = NETWORK.shown()


def _columns(body: dict[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        name: body[name] for name in ("name", "description", "dns_domain") if name in body
    }
    for name in ("admin_state_up", "is_default", "port_security_enabled"):
        if name in body:
            columns[name] = kit.truth(body[name])
    if "router:external" in body:
        columns["external"] = kit.truth(body["router:external"])
    return columns


def create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    kit.only_admins(
        call,
        {name: body[name] for name in _ADMIN if name in body and body[name] not in (False, None)},
        *_ADMIN,
    )
    zones.check_hints(body)
    quotas.check(c, call.house, project_id, "network")
    quotas.check_datapaths(c, call.house)
    columns = _columns(body) | {"project_id": project_id} | _provider(c, call, project_id, body)
    columns["availability_zone_hints"] = body.get("availability_zone_hints") or []
    columns["vlan_transparent"] = bool(body.get("vlan_transparent"))
    columns["mtu"] = _mtu(call, body, columns["network_type"])
    policy_id = body["qos_policy_id"] if "qos_policy_id" in body else qos_policies.default_of(c, project_id)
    physical = columns.get("physical_network")
    columns["qos_policy_id"] = qos_policies.usable(c, call, policy_id, "a tunnelled network", physical)
    _only_default(c, columns, "")
    row = store.create(c, t.networks, columns)
    if kit.truth(body.get("shared")):
        kit.share(c, NETWORK, row, wanted=True)
    if row.external:
        store.grant(c, row, "network", store.EXTERNAL, store.EVERYBODY)
    return row


def _provider(c: Connection, call: Call, project_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return how the network is carried, checked against what this cloud has and what is taken."""
    settings = call.house.config.network
    kind = body.get("provider:network_type") or settings.encapsulation
    physical, segment = body.get("provider:physical_network"), body.get("provider:segmentation_id")
    n = t.networks.c
    if kind in ("flat", "vlan"):
        if physical != settings.provider_name:
            raise Invalid(
                f"provider:physical_network = {physical!r}: there is {settings.provider_name!r}",
                kind="InvalidInput",
            )
        same = select(n.id).where(n.physical_network == physical, n.network_type == kind)
        columns = {"network_type": kind, "physical_network": physical}
        if kind == "vlan":
            return columns | {"segmentation_id": _segment(c, call, project_id, kind, physical, segment)}
        if segment is not None:
            raise Invalid("provider:segmentation_id: a flat network has none", kind="InvalidInput")
        if c.execute(same).first():
            raise Conflict(
                f"Unable to create the flat network. Physical network {physical} is in use.",
                kind="FlatNetworkInUse",
            )
        return columns
    if kind != settings.encapsulation or physical:
        raise Invalid(
            f"provider:network_type = {kind!r}: this cloud encapsulates with {settings.encapsulation}",
            kind="InvalidInput",
        )
    return {"network_type": kind, "segmentation_id": _segment(c, call, project_id, kind, None, segment)}


def _segment(c: Connection, call: Call, project_id: str, kind: str, physical: str | None, wanted: Any) -> int:
    if wanted is None:
        return segments.allocate(c, call.house, project_id, kind, physical)
    return _wanted(c, kind, physical, int(wanted))


def _wanted(c: Connection, kind: str, physical: str | None, number: int) -> int:
    """Return the segment that an administrator chose, where it is free."""
    first, last = segments.LIMITS[kind]
    if not first <= number <= last:
        raise Invalid(
            f"provider:segmentation_id = {number}: for {kind} it is between {first} and {last}",
            kind="InvalidInput",
        )
    if number in segments.used(c, kind, physical):
        if kind == "vlan":
            raise Conflict(
                f"Unable to create the network. The VLAN {number} on physical network {physical} is in use.",
                kind="VlanIdInUse",
            )
        raise Conflict(f"Segment {number} is in use by another network.", kind="TunnelIdInUse")
    return number


def _mtu(call: Call, body: dict[str, Any], kind: str) -> int:
    largest = call.house.config.network.underlay_mtu - OVERHEAD[kind]
    wanted = int(body.get("mtu") or 0) or largest
    if not 68 <= wanted <= largest:
        raise Invalid(f"mtu = {wanted}: between 68 and {largest} fit the underlay", kind="InvalidInput")
    return wanted


def _only_default(c: Connection, columns: dict[str, Any], id: str) -> None:
    """Keep at most one default network: a new one takes the mark over, as upstream has it."""
    if columns.get("is_default"):
        c.execute(update(t.networks).where(t.networks.c.id != id).values(is_default=False))


@routes.post("/v2.0/networks", rule="create_network", status=201, request=NETWORK.creation(), response=_SHOWN)
def create_network(call: Call) -> Reply:
    """Create one network or several."""
    return kit.create_all(NETWORK, call, lambda c, body: create(call, c, body))


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
        if int(body.get("mtu") or 0):
            columns["mtu"] = _mtu(call, body, row.network_type)
        if "qos_policy_id" in body:
            bandwidth.check_network(c, row, body["qos_policy_id"])
            columns["qos_policy_id"] = qos_policies.usable(
                c, call, body["qos_policy_id"], "a tunnelled network", row.physical_network
            )
        _only_default(c, columns, row.id)
        if "external" in columns:
            _set_right(c, row, store.EXTERNAL, wanted=columns.pop("external"))
        if "shared" in body:
            _set_right(c, row, store.SHARED, wanted=kit.truth(body["shared"]))
        row = store.change(c, t.networks, row.id, columns)
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"network": shown})


def _set_right(c: Connection, row: Any, action: str, *, wanted: bool) -> None:
    """Grant everybody a right on the network, or take it back where nobody makes use of it."""
    r = t.rbac.c
    query = select(t.rbac).where(
        r.object_id == row.id, r.action == action, r.target_project == store.EVERYBODY
    )
    have = c.execute(query).first()
    if wanted and have is None:
        store.grant(c, row, "network", action, store.EVERYBODY)
    elif not wanted and have is not None:
        if user := rbac.in_use(c, have):
            if action == store.EXTERNAL:
                raise Conflict(
                    f"External network {row.id} cannot be updated to be made non-external, since it has existing gateway ports: {user}.",
                    kind="ExternalNetworkInUse",
                )
            raise Conflict(
                f"Unable to reconfigure sharing settings for network {row.id}. Other projects use it: {user}.",
                kind="InvalidSharedSetting",
            )
        store.revoke(c, row.id, action, store.EVERYBODY)
    if action == store.EXTERNAL:
        rbac.note_external(c, row.id)


@routes.delete("/v2.0/networks/{id}", rule="delete_network")
def delete_network(call: Call) -> Reply:
    """Delete a network with its subnets and floating IPs that nobody uses; ports of users stand in the way."""
    with call.house.db.write() as c:
        row = kit.writable(c, NETWORK, call, "delete", call.params["id"])
        ports = store.ports_on(c, row.id)
        f = t.floating_ips.c
        free = select(f.floating_port_id).where(f.floating_network_id == row.id, f.port_id.is_(None))
        removable = set(c.execute(free).scalars())
        blocking = [
            port
            for port in ports
            if port.device_owner != METADATA
            and not (port.device_owner == FLOATING_IP and port.id in removable)
        ]
        if blocking:
            named = ", ".join(f"port {port.id} ({port.device_owner or 'unbound'})" for port in blocking[:10])
            raise Conflict(
                f"Unable to complete operation on network {row.id}. There are one or more ports still in use on the network: {named}.",
                kind="NetworkInUse",
            )
        c.execute(t.floating_ips.delete().where(f.floating_network_id == row.id))
        for port in ports:
            store.remove_port(c, port.id)
        for subnet in store.subnets_on(c, [row.id]):
            store.remove(c, t.subnets, subnet.id)
        store.remove(c, t.networks, row.id)
        store.sync(c, call.request_id)
    return Reply()
