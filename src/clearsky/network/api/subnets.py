"""Subnets."""

from __future__ import annotations

import ipaddress
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import addressing, pools, portmaking, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit
from clearsky.network.model import METADATA

routes = Routes()
_POOLS = {
    "type": "array",
    "maxItems": 50,
    "items": {
        "type": "object",
        "properties": {"start": kit.TEXT, "end": kit.TEXT},
        "required": ["start", "end"],
        "additionalProperties": False,
    },
}
_MODE = {"enum": ["slaac", "dhcpv6-stateful", "dhcpv6-stateless", None]}
_UPDATE = {
    "gateway_ip": {"type": ["string", "null"], "maxLength": 64},
    "enable_dhcp": kit.FLAG,
    "allocation_pools": _POOLS,
    "dns_nameservers": {"type": "array", "items": kit.TEXT, "maxItems": 5},
    "host_routes": kit.ROUTES | {"maxItems": 20},
    "service_types": {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 255},
        "maxItems": 20,
    },
    "dns_publish_fixed_ip": kit.FLAG,
}
_CREATE = _UPDATE | {
    "network_id": kit.UUID,
    "cidr": {"type": ["string", "null"], "maxLength": 64},
    "ip_version": {"enum": [4, 6, "4", "6"]},
    "ipv6_ra_mode": _MODE,
    "ipv6_address_mode": _MODE,
    "subnetpool_id": kit.OPTIONAL_UUID,
    "use_default_subnetpool": kit.FLAG,
    "prefixlen": {"type": ["integer", "string", "null"], "minimum": 0, "maximum": 128, "pattern": "^[0-9]{1,3}$"},
}  # fmt: skip
_PLAIN = ("network_id", "ip_version", "cidr", "gateway_ip", "enable_dhcp", "ipv6_ra_mode", "ipv6_address_mode",
          "allocation_pools", "dns_nameservers", "host_routes", "subnetpool_id", "service_types",
          "dns_publish_fixed_ip")  # fmt: skip


