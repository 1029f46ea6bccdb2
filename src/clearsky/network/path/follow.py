"""Follow a packet through OVN's flows, and its answer back.

ovn-trace knows no memory of connections, so three things are told to it. A new packet is `new` to each memory that is
asked; its answer is known (`est`, `rpl`) to exactly those that the packet was written into on its way there, and
strange to the others. Where a router had changed an address, the answer is changed back where it comes by, and the
trace goes on from there. And where a router would ask for a neighbour's MAC, the answer is what the network around
would say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from clearsky.network.driver.interface import Lens
from clearsky.network.ovn.trace.words import Enter, Event, Flow, Inner, Output, Remark
from clearsky.network.path import tell
from clearsky.network.path.hops import Hop, Leg, Outcome, Side, Thing, Translation
from clearsky.network.path.packet import Packet
from clearsky.network.path.surroundings import OUTSIDE_MAC, Surroundings, allowed

NEW, ANSWER = "new", "est,rpl"
STRANGE = {"tcp": "inv", "icmp": "inv", "udp": NEW}
"""What a memory of connections says of an answer whose question it has not seen."""
ROUNDS = 200
"""So many switches and routers are gone through: a packet that is sent in a circle dies before."""
STATES = 32
"""So many questions to memories of connections are prepared for."""
_NAT = re.compile(r"\(ip[46]\.(src|dst)=([0-9a-fA-F.:]+)\)")
_BACKEND = re.compile(r"backends=(\[.+?\]|[0-9.]+):(\d+)")
_PREFIX = re.compile(r"ip[46]\.dst == (\S+)")
_BINDING = re.compile(r"MAC binding to ([0-9a-f:]{17})")
_GATEWAY = re.compile(r'Replacing type "chassisredirect" outport "(.+?)"')


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trace begins: the port by which the packet comes into a switch or a router."""

    datapath: str
    inport: str


