"""What other services may ask of Network: the ports of servers, and what a host must have for its networks."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from sqlalchemy import Connection, select, update

from clearsky.agent.protocol import DesiredNetwork
from clearsky.api import inside
from clearsky.api.call import Call
from clearsky.caller import Caller
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.house import House
from clearsky.network import addressing, bandwidth, drift, groups, portmaking, quotas, servers, store
from clearsky.network import tables as t
from clearsky.network.bandwidth import Promise as Promise  # noqa: PLC0414 - for other services
from clearsky.network.driver.interface import NetworkDriver
from clearsky.network.driver.load import load
from clearsky.network.model import METADATA

METADATA_ADDRESS = "169.254.169.254"
ServerDirectory = servers.Directory
know_servers = servers.tell
OnPortStatus = Callable[[Connection, str, str, str], None]
_listeners: list[OnPortStatus] = []


@dataclass(frozen=True, slots=True)
class PortRequest:
    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    requests: tuple[PortRequest, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Address:
    ip: str
    version: int
    subnet_id: str
    cidr: str
    gateway_ip: str | None
    dhcp: bool
    ipv6_address_mode: str | None
    dns_servers: tuple[str, ...]
    host_routes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PortInfo:
    id: str
    network_id: str
    network_name: str
    project_id: str
    mtu: int
    mac: str
    up: bool
    addresses: tuple[Address, ...]
    floating_ips: dict[str, str]
    """Fixed address -> floating address."""
    security_groups: dict[str, str]
    """Id -> name."""
    made_by_compute: bool
    device_id: str
    index: int


def promises(c: Connection, port_ids: Iterable[str | None]) -> dict[str, Promise]:
    """Return the bandwidth that ports are promised, by their id."""
    rows = store.many(c, t.ports, port_ids).values()
    return bandwidth.promises(c, [row for row in rows if bandwidth.counts(row)])


def bandwidth_of_host(house: House) -> dict[str, tuple[set[str], dict[str, int]]]:
    """Return what each host can promise: physical network -> (traits, resource class -> kbit/s)."""
    found = bandwidth.provided(house.config)
    return {name: ({bandwidth.trait(name), bandwidth.VNIC_TRAIT}, rates) for name, rates in found.items()}


def ask(call: Call, method: str, path: str, body: Any = None, query: Iterable[tuple[str, str]] = ()) -> Any:
    """Ask the Network API for the caller of another API; returns the answer's body."""
    from clearsky.network.api import SERVICE  # noqa: PLC0415 - the routes import this module

    return inside.ask(SERVICE, call, method, path, body, query)


def driver(house: House) -> NetworkDriver:
    found: NetworkDriver = house.driver("network", load)
    return found


# -- the state of ports -----------------------------------------------------------------------------------------


def on_port_status(listener: OnPortStatus) -> None:
    """Call `listener(connection, port id, device id, status)` in the transaction that changes a port's status."""
    if listener not in _listeners:
        _listeners.append(listener)


def start_watch(house: House) -> Callable[[], None]:
    """Follow the engine's word on which ports are up, and compare it anew when somebody else changes it; runs in the
    worker process.
    """

    def heard(states: dict[str, bool]) -> None:
        with house.db.write() as c:
            for row in store.many(c, t.ports, states).values():
                if row.up == states[row.id]:
                    continue
                c.execute(update(t.ports).where(t.ports.c.id == row.id).values(up=states[row.id]))
                for listener in _listeners:
                    listener(c, row.id, row.device_id, "ACTIVE" if states[row.id] else "DOWN")

    def disturbed() -> None:
        with house.db.write() as c:
            store.sync(c)

    return driver(house).watch(heard, disturbed)


# -- planning at the time of the request ------------------------------------------------------------------------


def plan(
    house: House,
    caller: Caller,
    requests: list[PortRequest] | Literal["auto", "none"] | None,
    security_groups: list[str],
    count: int = 1,
) -> Plan:
    """Check what a server asks of its networks; raises Invalid, NotFound, Conflict or QuotaExceeded.

    None and "auto" take the project's only network; with several the request is refused, and so is "auto" with none
    (NoNetwork: one may be made, see `first_network`).
    """
    project_id = caller.project_id or ""
    with house.db.write() as c:
        group_ids = tuple(groups.resolve(c, project_id, name) for name in security_groups or ["default"])
        if requests == "none":
            return Plan((), group_ids)
        if not isinstance(requests, list):
            requests = _automatic(c, project_id, explicit=requests == "auto")
        for request in requests:
            _check(c, caller.scope, request, count)
        quotas.check(
            c, house, project_id, "port", count * sum(1 for request in requests if not request.port_id)
        )
    return Plan(tuple(requests), group_ids)


