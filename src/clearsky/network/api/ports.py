"""Ports."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, and_, delete, or_, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid
from clearsky.network import addressing, bandwidth, portmaking, qos_policies, store, trunking
from clearsky.network import tables as t
from clearsky.network.api import kit
from clearsky.network.model import DOMAIN, ROUTER_GATEWAY, ROUTER_INTERFACE
from clearsky.network.ovn import options

routes = Routes()
_MAC = {"type": "string", "pattern": "^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$"}
_FIXED = {
    "type": ["array", "null"],
    "maxItems": 20,
    "items": {
        "type": "object",
        "properties": {"subnet_id": kit.UUID, "ip_address": kit.TEXT},
        "additionalProperties": False,
    },
}
_PAIRS = {
    "type": ["array", "null"],
    "maxItems": 50,
    "items": {
        "type": "object",
        "properties": {
            "ip_address": kit.TEXT,
            "mac_address": {"type": ["string", "null"], "pattern": _MAC["pattern"]},
        },
        "required": ["ip_address"],
        "additionalProperties": False,
    },
}
_OPTIONS = {
    "type": ["array", "null"],
    "maxItems": 20,
    "items": {
        "type": "object",
        "properties": {
            "opt_name": {"type": "string", "minLength": 1, "maxLength": 64},
            "opt_value": {"type": ["string", "null"], "maxLength": 255},
            "ip_version": {"enum": [4, 6, "4", "6"]},
        },
        "required": ["opt_name", "opt_value"],
        "additionalProperties": False,
    },
}
_UPDATE = {
    "admin_state_up": kit.FLAG,
    "device_id": kit.TEXT,
    "device_owner": kit.TEXT,
    "fixed_ips": _FIXED,
    "mac_address": {"type": ["string", "null"], "pattern": _MAC["pattern"]},
    "security_groups": {"type": ["array", "null"], "items": kit.UUID, "maxItems": 50},
    "port_security_enabled": kit.FLAG,
    "allowed_address_pairs": _PAIRS,
    "extra_dhcp_opts": _OPTIONS,
    "binding:host_id": {"type": ["string", "null"], "maxLength": 255},
    "binding:profile": {"type": ["object", "null"]},
    "binding:vnic_type": {"enum": ["normal"]},
    "dns_name": {"type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)?$"},
    "dns_domain": kit.DOMAIN,
    "data_plane_status": {"enum": ["ACTIVE", "DOWN", None]},
    "qos_policy_id": kit.OPTIONAL_UUID,
}  # fmt: skip
_PROFILE = {"type": ["string", "null"], "maxLength": 255}
_CREATE = _UPDATE | {"network_id": kit.UUID, "device_profile": _PROFILE}


def view(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    ids = [row.id for row in rows]
    addresses, groups = store.addresses_with_domains(c, ids), store.groups_of(c, ids)
    more = trunking.details(c, rows)
    admin = call.may("network:admin_attributes")
    promised = bandwidth.promises(c, rows) if admin else {}
    return [
        _one(row, addresses.get(row.id, []), groups.get(row.id, []), admin)
        | ({"resource_request": _request(promised.get(row.id))} if admin else {})
        | _dns(row, addresses.get(row.id, []))
        | more[row.id]
        for row in rows
    ]


def _one(row: Any, addresses: list[Any], groups: list[str], admin: bool) -> dict[str, Any]:
    shown = kit.standard(row) | {
        "network_id": row.network_id,
        "mac_address": row.mac_address,
        "admin_state_up": row.admin_state_up,
        "status": "ACTIVE" if row.up else "DOWN",
        "device_id": row.device_id,
        "device_owner": row.device_owner,
        "fixed_ips": [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in addresses],
        "security_groups": groups,
        "port_security_enabled": row.port_security_enabled,
        "allowed_address_pairs": row.allowed_address_pairs,
        "extra_dhcp_opts": row.extra_dhcp_opts,
        "data_plane_status": row.data_plane_status,
        "device_profile": row.device_profile,
        "qos_policy_id": row.qos_policy_id,
        "ip_allocation": "immediate" if addresses else "none",
        "binding:vnic_type": row.vnic_type,
    }
    if admin:
        shown |= {
            "binding:host_id": row.host,
            "binding:profile": row.binding_profile,
            "binding:vif_type": "ovs" if row.host else "unbound",
            "binding:vif_details": {"port_filter": True} if row.host else {},
        }
    return shown


def _request(promise: bandwidth.Promise | None) -> dict[str, Any] | None:
    """Return what a port with promised bandwidth asks of Placement."""
    if promise is None:
        return None
    required = [bandwidth.trait(promise.physical_network), bandwidth.VNIC_TRAIT]
    return {"required": required, "resources": promise.resources}


def _dns(row: Any, addresses: list[Any]) -> dict[str, Any]:
    assignment = []
    for address in addresses:
        domain = (row.dns_domain or address.dns_domain or DOMAIN).rstrip(".")
        host = row.dns_name or "host-" + address.ip_address.replace(".", "-").replace(":", "-")
        assignment.append({"ip_address": address.ip_address, "hostname": host, "fqdn": f"{host}.{domain}."})
    return {"dns_name": row.dns_name, "dns_domain": row.dns_domain, "dns_assignment": assignment}


def _fixed(values: list[str]) -> Any:
    """Filter by `fixed_ips=ip_address=...`, `subnet_id=...` or `ip_address_substr=...`; several narrow it further."""
    a, found = t.addresses.c, []
    for value in values:
        name, _, wanted = value.partition("=")
        if name == "ip_address_substr":
            condition = a.ip_address.contains(wanted, autoescape=True)
        elif name in ("ip_address", "subnet_id"):
            condition = a[name] == wanted
        else:
            raise Invalid(
                f"fixed_ips={value!r}: filter by ip_address=, ip_address_substr= or subnet_id=",
                kind="InvalidInput",
            )
        found.append(t.ports.c.id.in_(select(a.port_id).where(condition)))
    return and_(*found)


def _in_groups(values: list[str]) -> Any:
    g = t.port_groups.c
    return t.ports.c.id.in_(select(g.port_id).where(g.security_group_id.in_(values)))


def _with_status(values: list[str]) -> Any:
    return t.ports.c.up.in_([value == "ACTIVE" for value in values if value in ("ACTIVE", "DOWN")])


def _owned(values: list[str]) -> Any:
    """Filter by owner, or by how the owner begins (`network:`)."""
    o = t.ports.c.device_owner
    return or_(*(o.startswith(v, autoescape=True) if v.endswith(":") else o == v for v in values))


PORT = kit.Resource(
    "port", "ports", t.ports, view, _CREATE, _UPDATE, required=("network_id",),
    aliases={"binding:host_id": "host", "binding:vnic_type": "vnic_type"},
    derived=("binding:vif_type", "ip_allocation"),
    clauses={"fixed_ips": _fixed, "security_groups": _in_groups, "security_group_ids": _in_groups,
             "status": _with_status, "device_owner": _owned},
)  # fmt: skip
_SHOWN = PORT.shown()
_TUNNELLED = "a port of a tunnelled network"
_WORDS = ("name", "description", "device_id", "device_owner", "dns_name", "dns_domain", "data_plane_status")


def _columns(call: Call, body: dict[str, Any], mac: str | None) -> dict[str, Any]:
    columns: dict[str, Any] = {name: body[name] for name in _WORDS if name in body}
    for name in ("admin_state_up", "port_security_enabled"):
        if name in body:
            columns[name] = kit.truth(body[name])
    if body.get("mac_address"):
        columns["mac_address"] = body["mac_address"].lower()
        if int(columns["mac_address"][1], 16) & 1:
            raise Invalid(
                f"mac_address = {body['mac_address']}: that is a multicast address.", kind="InvalidInput"
            )
    if "allowed_address_pairs" in body:
        columns["allowed_address_pairs"] = _pairs(body["allowed_address_pairs"] or [], mac or "")
    kit.only_admins(call, {k: v for k, v in body.items() if v}, "binding:host_id", "binding:profile")
    kit.only_admins(call, body, "data_plane_status")
    if body.get("device_profile"):
        columns["device_profile"] = body["device_profile"]
    if "binding:host_id" in body:
        columns["host"] = body["binding:host_id"] or ""
    if "binding:profile" in body:
        columns["binding_profile"] = body["binding:profile"] or {}
    if columns.get("device_owner", "").startswith("network:") and not call.caller.is_admin:
        raise Invalid(
            f"device_owner = {columns['device_owner']!r}: the cloud's own ports are made by the cloud.",
            kind="InvalidInput",
        )
    return columns


def _pairs(pairs: list[dict[str, Any]], mac: str) -> list[dict[str, Any]]:
    found = [_pair(pair, mac) for pair in pairs]
    for number, pair in enumerate(found):
        if pair in found[:number]:
            raise Invalid(
                f"Request contains duplicate address pair: mac_address {pair['mac_address']} ip_address {pair['ip_address']}.",
                kind="DuplicateAddressPairInRequest",
            )
    return found


def _pair(pair: dict[str, Any], mac: str) -> dict[str, Any]:
    try:
        ipaddress.ip_network(pair["ip_address"], strict=False)
    except ValueError as error:
        raise Invalid(
            f"'{pair['ip_address']}' is neither a valid IP address, nor is it a valid IP subnet.",
            kind="HTTPBadRequest",
        ) from error
    return {"ip_address": pair["ip_address"], "mac_address": (pair.get("mac_address") or mac).lower()}


def _options(have: list[dict[str, Any]], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the port's DHCP options after a request: a null value takes one away, the others are added or changed."""
    result = {(item["opt_name"], item["ip_version"]): item for item in have}
    for item in given:
        name, value, version = item["opt_name"], item["opt_value"], int(item.get("ip_version", 4))
        if value is None:
            result.pop((name, version), None)
            continue
        known = options.known(name, version)
        if known is None and name != options.DISABLED:
            raise Invalid(
                f"extra_dhcp_opts: OVN cannot send {name!r} in IPv{version}; it can send {', '.join(options.names(version))}.",
                kind="InvalidInput",
            )
        if known is not None and not options.fits(known[1], value):
            raise Invalid(
                f"extra_dhcp_opts: {name} = {value!r} is not of the kind {known[1]}.", kind="InvalidInput"
            )
        result[name, version] = {"opt_name": name, "opt_value": value, "ip_version": version}
    return list(result.values())