class Walk:
    """One packet on its way."""

    def __init__(self, lens: Lens, around: Surroundings, host: str, there: Leg | None = None) -> None:
        self.lens, self.around, self.there = lens, around, there
        self.leg = Leg()
        self.host = host
        self.packet: Packet
        self.here: Enter
        self.flow: Flow | None = None
        self.next_hop = self.outport = ""
        self.asked: Leg | None = None
        """The way to a router that answers by itself: what follows is the answer."""
        self.left: Enter | None = None
        """The switch or router that the packet has just come out of."""

    def go(self, place: Place, packet: Packet) -> Leg:
        """Follow the packet to its end."""
        for _ in range(ROUNDS):
            self.packet, self.flow = packet, None
            again = self._along(place, packet)
            if again is None:
                break
            place, packet = again
        if self.leg.outcome in ("passes", "changes") or not self.leg.hops:
            self._drop(Thing("network", ""), "is lost: OVN's trace says no more about it")
        self.leg.packet = self.packet
        if self.asked is None:
            return self.leg
        self.asked.answer = self.leg
        return self.asked

    def _along(self, place: Place, packet: Packet) -> tuple[Place, Packet] | None:
        """Go through one trace; returns where another has to begin, if one has to."""
        flooding = ""
        first = True
        for event in self._settled(place, packet):
            if isinstance(event, Enter):
                if flooding and event.pipeline == "egress":
                    self.here = event
                    continue
                self.here = event
                if not self.host and event.datapath.startswith("router-"):
                    self.host = self.lens.host_of(f"cr-{event.inport}")
                if not first and (again := self._further(event)):
                    return again
                first = False
            elif isinstance(event, Inner):
                if event.name == "multicast":
                    flooding = self._meant()
                elif self._inner(event):
                    return None
            elif flooding and self.here.outport != flooding:
                continue
            elif self._met(event):
                return None
        if flooding and self.leg.outcome not in ("arrives", "leaves", "dropped"):
            self._drop(self._network(), f"nobody there has the MAC {self.packet.destination_mac}")
        return None

    # -- what ovn-trace has to be told --------------------------------------------------------------------------

    def _settled(self, place: Place, packet: Packet) -> list[Event]:
        """Trace until every question on the way has its answer.

        Translations of addresses take from the list of states as well, unseen: where one is needed that is not what
        most get, its position is found by trying.
        """
        usual = ANSWER if self.there is not None or self.asked is not None else NEW
        states, at, meant = [usual] * STATES, -1, -1
        told: set[tuple[str, str]] = set()
        while True:
            events = self.lens.trace(place.datapath, packet.microflow(place.inport), tuple(states))
            wrong = self._wrong_state(events, packet)
            if wrong is None:
                asked = _asked(events, packet)
                if asked is None or asked in told or not self._answered(*asked):
                    return events
                told.add(asked)
                continue
            number, wanted = wrong
            if number > meant:
                meant, state = number, wanted
            else:
                states[at] = usual
            at += 1
            if at == STATES:
                return events
            states[at] = state

    def _wrong_state(self, events: list[Event], packet: Packet) -> tuple[int, str] | None:
        """Return the first memory of connections that did not say what it would, by number, and what that is."""
        number, turned = 0, False
        here = Enter("", "", "")
        asked = (self.there or self.asked or self.leg).remembered
        for event in events:
            if isinstance(event, Enter):
                here = event
                if self._corrected(event, None, packet) != packet:
                    break  # what follows is traced anew
            elif isinstance(event, Output) and event.kind == "patch":
                break
            elif isinstance(event, Flow) and _turns(event):
                turned, packet = True, replace(packet, source=packet.destination, destination=packet.source)
            elif found := _NAT.search(event.told) if isinstance(event, Inner) else None:
                source, destination = packet.source, packet.destination
                source, destination = (found[2], destination) if found[1] == "src" else (source, found[2])
                packet = replace(packet, source=source, destination=destination)
            elif isinstance(event, Inner) and event.name == "ct_next":
                known = (here.zone, packet.ends_of_question) in asked
                answering = turned or self.asked is not None or self.there is not None
                wanted = (ANSWER if known else STRANGE[packet.protocol]) if answering else NEW
                if wanted.rpartition(",")[2] not in event.told:
                    return number, wanted
                number += 1
        return None

    def _answered(self, router_port: str, address: str) -> bool:
        """Tell a router its neighbour's MAC; says whether somebody has it."""
        port = self.around.ports.get(router_port.removeprefix("lrp-"))
        if port is None:
            return False
        mac, _ = self.around.neighbour(port.network_id, address)
        if mac:
            self.lens.learn(router_port, address, mac)
        return bool(mac)

    def _further(self, event: Enter) -> tuple[Place, Packet] | None:
        """Begin anew where the packet comes into another switch or router, or an answer's addresses change back.

        What connections were said to be is forgotten from one to the next, which ovn-trace does not do.
        """
        packet = self._corrected(event, self.left, self.packet)
        if event.pipeline != "ingress" or (self.left is None and packet == self.packet):
            return None
        self.left = None
        if packet.destination != self.packet.destination:
            router = Thing("router", event.datapath.removeprefix("router-"))
            self._pass(router, f"gives the answer back to {packet.destination}", "changes")
        return Place(event.datapath, event.inport), packet

    def _corrected(self, event: Enter, left: Enter | None, packet: Packet) -> Packet:
        """Return the answer as it is when it enters there; `left` is what it came out of just before."""
        for one in self.there.translations if event.pipeline == "ingress" and self.there is not None else ():
            at = (one.datapath, one.router_port)
            if one.side == "source" and at == (event.datapath, event.inport):
                if packet.destination == one.after[0]:
                    packet = replace(packet, destination=one.before[0])
            elif one.side == "destination" and left and at == (left.datapath, left.outport):
                packet = replace(
                    packet, source=one.before[0], source_port=one.before[1] or packet.source_port
                )
        return packet

    # -- what is met on the way ---------------------------------------------------------------------------------

    def _met(self, event: Event) -> bool:
        """Note what happens; says whether it is the end."""
        if isinstance(event, Flow):
            return self._through(event)
        if isinstance(event, Output):
            return self._out(event)
        if isinstance(event, Remark) and (found := _GATEWAY.search(event.text)):
            return self._redirected(found[1])
        if isinstance(event, Remark) and (found := _BINDING.search(event.text)):
            self.packet = replace(self.packet, destination_mac=found[1])
        return False

    def _through(self, flow: Flow) -> bool:
        self.flow = flow
        made_of = self.lens.made_of(flow.uuid)
        for action in flow.actions:
            self._act(action)
        if flow.drops:
            self.leg.hops.append(tell.dropped(self.around, self.here, flow, made_of, self.packet))
            return True
        if _turns(flow):
            self._pass(self._router(), f"has the address {self.packet.source} itself, and answers", "arrives")
            self.asked, self.leg = self.leg, Leg()
            self.asked.port, self.asked.packet = self.here.inport.removeprefix("lrp-"), self.packet
            self.packet = replace(self.packet, reply=True)
        if flow.stage in ("ls_in_acl", "ls_out_acl"):
            if hop := tell.let_through(self.around, self.here, flow, made_of, self.host):
                self.leg.hops.append(hop)
            if any(action.startswith("reject") for action in flow.actions):
                return True
        elif flow.stage == "lr_in_ip_routing":
            prefix = _PREFIX.search(flow.match)
            told = tell.routed(self.around, self.next_hop, prefix[1] if prefix else "", made_of)
            self._pass(self._router(), told)
        if _commits(flow):
            self.leg.remembered.add((self.here.zone, self.packet.ends))
        return False

    def _act(self, action: str) -> None:
        """Keep the packet as the flows change it."""
        name, _, value = action.removesuffix(";").partition(" = ")
        if name == "eth.src":
            self.packet = replace(self.packet, source_mac=value)
        elif name == "eth.dst" and value != "ff:ff:ff:ff:ff:ff":
            self.packet = replace(self.packet, destination_mac=value)
        elif name in ("reg0", "xxreg0"):
            self.next_hop = self.packet.destination if value in ("ip4.dst", "ip6.dst") else value
        elif name == "outport" and value.startswith('"'):
            self.outport = value.strip('"')
        elif action == "ip.ttl--;":
            self.packet = replace(self.packet, ttl=self.packet.ttl - 1)
        elif action == "eth.dst <-> eth.src;":
            here = self.packet
            self.packet = replace(here, source_mac=here.destination_mac, destination_mac=here.source_mac)
        elif re.fullmatch(r"ip[46]\.dst <-> ip[46]\.src;", action):
            here = self.packet
            self.packet = replace(here, source=here.destination, destination=here.source)

    def _inner(self, event: Inner) -> bool:
        """Note what is done inside a flow; says whether it is the end."""
        if event.name in ("ct_snat", "ct_dnat", "ct_lb", "ct_lb_mark"):
            if found := _NAT.search(event.told):
                self._translated(found[1], found[2], 0)
            elif event.name.startswith("ct_lb") and (found := _BACKEND.search("".join(self.flow.actions if self.flow else ()))):  # fmt: skip
                self._translated("dst", found[1].strip("[]"), int(found[2]))
            return False
        if event.name in ("arp", "nd_ns"):
            self.leg.hops.append(tell.no_neighbour(self.around, self.here, self.outport, self.next_hop))
            return True
        if event.name in ("icmp4", "icmp6", "tcp_reset", "icmp4_error", "icmp6_error", "sctp_abort"):
            self.leg.hops.append(tell.refused(self.around, self.here, self.flow, self.packet))
            return True
        return False

    def _translated(self, field: str, address: str, port: int) -> None:
        """A router writes another address into the packet."""
        before = self.packet
        side: Side = "source" if field == "src" else "destination"
        old = (before.source, before.source_port) if side == "source" else (before.destination, before.destination_port)  # fmt: skip
        if old[0] == address and port in (0, old[1]):
            return
        at = self.here.outport if side == "source" else self.here.inport
        new = (address, port or old[1])
        if side == "source":
            self.packet = replace(before, source=address)
        else:
            self.packet = replace(before, destination=address, destination_port=new[1])
        self.leg.translations.append(Translation(self.here.datapath, at, side, old, new))
        made_of = self.lens.made_of(self.flow.uuid) if self.flow else ""
        self.leg.hops.append(tell.translated(self.around, self.here, made_of, side, old, new, self.host))

    def _redirected(self, gateway: str) -> bool:
        """The packet goes to the host that carries the router's gateway."""
        host = self.lens.host_of(gateway)
        if not host:
            self._drop(self._router(), "has a gateway that no host carries at present")
            return True
        self._move(host, "to the router's gateway")
        return False

    def _out(self, event: Output) -> bool:
        if event.kind == "patch":
            self.left = self.here
            return False
        port = self.around.ports.get(event.port)
        if event.kind == "localnet":
            network = event.port.removeprefix("provider-")
            self._pass(Thing("network", network), "lets it out of this cloud", "leaves")
            self.leg.network = network
            return True
        if event.kind in ("", "localport", "virtual", "external"):
            return self._deliver(event.port, port is not None and event.kind == "")
        return False

    def _deliver(self, port: str, guest: bool) -> bool:
        at = Thing("port", port)
        packet = self.packet
        if not allowed(self.lens.may_speak_as(port), packet.destination_mac, packet.destination):
            self.leg.hops.append(tell.not_its_address(port, packet.destination, "receive as"))
            return True
        host = self.lens.host_of(port)
        if guest and not host:
            self._drop(at, "is plugged in on no host")
            return True
        if host:
            self._move(host, "to the port's host")
        self._pass(at, f"receives it as {packet.destination} from {packet.source}", "arrives")
        self.leg.port = port
        return True

    def _move(self, host: str, why: str) -> None:
        if self.host and host != self.host:
            network = self._network()
            outer = self.around.networks.get(network.id)
            physical = outer.physical_network if outer else None
            by = "over the network that the hosts stand in" if physical else "in a tunnel"
            self._pass(Thing("host", host), f"gets it {by} from {self.host}, {why}", host=host)
        self.host = host

    # -- small words --------------------------------------------------------------------------------------------

    def _meant(self) -> str:
        """Of a flood, return the one port that will take the packet; a word that is no port's where none will."""
        network = self._network().id
        mac = self.packet.destination_mac
        if mac == OUTSIDE_MAC:
            return f"provider-{network}"
        for port in self.around.ports.values():
            macs = {port.mac_address, *(pair for pair, _ in port.allowed_address_pairs)}
            if port.network_id == network and mac in macs:
                return port.id
        found = self.around.networks.get(network)
        # A neighbour outside that a router has heard from: known by its own MAC, and to nobody in this cloud.
        return f"provider-{network}" if found and found.physical_network is not None else "-"

    def _network(self) -> Thing:
        if self.here.datapath.startswith("net-"):
            return Thing("network", self.here.datapath.removeprefix("net-"))
        port = self.around.ports.get((self.here.outport or self.here.inport).removeprefix("lrp-"))
        return Thing("network", port.network_id if port else "")

    def _router(self) -> Thing:
        return Thing("router", self.here.datapath.removeprefix("router-"))

    def _pass(self, at: Thing, what: str, outcome: Outcome = "passes", host: str | None = None) -> None:
        self.leg.hops.append(Hop(at, outcome, what, self.host if host is None else host))

    def _drop(self, at: Thing, what: str) -> None:
        self.leg.hops.append(Hop(at, "dropped", what, self.host))


