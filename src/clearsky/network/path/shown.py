"""A path as somebody may see it: objects of other projects keep their kind, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection

from clearsky.network import servers
from clearsky.network import tables as t
from clearsky.network.path.ends import Both, End, rows_of
from clearsky.network.path.hops import Hop, Leg, Thing
from clearsky.network.path.packet import Packet
from clearsky.network.path.surroundings import Surroundings

TABLES = {
    "port": t.ports,
    "network": t.networks,
    "router": t.routers,
    "floating_ip": t.floating_ips,
    "security_group": t.security_groups,
}
_HIDDEN = {
    "passes": "lets it through",
    "changes": "changes its addresses",
    "arrives": "receives it",
    "leaves": "lets it out of this cloud",
    "dropped": "stops it",
}


class Shown:
    def __init__(self, c: Connection, around: Surroundings, scope: str | None, legs: list[Leg]) -> None:
        self.scope = scope
        wanted: dict[str, set[str]] = defaultdict(set)
        for leg in legs:
            for hop in leg.hops:
                for thing in (hop.at, *hop.also):
                    wanted[thing.kind].add(thing.id)
        wanted["port"] |= {leg.port for leg in legs if leg.port}
        self.rows = {kind: rows_of(c, table, scope, wanted[kind]) for kind, table in TABLES.items()}
        devices = {
            row.device_id
            for row in self.rows["port"].values()
            if row.device_owner.startswith("compute:") and scope in (None, row.project_id)
        }
        self.servers = servers.names(c, devices)
        self._c = c

    def answer(self, ends: Both, packet: Packet, there: Leg, back: Leg | None) -> dict[str, Any]:
        stopped = next((leg for leg in (there, back) if leg is not None and not leg.done), None)
        return {
            "packet": {
                "protocol": packet.protocol,
                "source": packet.source,
                "destination": packet.destination,
                "port": packet.destination_port or None,
            },
            "source": self._end(ends.source),
            "destination": self._end(ends.destination),
            "arrives": there.done,
            "answered": back.done if back is not None else None,
            "dropped_by": self._stopper(stopped),
            "hops": [
                *(self._hop("there", hop) for hop in there.hops),
                *(self._hop("back", hop) for hop in (back.hops if back else ())),
            ],
        }

    def _stopper(self, leg: Leg | None) -> dict[str, Any] | None:
        return self._thing(leg.hops[-1].at) if leg is not None and leg.hops else None

    def _end(self, end: End) -> dict[str, Any]:
        if end.port is None:
            return {"kind": "address", "id": None, "name": None, "address": end.address}
        row = rows_of(self._c, t.ports, self.scope, {end.port.id}).get(end.port.id)
        return {
            "kind": "port",
            "id": row.id if row else None,
            "name": row.name if row else None,
            "address": end.address,
        }

    def _hop(self, direction: str, hop: Hop) -> dict[str, Any]:
        thing = self._thing(hop.at)
        seen = thing["id"] is not None or hop.at.kind == "host"
        also = [self._thing(one) for one in hop.also]
        what = hop.what if seen else _HIDDEN[hop.outcome]
        if hop.at.kind == "host" and self.scope is not None:
            what = "gets it in a tunnel from another host"
        return {
            "direction": direction,
            **thing,
            "outcome": hop.outcome,
            "what": what,
            "host": hop.host or None if self.scope is None else None,
            "also": [one for one in also if one["id"] is not None],
        }

    def _thing(self, thing: Thing) -> dict[str, Any]:
        """Return an object's kind, id and name; a port's server is said with it."""
        if thing.kind == "host":
            name = thing.id if self.scope is None else None
            return {"kind": "host", "id": name, "name": name, "server": None}
        row = self.rows.get(thing.kind, {}).get(thing.id)
        if row is None:
            return {"kind": thing.kind, "id": None, "name": None, "server": None}
        name = row.floating_ip_address if thing.kind == "floating_ip" else row.name
        server = None
        if thing.kind == "port" and row.device_id in self.servers:
            server = {"id": row.device_id, "name": self.servers[row.device_id]}
        return {"kind": thing.kind, "id": row.id, "name": name, "server": server}