def _groups(c: Connection, call: Call, ids: list[str] | None) -> list[str] | None:
    if ids is None:
        return None
    for id in ids:
        store.get(c, t.security_groups, call.scope, id)
    return ids


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    network = store.usable_network(c, call.scope, body["network_id"])
    if call.scope is not None and network.project_id != call.scope:
        kit.only_admins(call, body, "mac_address", "port_security_enabled", "allowed_address_pairs")
    columns = _columns(call, body, body.get("mac_address")) | {"project_id": kit.owner_of(call, body)}
    columns["extra_dhcp_opts"] = _options([], body.get("extra_dhcp_opts") or [])
    policy_id, physical = body.get("qos_policy_id"), network.physical_network
    columns["qos_policy_id"] = qos_policies.usable(c, call, policy_id, _TUNNELLED, physical)
    columns.setdefault("allowed_address_pairs", [])
    columns.setdefault("mac_address", portmaking.free_mac(c, network.id))
    for pair in columns["allowed_address_pairs"]:
        pair["mac_address"] = pair["mac_address"] or columns["mac_address"]
    if (
        columns["allowed_address_pairs"]
        and columns.get("port_security_enabled", network.port_security_enabled) is False
    ):
        raise Conflict(
            "Port Security must be enabled in order to have allowed address pairs on a port.",
            kind="AddressPairAndPortSecurityRequired",
        )
    return portmaking.create(
        c, call.house, network, columns,
        fixed_ips=body.get("fixed_ips"), security_group_ids=_groups(c, call, body.get("security_groups")),
    )  # fmt: skip