def view(c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    networks = store.many(c, t.networks, (row.network_id for row in rows))
    return [
        kit.standard(row)
        | {name: getattr(row, name) for name in _PLAIN}
        | {"router:external": networks[row.network_id].external}
        for row in rows
    ]


def _external(values: list[str]) -> Any:
    wanted = values[0].lower() in ("1", "true")
    return t.subnets.c.network_id.in_(select(t.networks.c.id).where(t.networks.c.external.is_(wanted)))


SUBNET = kit.Resource(
    "subnet", "subnets", t.subnets, view, _CREATE, _UPDATE, required=("network_id",),
    clauses={"router:external": _external},
)  # fmt: skip
_SHOWN = SUBNET.shown()


def _net(text: str, version: int | None) -> Any:
    try:
        net = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise Invalid(
            f"Invalid input for cidr. Reason: '{text}' is not a valid IP subnet.", kind="HTTPBadRequest"
        ) from error
    if version is not None and net.version != version:
        raise Invalid(f"Invalid input for operation: cidr {text} is not IPv{version}.", kind="InvalidInput")
    if str(ipaddress.ip_network(text, strict=False)) != text and "/" not in text:
        raise Invalid(
            f"Invalid input for cidr. Reason: '{text}' isn't a recognized IP subnet cidr.",
            kind="HTTPBadRequest",
        )
    if net.is_multicast or net.is_loopback or (net.version == 6 and net.prefixlen == 0) or net.prefixlen == 0:
        raise Invalid(f"Invalid input for operation: {text} cannot be a tenant's range.", kind="InvalidInput")
    return net


def _address(name: str, text: str, version: int) -> Any:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise Invalid(
            f"Invalid input for {name}. Reason: '{text}' is not a valid IP address.", kind="HTTPBadRequest"
        ) from error
    if address.version != version:
        raise Invalid(f"Invalid input for {name}: {text} is not IPv{version}.", kind="InvalidInput")
    return address


def _check_pools(net: Any, pools: list[dict[str, str]], gateway: str | None) -> None:
    spans = []
    for pool in pools:
        start, end = (_address("allocation_pools", pool[name], net.version) for name in ("start", "end"))
        if start > end:
            raise Invalid(f"The allocation pool {start}-{end} is not valid.", kind="InvalidAllocationPool")
        if start not in net or end not in net:
            raise Invalid(
                f"The allocation pool {start}-{end} spans beyond the subnet cidr {net}.",
                kind="OutOfBoundsAllocationPool",
            )
        if gateway and start <= ipaddress.ip_address(gateway) <= end:
            raise Conflict(
                f"Gateway ip {gateway} conflicts with allocation pool {start}-{end}.",
                kind="GatewayConflictWithAllocationPools",
            )
        spans.append((start, end))
    spans.sort()
    for (_, end), (start, _) in pairwise(spans):
        if start <= end:
            raise Conflict(
                f"Found overlapping allocation pools at {start}.", kind="OverlappingAllocationPools"
            )


def _check_common(body: dict[str, Any], version: int) -> None:
    for server in body.get("dns_nameservers") or []:
        _address("dns_nameservers", server, version)
    for route in body.get("host_routes") or []:
        try:
            ipaddress.ip_network(route["destination"])
        except ValueError as error:
            raise Invalid(
                f"Invalid input for host_routes: {route['destination']!r} is no range.", kind="HTTPBadRequest"
            ) from error
        _address("host_routes", route["nexthop"], version)


def create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    network = store.get(c, t.networks, call.scope, body["network_id"])
    if call.scope is not None and network.project_id != call.scope:
        raise NotFound(f"Network {network.id} could not be found.", kind="NetworkNotFound")
    project_id = (
        kit.owner_of(call, body) if "project_id" in body or "tenant_id" in body else network.project_id
    )
    quotas.check(c, call.house, project_id, "subnet")
    others = store.subnets_on(c, [network.id])
    net, pool_id = _prefix(c, call, body, project_id, others)
    _check_common(body, net.version)
    _check_modes(body, net)
    for other in others:
        if ipaddress.ip_network(other.cidr).overlaps(net):
            raise Invalid(
                f"Invalid input for operation: Requested subnet with cidr: {net} for network: {network.id} overlaps with another subnet: {other.id} ({other.cidr}).",
                kind="InvalidInput",
            )
    gateway = _gateway(body, net)
    if body.get("allocation_pools"):
        _check_pools(net, body["allocation_pools"], gateway)
    columns: dict[str, Any] = {name: body[name] for name in (*_WORDS, *_FIXED) if name in body}
    columns |= {
        "project_id": project_id,
        "network_id": network.id,
        "ip_version": net.version,
        "cidr": str(net),
        "subnetpool_id": pool_id,
        "gateway_ip": gateway,
        "enable_dhcp": kit.truth(body.get("enable_dhcp", True)),
        "dns_publish_fixed_ip": kit.truth(body.get("dns_publish_fixed_ip")),
        "allocation_pools": body.get("allocation_pools") or addressing.pools(str(net), gateway),
    }
    row = store.create(c, t.subnets, columns)
    portmaking.ensure_metadata_port(c, call.house, network)
    _extend_slaac(c, row)
    return row


_WORDS = ("name", "description", "dns_nameservers", "host_routes", "service_types")
_FIXED = ("ipv6_ra_mode", "ipv6_address_mode")


def _prefix(
    c: Connection, call: Call, body: dict[str, Any], project_id: str, others: list[Any]
) -> tuple[Any, str | None]:
    """Return the subnet's prefix and the pool that it comes from, if it comes from one."""
    version = int(body["ip_version"]) if "ip_version" in body else None
    pool = _pool(c, call, body, version)
    length = body.get("prefixlen")
    if body.get("cidr") and length is not None:
        raise Invalid(
            "Bad subnets request: cidr and prefixlen must not be supplied together.", kind="BadRequest"
        )
    net = _net(body["cidr"], version) if body.get("cidr") else None
    if pool is None:
        if net is None:
            raise Invalid(
                "Bad subnets request: a subnetpool must be specified in the absence of a cidr.",
                kind="BadRequest",
            )
    else:
        if version is not None and pool.ip_version != version:
            raise Invalid(
                f"Cannot allocate IPv{version} subnet from IPv{pool.ip_version} subnet pool.",
                kind="BadRequest",
            )
        net = pools.delegate(c, pool, project_id, net, None if length is None else int(length))
    pool_id = pool.id if pool is not None else None
    if any(other.ip_version == net.version and other.subnetpool_id != pool_id for other in others):
        raise Invalid(
            "Subnets hosted on the same network must be allocated from the same subnet pool.",
            kind="NetworkSubnetPoolAffinityError",
        )
    return net, pool_id


def _pool(c: Connection, call: Call, body: dict[str, Any], version: int | None) -> Any:
    if kit.truth(body.get("use_default_subnetpool")):
        if body.get("subnetpool_id"):
            raise Invalid("subnetpool_id and use_default_subnetpool are both specified.", kind="BadRequest")
        pool = pools.default_of(c, version or 4)
        if pool is None:
            raise NotFound(
                f"No default subnet pool of IPv{version or 4} is defined.", kind="SubnetPoolNotFound"
            )
        return pool
    if not body.get("subnetpool_id"):
        return None
    return store.get(c, t.subnetpools, call.scope, body["subnetpool_id"])


def _gateway(body: dict[str, Any], net: Any) -> str | None:
    if "gateway_ip" in body and body["gateway_ip"] is not None:
        address = _address("gateway_ip", body["gateway_ip"], net.version)
        if (
            address in (net.network_address, net.broadcast_address)
            and net.version == 4
            and net.num_addresses > 2
        ):
            raise Invalid(f"Gateway {address} is not valid on subnet {net}.", kind="InvalidInput")
        return str(address)
    if "gateway_ip" in body or net.num_addresses < 2:
        return None
    return str(net.network_address + (1 if net.num_addresses > 2 else 0))


def _check_modes(body: dict[str, Any], net: Any) -> None:
    ra, mode = body.get("ipv6_ra_mode"), body.get("ipv6_address_mode")
    if net.version == 4 and (ra or mode):
        raise Invalid("ipv6_ra_mode and ipv6_address_mode are for IPv6 subnets.", kind="InvalidInput")
    if ra and mode and ra != mode:
        raise Invalid(
            f"Invalid input for operation: ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{mode}' is not valid.",
            kind="InvalidInput",
        )
    if (ra or mode) and not kit.truth(body.get("enable_dhcp", True)):
        raise Invalid(
            "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False.",
            kind="InvalidInput",
        )
    if {mode, ra} & {"slaac", "dhcpv6-stateless"} and net.prefixlen != 64:
        raise Invalid(
            f"Invalid CIDR {net} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64.",
            kind="InvalidInput",
        )


def _extend_slaac(c: Connection, subnet: Any) -> None:
    """Ports that are there already make themselves an address in a new SLAAC subnet."""
    if not addressing.is_slaac(subnet):
        return
    for port in store.ports_on(c, subnet.network_id):
        if port.device_owner.startswith("network:"):
            continue
        position = len(store.addresses_of(c, [port.id]).get(port.id, []))
        ip = addressing.eui64(subnet.cidr, port.mac_address)
        c.execute(
            t.addresses.insert().values(
                subnet_id=subnet.id, ip_address=ip, port_id=port.id, position=position
            )
        )


@routes.post("/v2.0/subnets", rule="create_subnet", status=201, request=SUBNET.creation(), response=_SHOWN)
def create_subnet(call: Call) -> Reply:
    """Create one subnet or several."""
    return kit.create_all(SUBNET, call, lambda c, body: create(call, c, body))


@routes.get("/v2.0/subnets", rule="get_subnet", response=_SHOWN)
def list_subnets(call: Call) -> Reply:
    """List subnets."""
    return kit.listed(SUBNET, call)


@routes.get("/v2.0/subnets/{id}", rule="get_subnet", response=_SHOWN)
def show_subnet(call: Call) -> Reply:
    """Show a subnet."""
    return kit.show(SUBNET, call)


@routes.put("/v2.0/subnets/{id}", rule="update_subnet", request=SUBNET.changing(), response=_SHOWN)
def update_subnet(call: Call) -> Reply:
    """Update a subnet."""
    body = call.body["subnet"]
    with call.house.db.write() as c:
        row = kit.writable(c, SUBNET, call, "update", call.params["id"])
        net = ipaddress.ip_network(row.cidr)
        _check_common(body, row.ip_version)
        columns: dict[str, Any] = {name: body[name] for name in (*_WORDS, "allocation_pools") if name in body}
        gateway = _gateway(body, net) if "gateway_ip" in body else row.gateway_ip
        if "gateway_ip" in body and gateway != row.gateway_ip:
            _gateway_free(c, row)
            columns["gateway_ip"] = gateway
        if "allocation_pools" in body or "gateway_ip" in columns:
            _check_pools(net, columns.get("allocation_pools", row.allocation_pools), gateway)
        if "enable_dhcp" in body:
            columns["enable_dhcp"] = kit.truth(body["enable_dhcp"])
            if (
                row.ip_version == 6
                and not columns["enable_dhcp"]
                and (row.ipv6_ra_mode or row.ipv6_address_mode)
            ):
                raise Invalid(
                    "enable_dhcp cannot be False where ipv6_ra_mode or ipv6_address_mode is set.",
                    kind="InvalidInput",
                )
        if "dns_publish_fixed_ip" in body:
            columns["dns_publish_fixed_ip"] = kit.truth(body["dns_publish_fixed_ip"])
        row = store.change(c, t.subnets, row.id, columns)
        portmaking.ensure_metadata_port(c, call.house, store.get(c, t.networks, None, row.network_id))
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"subnet": shown})


