"""The two ends of a question: what is meant by a word, and which addresses the packet then has."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select

from clearsky.errors import Conflict, Forbidden, Invalid, NotFound
from clearsky.network import servers, store
from clearsky.network import tables as t
from clearsky.network.model import METADATA, Port
from clearsky.network.path.surroundings import Surroundings, canonical, first_of


@dataclass(frozen=True, slots=True)
class End:
    """A port of ours, or an address outside; `network` is then the provider network it is on."""

    port: Port | None
    address: str
    network: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class Both:
    source: End
    destination: End


class Finder:
    """Finds what words mean to somebody: a project, or everybody's administrator."""

    def __init__(self, c: Connection, around: Surroundings, scope: str | None) -> None:
        self.c, self.around, self.scope = c, around, scope

    def both(self, source: str, destination: str) -> Both:
        """Return the ends; raises Invalid, NotFound, Conflict (several are meant) and Forbidden."""
        start, end = self._candidates(source), self._candidates(destination)
        if not start:
            return self._from_outside(source, destination, end)
        ours = [one for one in start if self.scope is None or self._project(one.port) == self.scope]
        if not ours:
            raise Forbidden(f"source {source!r} is not a port of your project: only its owner may ask.")
        if end:
            chosen, goal = self._matching(source, ours, destination, end)
            return Both(chosen, goal)
        address = _address(destination)
        if address is None:
            raise self._unknown("destination", destination)
        version = ipaddress.ip_address(address).version
        return Both(self._one("source", source, self._with(ours, version, address)), End(None, address))

    # -- words --------------------------------------------------------------------------------------------------

    def _candidates(self, word: str) -> list[End]:
        """Return the ports that a word may mean, with the address where the word is one."""
        address = _address(word)
        if address is not None:
            return self._by_address(address)
        p = t.ports.c
        mine = store.visible(t.ports, self.scope)
        query = select(p.id).where(mine, or_(p.id == word, p.name == word))
        found = [
            End(port, "") for id in self.c.execute(query).scalars() if (port := self.around.ports.get(id))
        ]
        if found:
            return found
        ids = [word, *servers.find(self.c, self.scope, word)]
        query = select(p.id, p.device_id).where(mine, p.device_id.in_(ids), p.device_owner.like("compute:%"))
        rows = self.c.execute(query.order_by(p.device_index, p.created_at)).all()
        if len({row.device_id for row in rows}) > 1:
            told = ", ".join(sorted({row.device_id for row in rows}))
            raise Conflict(f"Several servers are called {word!r}: {told}. Use an id.")
        return [
            End(port, "", server=row.device_id) for row in rows if (port := self.around.ports.get(row.id))
        ]

    def _by_address(self, address: str) -> list[End]:
        f, a, p = t.floating_ips.c, t.addresses.c, t.ports.c
        query = select(f.port_id, f.fixed_ip_address).where(
            f.floating_ip_address == address,
            f.port_id.is_not(None),
            store.visible(t.floating_ips, self.scope),
        )
        for row in self.c.execute(query):
            if port := self.around.ports.get(row.port_id):
                return [End(port, row.fixed_ip_address)]
        query_ports = (
            select(p.id)
            .join(t.addresses, a.port_id == p.id)
            .where(a.ip_address == address, store.visible(t.ports, self.scope), p.device_owner != METADATA)
        )
        ids = self.c.execute(query_ports).scalars()
        ports = [self.around.ports[id] for id in ids if id in self.around.ports]
        return [End(port, address) for port in ports if self.around.is_guest(port)]

    def _project(self, port: Port | None) -> str | None:
        if port is None:
            return None
        return self.c.execute(select(t.ports.c.project_id).where(t.ports.c.id == port.id)).scalar()

    @staticmethod
    def _unknown(which: str, word: str) -> NotFound:
        return NotFound(
            f"{which} {word!r} is no port or server that you may see (by id or name), and no address."
        )

    def _one(self, which: str, word: str, found: list[End]) -> End:
        if not found:
            raise Invalid(f"{which} {word!r} has no address of the IP version that the other end has.")
        if len(found) > 1 and not found[0].server:
            told = ", ".join(sorted(end.port.id for end in found if end.port))
            raise Conflict(f"Several ports are {word!r}: {told}. Use a port's id.")
        return found[0]

    # -- addresses ----------------------------------------------------------------------------------------------

    def _with(self, ends: list[End], version: int, toward: str = "") -> list[End]:
        """Return the ends that have an address of a version, with it; those on the target's own network first."""
        found = []
        for end in ends:
            assert end.port is not None
            fixed = first_of(end.port, version)
            own = end.address if end.address and ipaddress.ip_address(end.address).version == version else ""
            address = own or (fixed.ip_address if fixed else "")
            if address:
                found.append(End(end.port, address, server=end.server))
        if toward:
            found.sort(key=lambda end: not self._beside(end.port, toward))
        return found

    def _beside(self, port: Port | None, address: str) -> bool:
        target = ipaddress.ip_address(address)
        subnets = [self.around.subnets[one.subnet_id] for one in (port.fixed_ips if port else ())]
        return any(target in ipaddress.ip_network(subnet.cidr) for subnet in subnets)

    def _matching(self, source: str, start: list[End], destination: str, end: list[End]) -> tuple[End, End]:
        """Choose addresses of one version: what the words say, else IPv4 where both have it."""
        given = _address(destination)
        if given is not None:
            version = ipaddress.ip_address(given).version
            chosen = self._one("source", source, self._with(start, version, given))
            return chosen, End(end[0].port if len(end) == 1 else None, given)
        for version in (4, 6):
            goals = self._with(end, version)
            if goals and (starts := self._with(start, version, goals[0].address)):
                chosen = self._one("source", source, starts)
                goals.sort(key=lambda goal: goal.port.network_id != chosen.port.network_id if goal.port and chosen.port else True)  # fmt: skip
                return chosen, self._one("destination", destination, goals)
        raise Invalid(f"{source!r} and {destination!r} have no addresses of the same IP version.")

    def _from_outside(self, source: str, destination: str, end: list[End]) -> Both:
        address = _address(source)
        if address is None:
            raise self._unknown("source", source)
        target = _address(destination)
        own = [one for one in end if self.scope is None or self._project(one.port) == self.scope]
        if not own and (target is None or not self._floating(target)):
            if target is None and not end:
                raise self._unknown("destination", destination)
            raise NotFound(
                f"Neither {source} nor {destination} is a port, server or floating IP of yours: one end has to be."
            )
        version = ipaddress.ip_address(address).version
        goal = self._outer_address(destination, target, own, version)
        network = self._outer_network(address, goal.address)
        return Both(End(None, address, network), goal)

    def _floating(self, address: str) -> bool:
        """Say whether an address is a floating IP of theirs, be it without a port."""
        f = t.floating_ips.c
        query = select(f.id).where(
            f.floating_ip_address == address, store.visible(t.floating_ips, self.scope)
        )
        return self.c.execute(query).first() is not None

    def _outer_address(self, word: str, target: str | None, own: list[End], version: int) -> End:
        """Return the address by which the outside knows a port: its floating IP, where it has one."""
        if target is not None:
            return End(own[0].port if len(own) == 1 else None, target)
        ends = self._with(own, version)
        for end in ends:
            if end.port and version == 4:
                for floating in self.around.floating.values():
                    if floating.port_id == end.port.id:
                        return End(end.port, floating.floating_ip_address, server=end.server)
        return self._one("destination", word, ends)

    def _outer_network(self, source: str, target: str) -> str:
        """Return the provider network by which somebody outside comes in."""
        outer = [one for one in self.around.t.networks if one.physical_network is not None]
        for address in (source, target):
            for network in outer:
                if self.around.on_network(network.id, address):
                    return network.id
        routed = [one.id for one in outer if self.around.leads_in(one.id, target)]
        chosen = routed or [one.id for one in outer if one.external] or [one.id for one in outer]
        if not chosen:
            raise Conflict("There is no provider network by which a packet could come in.")
        return chosen[0]


def _address(word: str) -> str | None:
    try:
        return canonical(word)
    except ValueError:
        return None


def rows_of(c: Connection, table: Any, scope: str | None, ids: set[str]) -> dict[str, Any]:
    """Return the rows that somebody may see of these."""
    if not ids:
        return {}
    query = select(table).where(table.c.id.in_(ids), store.visible(table, scope))
    return {row.id: row for row in c.execute(query)}