@routes.post("/v2.0/ports", rule="create_port", status=201, request=PORT.creation(), response=_SHOWN)
def create_port(call: Call) -> Reply:
    """Create one port or several."""
    return kit.create_all(PORT, call, lambda c, body: _create(call, c, body))


@routes.get("/v2.0/ports", rule="get_port", response=_SHOWN)
def list_ports(call: Call) -> Reply:
    """List ports, also by address and by security group."""
    return kit.listed(PORT, call)


@routes.get("/v2.0/ports/{id}", rule="get_port", response=_SHOWN)
def show_port(call: Call) -> Reply:
    """Show a port."""
    return kit.show(PORT, call)


@routes.put("/v2.0/ports/{id}", rule="update_port", request=PORT.changing(), response=_SHOWN)
def update_port(call: Call) -> Reply:
    """Update a port."""
    body = call.body["port"]
    with call.house.db.write() as c:
        row = kit.writable(c, PORT, call, "update", call.params["id"])
        columns = _columns(call, body, row.mac_address)
        if "extra_dhcp_opts" in body:
            columns["extra_dhcp_opts"] = _options(row.extra_dhcp_opts, body["extra_dhcp_opts"] or [])
        if "qos_policy_id" in body:
            bandwidth.move_claim(c, row, body["qos_policy_id"])
            physical = store.get(c, t.networks, None, row.network_id).physical_network
            columns["qos_policy_id"] = qos_policies.usable(
                c, call, body["qos_policy_id"], _TUNNELLED, physical
            )
        if body.get("mac_address", "") is None:
            columns["mac_address"] = portmaking.free_mac(c, row.network_id)
        if columns.get("mac_address", row.mac_address) != row.mac_address:
            _change_mac(c, call, row, columns["mac_address"])
        old_mac = row.mac_address
        row = store.change(c, t.ports, row.id, columns)
        if "host" in columns:
            store.follow(c, row.id, row.host)
        if body.get("fixed_ips") is not None:
            _readdress(c, row, body["fixed_ips"])
        elif row.mac_address != old_mac:
            _follow_mac(c, row, old_mac)
        _regroup(c, call, row, body)
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"port": shown})