class NoNetwork(Invalid):
    """A network is wanted and the project has none that a server could be on."""


def first_network(call: Call) -> str:
    """Make the project's own network, as its auto-allocated topology; returns its id. Raises Conflict where it cannot be."""
    shown = ask(call, "GET", f"/v2.0/auto-allocated-topology/{call.caller.project_id}")
    return str(shown["auto_allocated_topology"]["id"])


def _automatic(c: Connection, project_id: str, *, explicit: bool) -> list[PortRequest]:
    n = t.networks.c
    own = [row.id for row in c.execute(select(n.id).where(n.project_id == project_id, n.external.is_(False)))]
    if not own:
        granted = store.granted(project_id, store.SHARED)
        own = [row.id for row in c.execute(select(n.id).where(n.id.in_(granted), n.external.is_(False)))]
    with_subnets = {row.network_id for row in store.subnets_on(c, own)}
    usable = [id for id in own if id in with_subnets]
    if len(usable) > 1:
        raise Conflict("Multiple possible networks found, use a Network ID to be more specific.")
    if not usable and explicit:
        raise NoNetwork("Unable to automatically allocate a network for project: it has none with a subnet.")
    return [PortRequest(network_id=id) for id in usable]


def _check(c: Connection, scope: str | None, request: PortRequest, count: int) -> None:
    if request.port_id:
        if count > 1:
            raise Invalid("A port can be given to one server only: max_count is more than 1.")
        try:
            port = store.get(c, t.ports, scope, request.port_id)
        except NotFound as error:
            raise Invalid(f"Port {request.port_id} could not be found.") from error
        if port.device_id:
            raise Conflict(f"Port {port.id} is still in use: by {port.device_owner} {port.device_id}.")
        if port.device_profile:
            raise Invalid(
                f"Port {port.id} asks for the accelerators of device profile {port.device_profile!r}, and this cloud "
                "has none. Give the server a port without a device profile."
            )
        return
    try:
        network = store.get(c, t.networks, scope, request.network_id or "")
    except NotFound as error:
        raise Invalid(f"Network {request.network_id} could not be found.") from error
    if scope is not None and network.project_id != scope and not store.shared_with(c, [network.id], scope):
        raise Invalid(f"Network {network.id} is external: it is for routers and floating IPs.")
    if bandwidth.has_promise(c, network.qos_policy_id):
        raise Invalid(
            f"Network {network.id} promises bandwidth by QoS policy {network.qos_policy_id}: make a port there first, and "
            "give the server that."
        )
    subnets = store.subnets_on(c, [network.id])
    if not subnets and network.port_security_enabled:
        raise Invalid(f"Network {network.id} requires a subnet in order to boot instances on.")
    if request.fixed_ip:
        if count > 1:
            raise Invalid("A fixed address can be given to one server only: max_count is more than 1.")
        try:
            addressing.choose(c, network.id, "fa:16:3e:00:00:00", [{"ip_address": request.fixed_ip}])
        except Conflict as error:
            raise Invalid(
                f"Fixed IP address {request.fixed_ip} is already in use on network {network.id}."
            ) from error


# -- ports of servers -------------------------------------------------------------------------------------------


def ensure_server_port(
    house: House,
    *,
    server_id: str,
    index: int,
    request: PortRequest,
    project_id: str,
    security_group_ids: tuple[str, ...],
    host: str,
    availability_zone: str,
    hostname: str,
    claimed: str | None = None,
) -> str:
    """Make or bind the port of a server at `index` to `host`; returns its id. Idempotent by server and index.

    A port that is made here is known in its network by `hostname`. `claimed`: the resource provider that the bandwidth
    which the port is promised is claimed from.
    """
    with house.db.write() as c:
        p = t.ports.c
        row = c.execute(select(t.ports).where(p.device_id == server_id, p.device_index == index)).first()
        owner = f"compute:{availability_zone}"
        binding = {"device_id": server_id, "device_owner": owner, "device_index": index, "host": host}
        if row is not None:
            if row.host != host:
                profile = {"binding_profile": bandwidth.profile_of(row, claimed)}
                store.change(c, t.ports, row.id, binding | profile | {"up": False})
                store.follow(c, row.id, host)
                store.sync(c)
            return str(row.id)
        if request.port_id:
            row = store.get(c, t.ports, None, request.port_id)
            if row.device_id and row.device_id != server_id:
                raise Conflict(f"Port {row.id} is still in use: by {row.device_owner} {row.device_id}.")
            profile = {"binding_profile": bandwidth.profile_of(row, claimed)}
            store.change(c, t.ports, row.id, binding | profile)
            store.follow(c, row.id, host)
            store.sync(c)
            return str(row.id)
        network = store.get(c, t.networks, None, request.network_id or "")
        wanted = [{"ip_address": request.fixed_ip}] if request.fixed_ip else None
        made = portmaking.create(
            c,
            house,
            network,
            {"project_id": project_id, "made_by_compute": True, "dns_name": hostname} | binding,
            fixed_ips=wanted,
            security_group_ids=list(security_group_ids),
        )
        store.sync(c)
    return str(made.id)


