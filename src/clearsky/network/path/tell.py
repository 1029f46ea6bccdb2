"""OVN's flows in the words of our objects: which one let a packet through, changed it, or stopped it."""

from __future__ import annotations

from clearsky.network.model import FLOATING_IP, ROUTER_GATEWAY, ROUTER_INTERFACE, Port, Rule
from clearsky.network.ovn.trace.words import Enter, Flow
from clearsky.network.ovn.translate.security import DROP_GROUP
from clearsky.network.path.hops import Hop, Leg, Thing
from clearsky.network.path.packet import Packet
from clearsky.network.path.surroundings import NextHop, NoRoute, Surroundings

OWN = "refuses it: {} is the router's own address, which answers pings only"
_WHY = {
    "lr_in_admission": "takes nothing at this interface",
    "lr_in_ip_input": "takes no packet like this for itself",
    "lr_in_ip_routing": "has no route to {destination}",
    "lr_in_arp_request": "finds no neighbour to hand it to",
    "lr_in_policy": "lets in from outside only what has an NDP proxy, and {destination} has none",
}


def port_of(around: Surroundings, here: Enter) -> Port | None:
    """Return our port whose side of a switch or router the packet is at."""
    return around.ports.get(here.zone.removeprefix("cr-").removeprefix("lrp-"))


def what_of(packet: Packet) -> str:
    """Return a packet as a security group sees it."""
    if packet.protocol == "icmp":
        return "icmp"
    return f"{packet.protocol} port {packet.destination_port}"


def dropped(around: Surroundings, here: Enter, flow: Flow, made_of: str, packet: Packet) -> Hop:
    """Say by which object a flow (or the lack of one) stops the packet."""
    port = port_of(around, here)
    if flow.stage in ("ls_in_acl", "ls_out_acl") and port is not None:
        strange = "ct.inv" in flow.match
        return _closed(port, here.pipeline, packet, strange=strange)
    if here.datapath.startswith("router-"):
        return _stopped_in_router(around, here, flow, packet)
    network = Thing("network", here.datapath.removeprefix("net-"))
    if flow.stage == "ls_in_check_port_sec" and port is not None:
        return Hop(Thing("port", port.id), "dropped", "is switched off (admin_state_up is false)")
    if flow.stage.startswith(("ls_in_l2", "ls_in_lookup")):
        return _no_such_mac(around, network, packet)
    return Hop(
        network, "dropped", f"stops it in {flow.stage} ({made_of or flow.match or 'no flow takes it'})"
    )


def _closed(port: Port, pipeline: str, packet: Packet, *, strange: bool) -> Hop:
    """No security group of a port lets the packet through; a strange one is the answer to no question seen there."""
    out = pipeline == "ingress"
    far = f"to {packet.destination}" if out else f"from {packet.source}"
    groups = [Thing("security_group", id) for id in port.security_group_ids]
    wanted = f"{what_of(packet)} {far} {'out' if out else 'in'}"
    if strange:
        wanted += ": it is the answer to nothing that the port's memory of connections has seen go by"
    if strange and not port.port_security_enabled:
        return Hop(Thing("port", port.id), "dropped", f"does not let {wanted}")
    if not groups:
        told = f"has port security and no security group, so nothing lets {wanted}"
        return Hop(Thing("port", port.id), "dropped", told)
    return Hop(
        groups[0], "dropped", f"has no rule that lets {wanted}", also=(*groups[1:], Thing("port", port.id))
    )


def _stopped_in_router(around: Surroundings, here: Enter, flow: Flow, packet: Packet) -> Hop:
    router = Thing("router", here.datapath.removeprefix("router-"))
    found = around.routers.get(router.id)
    port = around.ports.get(here.inport.removeprefix("lrp-"))
    if found is not None and not found.admin_state_up:
        return Hop(router, "dropped", "is switched off (admin_state_up is false)")
    if flow.stage == "lr_in_admission" and port is not None and not port.admin_state_up:
        return Hop(
            Thing("port", port.id), "dropped", "is switched off (admin_state_up is false)", also=(router,)
        )
    mine = {fixed.ip_address for one in around.interfaces[router.id] for fixed in one.fixed_ips}
    if packet.destination in mine:
        return Hop(router, "dropped", OWN.format(packet.destination))
    told = _WHY.get(flow.stage, f"stops it in {flow.stage} ({flow.match or 'no flow takes it'})")
    return Hop(router, "dropped", told.format(destination=packet.destination))


def _no_such_mac(around: Surroundings, network: Thing, packet: Packet) -> Hop:
    for port in around.ports.values():
        if port.network_id == network.id and port.mac_address == packet.destination_mac:
            if not port.admin_state_up:
                return Hop(Thing("port", port.id), "dropped", "is switched off (admin_state_up is false)", also=(network,))  # fmt: skip
            return Hop(Thing("port", port.id), "dropped", "is not reached by its network", also=(network,))
    return Hop(network, "dropped", f"has nobody with the MAC {packet.destination_mac}")


def let_through(around: Surroundings, here: Enter, flow: Flow, made_of: str, host: str) -> Hop | None:
    """Say which rule lets a packet through a port's security groups; None where there are none in the way."""
    port = port_of(around, here)
    if (
        port is None
        or not port.port_security_enabled
        or port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY)
    ):
        return None
    way = "out" if here.pipeline == "ingress" else "in"
    rule = around.rules.get(made_of.removeprefix("rule-")) if made_of.startswith("rule-") else None
    if rule is not None:
        told = f"lets it {way} by {words_of(rule)}"
        return Hop(Thing("security_group", rule.security_group_id), "passes", told, host, (Thing("port", port.id),))  # fmt: skip
    if "ct.est" in flow.match and "!ct.est" not in flow.match:
        told = f"lets it {way}: it belongs to a connection that was let through"
        return Hop(Thing("port", port.id), "passes", told, host)
    if made_of.startswith(DROP_GROUP):
        return Hop(Thing("port", port.id), "passes", f"lets it {way}: nothing may forbid this", host)
    return None