def _change_mac(c: Connection, call: Call, row: Any, mac: str) -> None:
    kit.only_admins(call, {"mac_address": mac}, "mac_address")
    if row.host:
        raise Conflict(
            f"Unable to complete operation on port {row.id}: it is bound, its MAC cannot change.",
            kind="PortBound",
        )
    p = t.ports.c
    if c.execute(select(p.id).where(p.network_id == row.network_id, p.mac_address == mac)).first():
        raise Conflict(
            f"The mac address {mac} is in use on network {row.network_id}.", kind="MacAddressInUse"
        )


def _follow_mac(c: Connection, row: Any, old_mac: str) -> None:
    """Give the addresses that a guest makes itself from its MAC."""
    for address in store.addresses_of(c, [row.id]).get(row.id, []):
        subnet = store.get(c, t.subnets, None, address.subnet_id)
        if addressing.is_slaac(subnet) and address.ip_address == addressing.eui64(subnet.cidr, old_mac):
            a = t.addresses
            mine = (a.c.subnet_id == subnet.id) & (a.c.ip_address == address.ip_address)
            c.execute(
                a.update().where(mine).values(ip_address=addressing.eui64(subnet.cidr, row.mac_address))
            )


def _readdress(c: Connection, row: Any, wanted: list[dict[str, str]]) -> None:
    """Give the port these addresses; those it has already stay its own meanwhile."""
    if row.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY) and not wanted:
        raise Invalid(f"Port {row.id} is a router's: it needs an address.", kind="InvalidInput")
    c.execute(delete(t.addresses).where(t.addresses.c.port_id == row.id))
    addressing.assign(
        c, row.id, addressing.choose(c, row.network_id, row.mac_address, wanted, row.device_owner)
    )
    left = {a.ip_address for a in store.addresses_of(c, [row.id]).get(row.id, [])}
    f = t.floating_ips.c
    for floating in c.execute(select(t.floating_ips).where(f.port_id == row.id)).all():
        if floating.fixed_ip_address not in left:
            free = {"port_id": None, "fixed_ip_address": None, "router_id": None}
            store.change(c, t.floating_ips, floating.id, free)
    n = t.ndp_proxies.c
    c.execute(delete(t.ndp_proxies).where(n.port_id == row.id, n.ip_address.not_in(left)))