def _gateway_free(c: Connection, row: Any) -> None:
    query = select(t.addresses.c.port_id).where(
        t.addresses.c.subnet_id == row.id, t.addresses.c.ip_address == row.gateway_ip
    )
    if port := c.execute(query).scalar():
        raise Conflict(
            f"Current gateway ip {row.gateway_ip} already in use by port {port}. Unable to update.",
            kind="GatewayIpInUse",
        )


@routes.delete("/v2.0/subnets/{id}", rule="delete_subnet")
def delete_subnet(call: Call) -> Reply:
    """Delete a subnet from which no port of a user has an address."""
    with call.house.db.write() as c:
        row = kit.writable(c, SUBNET, call, "delete", call.params["id"])
        a = t.addresses.c
        holders = store.many(c, t.ports, c.execute(select(a.port_id).where(a.subnet_id == row.id)).scalars())
        automatic = addressing.is_slaac(row)
        blocking = [
            p
            for p in holders.values()
            if p.device_owner != METADATA and (not automatic or p.device_owner.startswith("network:"))
        ]
        if blocking:
            named = ", ".join(f"port {port.id} ({port.device_owner or 'unbound'})" for port in blocking[:10])
            raise Conflict(
                f"Unable to complete operation on subnet {row.id}: One or more ports have an IP allocation from this subnet: {named}.",
                kind="SubnetInUse",
            )
        c.execute(t.addresses.delete().where(a.subnet_id == row.id))
        store.remove(c, t.subnets, row.id)
        portmaking.ensure_metadata_port(c, call.house, store.get(c, t.networks, None, row.network_id))
        store.sync(c, call.request_id)
    return Reply()
