"""The picture as a tree of text: outside, routers, the networks behind them, who is on each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from clearsky.network.drawing.picture import Network, Picture, Port, Router
from clearsky.terminal import plain


@dataclass(slots=True)
class Branch:
    label: str
    twigs: list[Branch] = field(default_factory=list)


def draw(picture: Picture) -> str:
    """Return the tree; what has been drawn already is named again and marked, not repeated."""
    tree = _Tree(picture)
    lines: list[str] = []
    for root in tree.roots():
        lines += [root.label, *_lines(root.twigs, "")]
    return "\n".join(lines) or "There are no networks."


def _lines(branches: list[Branch], indent: str) -> list[str]:
    lines = []
    for number, one in enumerate(branches):
        last = number == len(branches) - 1
        lines.append(f"{indent}{'└─ ' if last else '├─ '}{one.label}")
        lines += _lines(one.twigs, indent + ("   " if last else "│  "))
    return lines


class _Tree:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.networks = {one.id: one for one in picture.networks}
        self.drawn: set[str] = set()

    def roots(self) -> list[Branch]:
        outer = [self._network(one, None) for one in self.picture.networks if one.external]
        inner = [self._router(one, "") for one in self.picture.routers if one.id not in self.drawn]
        rest = [self._network(one, None) for one in self.picture.networks if one.id not in self.drawn]
        return [*outer, *inner, *rest]

    def _network(self, network: Network, by: Router | None) -> Branch:
        marks = [word for word, true in (("external", network.external), ("shared", network.shared), ("switched off", not network.admin_state_up)) if true]  # fmt: skip
        label = f"network {plain(network.name)} {network.id}" + (f" ({', '.join(marks)})" if marks else "")
        if by is not None:
            label += f", {plain(by.name)} is {_several(one for i in by.interfaces if i.network_id == network.id for one in i.addresses)}"  # fmt: skip
        if network.id in self.drawn:
            return Branch(f"{label}, see above")
        self.drawn.add(network.id)
        twigs = [Branch(_subnet(one.cidr, one.name, one.gateway_ip)) for one in network.subnets]
        twigs += [Branch(f"floating IP {one}, leads nowhere") for one in network.free_floating_ips]
        twigs += [Branch(_port(one)) for one in network.ports]
        for router in self.picture.routers:
            if router.id not in self.drawn and any(one.network_id == network.id for one in router.outer):
                twigs.append(self._router(router, network.id))
        return Branch(label, twigs)

    def _router(self, router: Router, network_id: str) -> Branch:
        self.drawn.add(router.id)
        gateways = [
            address for one in router.outer if one.network_id == network_id for address in one.addresses
        ]
        label = f"router {plain(router.name)} {router.id}"
        label += f" at {_several(gateways)}" if gateways else ""
        label += "" if router.admin_state_up else " (switched off)"
        inner = dict.fromkeys(one.network_id for one in router.inner)
        return Branch(
            label, [self._network(self.networks[id], router) for id in inner if id in self.networks]
        )


def _subnet(cidr: str, name: str, gateway: str | None) -> str:
    return f"subnet {cidr}" + (f" {plain(name)}" if name else "") + ("" if gateway else ", no gateway")


def _port(port: Port) -> str:
    kind, id = ("server", port.server_id) if port.server_id else ("port", port.id)
    label = f"{kind} {plain(port.title)}" + (f" {id}" if port.title != id else "")
    label += f": {_several(port.addresses)}"
    if port.floating_ips:
        label += f", from outside {_several(port.floating_ips)}"
    return label + (f" ({port.problem})" if port.problem else "")


def _several(items: Iterable[str]) -> str:
    return ", ".join(items) or "no address"