def _regroup(c: Connection, call: Call, row: Any, body: dict[str, Any]) -> None:
    groups = _groups(c, call, body.get("security_groups"))
    have = store.groups_of(c, [row.id]).get(row.id, [])
    if not row.port_security_enabled and (groups or (have and groups is None)):
        raise Conflict(
            "Port has security group associated. Cannot disable port security or ip address until security group is removed.",
            kind="PortSecurityPortHasSecurityGroup",
        )
    if not row.port_security_enabled and row.allowed_address_pairs:
        raise Conflict(
            "Port Security must be enabled in order to have allowed address pairs on a port.",
            kind="AddressPairAndPortSecurityRequired",
        )
    if groups is not None:
        store.set_groups(c, row.id, groups)


_ATOMIC = Schema(
    {
        "type": "object",
        "properties": {"port": {"type": "object", "properties": {"allowed_address_pairs": _PAIRS}, "required": ["allowed_address_pairs"], "additionalProperties": False}},
        "required": ["port"],
        "additionalProperties": False,
    }
)  # fmt: skip


def _change_pairs(call: Call, make: Any) -> Reply:
    with call.house.db.write() as c:
        row = kit.writable(c, PORT, call, "update", call.params["id"])
        given = _pairs(call.body["port"]["allowed_address_pairs"] or [], row.mac_address)
        row = store.change(
            c, t.ports, row.id, {"allowed_address_pairs": make(row.allowed_address_pairs, given)}
        )
        _regroup(c, call, row, {})
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"port": shown})


@routes.put(
    "/v2.0/ports/{id}/add_allowed_address_pairs", rule="update_port", request=_ATOMIC, response=_SHOWN
)
def add_address_pairs(call: Call) -> Reply:
    """Add address pairs, whatever others add at the same time."""
    return _change_pairs(call, lambda have, more: [*have, *(pair for pair in more if pair not in have)])


@routes.put(
    "/v2.0/ports/{id}/remove_allowed_address_pairs", rule="update_port", request=_ATOMIC, response=_SHOWN
)
def remove_address_pairs(call: Call) -> Reply:
    """Take address pairs away, whatever others change at the same time."""
    return _change_pairs(call, lambda have, less: [pair for pair in have if pair not in less])


@routes.delete("/v2.0/ports/{id}", rule="delete_port")
def delete_port(call: Call) -> Reply:
    """Delete a port that is not a router's."""
    with call.house.db.write() as c:
        row = kit.writable(c, PORT, call, "delete", call.params["id"])
        if row.device_owner.startswith("network:") and row.device_id:
            raise Conflict(
                f"Port {row.id} cannot be deleted directly via the port API: has device owner {row.device_owner} ({row.device_id}).",
                kind="ServicePortInUse",
            )
        trunking.check_free(c, row)
        store.remove_port(c, row.id)
        store.sync(c, call.request_id)
    return Reply()