def add_address(house: House, port_id: str) -> None:
    """Give a port one more IPv4 address of a subnet where it has one; raises Conflict where that is full."""
    with house.db.write() as c:
        have = store.addresses_of(c, [port_id]).get(port_id, [])
        used = [a.subnet_id for a in have if ":" not in a.ip_address]
        port = store.get(c, t.ports, None, port_id)
        subnets = {subnet.id: subnet for subnet in store.subnets_on(c, [port.network_id])}
        if not used:
            raise Invalid(f"Port {port_id} has no IPv4 address: its network has no subnet for one.")
        ip = addressing.free_address(c, subnets[used[0]])
        values = {"subnet_id": used[0], "ip_address": ip, "port_id": port_id, "position": len(have)}
        c.execute(t.addresses.insert().values(**values))
        store.sync(c)


def move_server_ports(house: House, server_id: str, host: str, claimed: dict[str, str] | None = None) -> None:
    """Bind the ports that a server has to another host; "" is none.

    `claimed`: port -> resource provider that its promised bandwidth is claimed from.
    """
    p = t.ports.c
    where = (p.device_id == server_id, p.host != host)
    with house.db.read() as c:
        if not c.execute(select(p.id).where(*where)).first():
            return
    with house.db.write() as c:
        for row in c.execute(select(t.ports).where(*where)).all():
            profile = bandwidth.profile_of(row, (claimed or {}).get(row.id))
            store.change(c, t.ports, row.id, {"host": host, "up": False, "binding_profile": profile})
            store.follow(c, row.id, host)
        store.sync(c)


def ports_of_server(house: House, server_id: str) -> list[PortInfo]:
    with house.db.read() as c:
        return ports_of_servers(c, [server_id]).get(server_id, [])


def ports_of_servers(c: Connection, server_ids: Iterable[str]) -> dict[str, list[PortInfo]]:
    """Return the ports of many servers by a fixed number of queries, each server's in its own order."""
    p = t.ports.c
    ids = list(server_ids)
    if not ids:
        return {}
    query = select(t.ports).where(p.device_id.in_(ids), p.device_owner.like("compute:%"))
    rows = list(c.execute(query.order_by(p.device_index, p.created_at)))
    if not rows:
        return {}
    networks = store.many(c, t.networks, (row.network_id for row in rows))
    subnets = {row.id: row for row in store.subnets_on(c, networks)}
    port_ids = [row.id for row in rows]
    addresses, members = store.addresses_of(c, port_ids), store.groups_of(c, port_ids)
    names = {id: row.name for id, row in store.many(c, t.security_groups, chain(*members.values())).items()}
    floating: dict[str, dict[str, str]] = {}
    f = t.floating_ips.c
    for row in c.execute(select(t.floating_ips).where(f.port_id.in_(port_ids))):
        floating.setdefault(row.port_id, {})[row.fixed_ip_address] = row.floating_ip_address
    found: dict[str, list[PortInfo]] = {}
    for row in rows:
        found.setdefault(row.device_id, []).append(
            PortInfo(
                id=row.id,
                network_id=row.network_id,
                network_name=networks[row.network_id].name,
                project_id=row.project_id,
                mtu=networks[row.network_id].mtu,
                mac=row.mac_address,
                up=row.up,
                addresses=tuple(_address(a, subnets[a.subnet_id]) for a in addresses.get(row.id, [])),
                floating_ips=floating.get(row.id, {}),
                security_groups={id: names[id] for id in members.get(row.id, []) if id in names},
                made_by_compute=row.made_by_compute,
                device_id=row.device_id,
                index=row.device_index or 0,
            )
        )
    return found


def _address(row: Any, subnet: Any) -> Address:
    return Address(
        ip=row.ip_address,
        version=subnet.ip_version,
        subnet_id=subnet.id,
        cidr=subnet.cidr,
        gateway_ip=subnet.gateway_ip,
        dhcp=subnet.enable_dhcp,
        ipv6_address_mode=subnet.ipv6_address_mode,
        dns_servers=tuple(subnet.dns_nameservers),
        host_routes=tuple((item["destination"], item["nexthop"]) for item in subnet.host_routes),
    )