def _commits(flow: Flow) -> bool:
    """Say whether the connection is written into the memory of a port there."""
    return any(action.startswith("ct_commit") for action in flow.actions)


def _turns(flow: Flow) -> bool:
    """Say whether a router answers an echo by itself there."""
    return flow.stage == "lr_in_ip_input" and any(
        action in ("icmp4.type = 0;", "icmp6.type = 129;") for action in flow.actions
    )


def _asked(events: list[Event], packet: Packet) -> tuple[str, str] | None:
    """Return the router's port and the address whose MAC it would have to ask for; None where it need not."""
    hop, port, destination = "", "", packet.destination
    for event in events:
        if isinstance(event, Output) and event.kind == "patch":
            break
        if isinstance(event, Flow):
            if _turns(event):
                destination = packet.source
            for action in event.actions:
                name, _, value = action.removesuffix(";").partition(" = ")
                if name in ("reg0", "xxreg0"):
                    hop = value
                elif name == "outport" and value.startswith('"'):
                    port = value.strip('"')
        elif isinstance(event, Inner) and (found := _NAT.search(event.told)) and found[1] == "dst":
            destination = found[2]
        elif isinstance(event, Inner) and event.name in ("arp", "nd_ns"):
            return port.removeprefix("cr-"), destination if hop in ("ip4.dst", "ip6.dst") else hop
    return None