def words_of(rule: Rule) -> str:
    """Return a rule in a few words, with its id."""
    protocol = rule.protocol or "anything"
    if rule.port_range_min is not None:
        both = (rule.port_range_min, rule.port_range_max)
        protocol += f" {both[0]}" if both[0] == both[1] else f" {both[0]}-{both[1]}"
    group = rule.remote_group_id and f"members of group {rule.remote_group_id}"
    addresses = rule.remote_address_group_id and f"address group {rule.remote_address_group_id}"
    far = rule.remote_ip_prefix or group or addresses or "anybody"
    return f"rule {rule.id} ({rule.ethertype} {protocol} {'from' if rule.direction == 'ingress' else 'to'} {far})"


def routed(around: Surroundings, next_hop: str, prefix: str, made_of: str) -> str:
    """Say where a router sends the packet, and by which route."""
    if made_of.startswith("default-"):
        return f"sends it to {next_hop}, the gateway of its outer network"
    if made_of.startswith("route-"):
        return f"sends it to {next_hop} by its extra route to {prefix}"
    return f"sends it on into its network {prefix}"


def translated(
    around: Surroundings,
    here: Enter,
    made_of: str,
    side: str,
    old: tuple[str, int],
    new: tuple[str, int],
    host: str,
) -> Hop:
    """Say whose address stands in the packet now."""
    router = Thing("router", here.datapath.removeprefix("router-"))
    if made_of.startswith("floating-"):
        told = (
            f"{'stands in for' if side == 'source' else 'leads to'} {(old if side == 'source' else new)[0]}"
        )
        return Hop(Thing("floating_ip", made_of.removeprefix("floating-")), "changes", told, host, (router,))
    if made_of.startswith("forward-"):
        id = made_of.removeprefix("forward-").rpartition("-")[0]
        told = f"forwards its port {old[1]} to {new[0]} port {new[1]}"
        return Hop(Thing("floating_ip", id), "changes", told, host, (router,))
    if side == "source":
        return Hop(router, "changes", f"hides {old[0]} behind its own address {new[0]} (SNAT)", host)
    return Hop(router, "changes", f"leads {old[0]} to {new[0]}", host)


def no_neighbour(around: Surroundings, here: Enter, outport: str, address: str) -> Hop:
    """A router gets no answer from the network where the packet should go on."""
    router = Thing("router", here.datapath.removeprefix("router-"))
    port = around.ports.get(outport.removeprefix("cr-").removeprefix("lrp-"))
    if port is None:
        return Hop(router, "dropped", f"has no neighbour {address}")
    _, owner = around.neighbour(port.network_id, address)
    network = Thing("network", port.network_id)
    if owner is None:
        return Hop(network, "dropped", f"has nobody with the address {address}: the router's question has no answer", also=(router,))  # fmt: skip
    return _silent(owner, address, "", (router, network))


def not_its_address(port: str, address: str, verb: str) -> Hop:
    """Port security stops what is not the port's own."""
    told = f"has port security, and may not {verb} {address}: neither its addresses nor its allowed address pairs hold that"
    return Hop(Thing("port", port), "dropped", told)


def refused(around: Surroundings, here: Enter, flow: Flow | None, packet: Packet) -> Hop:
    """A router sends an error back instead."""
    router = Thing("router", here.datapath.removeprefix("router-"))
    if packet.ttl <= 1:
        return Hop(
            router, "dropped", "finds that it has come through too many routers: they send it in a circle"
        )
    return Hop(router, "dropped", OWN.format(packet.destination))


def nobody(at: Thing, way: NextHop, host: str) -> Hop:
    """The very first neighbour does not answer."""
    if way.port is None:
        told = f"has nobody with the address {way.address}" + (f", the gateway to {way.by}" if way.by else "")
        return Hop(at, "dropped", told, host)
    return _silent(way.port, way.address, host, (at,))


def _silent(owner: Port, address: str, host: str, also: tuple[Thing, ...]) -> Hop:
    """Somebody has the address and does not answer."""
    if owner.device_owner == FLOATING_IP:
        return Hop(Thing("floating_ip", owner.device_id), "dropped", "leads to no port", host, also)
    told = "is switched off (admin_state_up is false)"
    if owner.admin_state_up and owner.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY):
        return Hop(Thing("router", owner.device_id), "dropped", f"{told}, so nobody answers for {address}", host, also)  # fmt: skip
    return Hop(Thing("port", owner.id), "dropped", f"{told}, so nobody answers for {address}", host, also)


def no_way_in(around: Surroundings, network_id: str, packet: Packet, way: NoRoute, there: Leg | None) -> Hop:
    """The outside does not know where to send a packet."""
    network = Thing("network", network_id)
    if there is not None and not there.translations:
        for hop in reversed(list(there.passed("router"))):
            router = around.routers.get(hop.at.id)
            if router is not None and not router.enable_snat:
                told = f"does not hide {packet.destination} (enable_snat is false, and it has no floating IP), so the outside knows no way back"
                return Hop(hop.at, "dropped", told, also=(network,))
    return Hop(network, "dropped", way.why if there is None else f"cannot bring the answer back: {way.why}")