def release_server_ports(house: House, server_id: str) -> None:
    """Remove the ports that compute made for a server, and unbind the others; none is success."""
    with house.db.write() as c:
        for row in c.execute(select(t.ports).where(t.ports.c.device_id == server_id)).all():
            _release(c, row)
        store.sync(c)


def release_server_port(house: House, server_id: str, port_id: str) -> None:
    """Do the same for one port."""
    with house.db.write() as c:
        query = select(t.ports).where(t.ports.c.device_id == server_id, t.ports.c.id == port_id)
        if row := c.execute(query).first():
            _release(c, row)
            store.sync(c)


def _release(c: Connection, row: Any) -> None:
    if row.made_by_compute:
        store.remove_port(c, row.id)
    else:
        unbound = {"device_id": "", "device_owner": "", "device_index": None, "host": "", "up": False}
        profile = {"binding_profile": bandwidth.profile_of(row, None)}
        store.change(c, t.ports, row.id, unbound | profile)
        store.follow(c, row.id, "")


def change_server_groups(house: House, caller: Caller, server_id: str, name: str, *, add: bool) -> None:
    """Put a server's ports into a security group, or take them out; raises NotFound and Conflict."""
    with house.db.write() as c:
        group_id = groups.resolve(c, caller.project_id or "", name)
        ids = [row.id for row in c.execute(select(t.ports.c.id).where(t.ports.c.device_id == server_id))]
        members = store.groups_of(c, ids)
        if not add and not any(group_id in members.get(id, []) for id in ids):
            raise NotFound(f"Security group {name} is not associated with server {server_id}.")
        for id in ids:
            kept = [group for group in members.get(id, []) if group != group_id]
            store.set_groups(c, id, [*kept, group_id] if add else kept)
        store.sync(c)


def trace_facts(house: House, id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what is known of a port, for `clearsky trace`."""
    with house.db.read() as c:
        row = c.execute(select(t.ports).where(t.ports.c.id == id)).first()
        if row is None:
            return []
        addresses = store.addresses_of(c, [id]).get(id, [])
        engine = c.execute(select(t.observed).where(t.observed.c.name == "engine")).first()
    facts = {
        "network": row.network_id,
        "owner": f"{row.device_owner} {row.device_id}",
        "mac": row.mac_address,
        "addresses": ", ".join(a.ip_address for a in addresses) or "none",
        "bound to": row.host or "no host",
        "state": "up" if row.up else "down",
        "engine": "never compared"
        if engine is None
        else f"compared {time.time() - engine.seen_at:.0f} s ago",
    }
    return [(f"port {id}", facts)]


def engine_facts(house: House) -> tuple[str, dict[str, Any]]:
    """Return what is known of the network engine as a whole, for `clearsky trace network`."""
    seen = drift.state(house)
    ago = "never" if seen.compared_at is None else f"{time.time() - seen.compared_at:.0f} s ago"
    facts = {"compared": ago, "trouble": seen.error or "none"}
    facts["changed by others"] = f"{seen.mended} rows, all mended" if seen.mended else "nothing"
    return "networks", facts


# -- what a host must have --------------------------------------------------------------------------------------


def host_networks(c: Connection, port_ids: Iterable[str]) -> list[DesiredNetwork]:
    """Return the networks of these ports that have metadata, as the host's agent needs them."""
    ids = {row.network_id for row in store.many(c, t.ports, port_ids).values()}
    networks = store.many(c, t.networks, ids)
    p = t.ports.c
    found = list(c.execute(select(t.ports).where(p.network_id.in_(ids), p.device_owner == METADATA)))
    addresses = store.addresses_of(c, [row.id for row in found])
    subnets = {row.id: row for row in store.subnets_on(c, ids)}
    result = []
    for row in sorted(found, key=lambda item: str(item.id)):
        cidrs = [
            f"{a.ip_address}/{ipaddress.ip_network(subnets[a.subnet_id].cidr).prefixlen}"
            for a in addresses.get(row.id, [])
        ]
        result.append(
            DesiredNetwork(
                row.network_id, row.id, row.mac_address, tuple(cidrs), networks[row.network_id].mtu
            )
        )
    return result


def external_cidrs(c: Connection) -> list[str]:
    """Return the host's own addresses on provider networks: their subnets' gateways."""
    n, s = t.networks.c, t.subnets.c
    query = select(s.gateway_ip, s.cidr).where(
        s.gateway_ip.is_not(None), s.network_id.in_(select(n.id).where(n.external, n.network_type == "flat"))
    )
    return [f"{ip}/{ipaddress.ip_network(cidr).prefixlen}" for ip, cidr in c.execute(query)]
