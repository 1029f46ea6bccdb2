"""What is drawn: networks with their subnets and ports, routers between them, floating IPs on the way in.

Read by a fixed number of queries, for a project as that project may see it, or for the administrator all of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, or_, select

from clearsky.network import servers, store
from clearsky.network import tables as t
from clearsky.network.model import FLOATING_IP, METADATA


@dataclass(frozen=True, slots=True)
class Subnet:
    id: str
    name: str
    cidr: str
    gateway_ip: str | None


@dataclass(frozen=True, slots=True)
class Port:
    """A guest's place on a network: a server's, or one that waits for whoever plugs in."""

    id: str
    name: str
    addresses: tuple[str, ...]
    floating_ips: tuple[str, ...]
    up: bool
    admin_state_up: bool
    device_owner: str
    server_id: str | None
    server_name: str | None

    @property
    def title(self) -> str:
        return self.server_name or self.name or self.id

    @property
    def problem(self) -> str:
        """Return why it carries nothing; empty where it does."""
        if not self.admin_state_up:
            return "switched off"
        return "" if self.up or not self.server_id else "down"


@dataclass(frozen=True, slots=True)
class Network:
    id: str
    name: str
    external: bool
    shared: bool
    """It is somebody else's, who lets the viewer use it."""
    admin_state_up: bool
    subnets: tuple[Subnet, ...]
    ports: tuple[Port, ...]
    free_floating_ips: tuple[str, ...]
    """Floating IPs of it that lead nowhere at present."""


@dataclass(frozen=True, slots=True)
class Interface:
    port_id: str
    network_id: str
    addresses: tuple[str, ...]
    gateway: bool


@dataclass(frozen=True, slots=True)
class Router:
    id: str
    name: str
    admin_state_up: bool
    interfaces: tuple[Interface, ...]

    @property
    def outer(self) -> list[Interface]:
        return [one for one in self.interfaces if one.gateway]

    @property
    def inner(self) -> list[Interface]:
        return [one for one in self.interfaces if not one.gateway]


@dataclass(frozen=True, slots=True)
class Picture:
    networks: tuple[Network, ...]
    """In the order of drawing: external ones first, then by the routers that lead to them."""
    routers: tuple[Router, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def load(c: Connection, scope: str | None) -> Picture:
    """Read what a project may see; None is everything. A foreign network is drawn where it has something of theirs."""
    networks = list(c.execute(select(t.networks).where(store.visible(t.networks, scope))))
    ports = list(c.execute(select(t.ports).where(store.visible(t.ports, scope))))
    routers = list(c.execute(select(t.routers).where(store.visible(t.routers, scope))))
    f = t.floating_ips
    floating = list(c.execute(select(f).where(store.visible(f, scope)).order_by(f.c.floating_ip_address)))
    interfaces = _interfaces(c, [row.id for row in routers])
    guests = [row for row in ports if not row.device_owner.startswith("network:router_") and row.device_owner not in (METADATA, FLOATING_IP)]  # fmt: skip
    used = {row.network_id for row in (*guests, *interfaces)} | {row.floating_network_id for row in floating}
    drawn = [row for row in networks if scope in (None, row.project_id) or row.id in used]
    addresses = store.addresses_of(c, [row.id for row in (*guests, *interfaces)])
    found = _Around(c, scope, addresses, floating, guests)
    by_router: dict[str, list[Interface]] = defaultdict(list)
    for row in interfaces:
        told = tuple(a.ip_address for a in addresses.get(row.id, []))
        gateway = row.device_owner == "network:router_gateway"
        by_router[row.device_id].append(Interface(row.id, row.network_id, told, gateway))
    made = tuple(
        Router(row.id, row.name, row.admin_state_up, tuple(by_router[row.id]))
        for row in sorted(routers, key=lambda row: (row.created_at, row.id))
    )
    subnets: dict[str, list[Any]] = defaultdict(list)
    for row in store.subnets_on(c, [row.id for row in drawn]):
        subnets[row.network_id].append(row)
    whole = [
        found.network(row, subnets[row.id]) for row in sorted(drawn, key=lambda row: (row.created_at, row.id))
    ]
    return Picture(tuple(_ordered(whole, made)), made)


def _interfaces(c: Connection, router_ids: list[str]) -> list[Any]:
    p = t.ports.c
    owners = or_(p.device_owner == "network:router_gateway", p.device_owner.like("network:router_interface%"))
    query = select(t.ports).where(p.device_id.in_(router_ids), owners)
    return list(c.execute(query.order_by(p.created_at, p.id)))


class _Around:
    def __init__(
        self,
        c: Connection,
        scope: str | None,
        addresses: dict[str, list[Any]],
        floating: list[Any],
        guests: list[Any],
    ) -> None:
        self.scope, self.addresses = scope, addresses
        mine = {row.device_id for row in guests if row.device_owner.startswith("compute:") and scope in (None, row.project_id)}  # fmt: skip
        self.names = servers.names(c, mine)
        self.by_port: dict[str, list[str]] = defaultdict(list)
        self.free: dict[str, list[str]] = defaultdict(list)
        for row in floating:
            if row.port_id:
                self.by_port[row.port_id].append(row.floating_ip_address)
            else:
                self.free[row.floating_network_id].append(row.floating_ip_address)
        self.guests: dict[str, list[Any]] = defaultdict(list)
        for row in sorted(guests, key=lambda row: (row.created_at, row.id)):
            self.guests[row.network_id].append(row)

    def network(self, row: Any, subnets: list[Any]) -> Network:
        return Network(
            id=row.id,
            name=row.name,
            external=row.external,
            shared=self.scope is not None and row.project_id != self.scope,
            admin_state_up=row.admin_state_up,
            subnets=tuple(Subnet(one.id, one.name, one.cidr, one.gateway_ip) for one in subnets),
            ports=tuple(self._port(one) for one in self.guests[row.id]),
            free_floating_ips=tuple(self.free[row.id]),
        )

    def _port(self, row: Any) -> Port:
        server = row.device_id if row.device_owner.startswith("compute:") else None
        return Port(
            id=row.id,
            name=row.name,
            addresses=tuple(a.ip_address for a in self.addresses.get(row.id, [])),
            floating_ips=tuple(self.by_port[row.id]),
            up=row.up,
            admin_state_up=row.admin_state_up,
            device_owner=row.device_owner,
            server_id=server,
            server_name=self.names.get(server or ""),
        )


def _ordered(networks: list[Network], routers: tuple[Router, ...]) -> list[Network]:
    """Put external networks first, then those behind each router, then those behind none."""
    place: dict[str, int] = {}
    for router in routers:
        for one in router.inner:
            place.setdefault(one.network_id, len(place))
    last = len(place)
    return sorted(networks, key=lambda one: (not one.external, place.get(one.id, last)))
