"""Where everything stands in the drawing: external networks, routers, and networks with their guests, in columns.

Boxes hold rows of text of one height, so that no label can meet another; lines run only between columns, from row to
row. A box is as high as its rows; a column's boxes are put level with what they lead to, and moved down where they
would touch.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from clearsky.network.drawing.picture import Network, Picture, Port, Router

PAD, ROW, HEAD = 12, 20, 34
GAP, GUTTER = 22, 96
NARROW, CARD, CARDS = 252, 232, 3
CARD_GAP = 10
CHAR = 7.0
"""Of a common letter of 12 px in the widest of the fonts; see `_wide` for those that are wider."""
HUES = 8
MOST = 60
"""So many guests of a network are drawn one by one."""
LATIN = 0x24F
"""The last of the letters whose widths are known; others are taken for wide ones."""


@dataclass(slots=True)
class Row:
    text: str
    kind: str = "plain"
    """plain, plug (a line ends there) or quiet."""
    key: str = ""
    """What lines know it by."""


@dataclass(slots=True)
class Card:
    title: str
    lines: list[str]
    hint: str
    problem: bool
    x: float = 0
    y: float = 0
    height: float = 0


@dataclass(slots=True)
class Box:
    kind: str
    id: str
    title: str
    note: str
    width: float
    rows: list[Row] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    hue: int = 0
    dimmed: bool = False
    x: float = 0
    y: float = 0
    height: float = 0

    def row_y(self, key: str) -> float:
        """Return the middle of a row."""
        number = next(number for number, row in enumerate(self.rows) if row.key == key)
        return self.y + HEAD + PAD / 2 + ROW * number + ROW / 2


@dataclass(frozen=True, slots=True)
class Line:
    start: tuple[float, float]
    end: tuple[float, float]
    hue: int
    dimmed: bool


@dataclass(slots=True)
class Layout:
    width: float
    height: float
    boxes: list[Box]
    lines: list[Line]


def lay_out(picture: Picture) -> Layout:
    """Return boxes and lines; nothing overlaps, whatever the names are."""
    outer = [_network(one, picture, 0) for one in picture.networks if one.external]
    inner = [
        _network(one, picture, number % HUES + 1)
        for number, one in enumerate(one for one in picture.networks if not one.external)
    ]
    routers = [_router(one, picture) for one in picture.routers]
    columns = [column for column in (outer, routers, inner) if column]
    x = float(GAP)
    for column in columns:
        for box in column:
            box.x = x
        x += max(box.width for box in column) + GUTTER
    ties = _ties(picture)
    _stack(inner, {})
    _stack(routers, _levels(routers, inner, ties))
    _stack(outer, _levels(outer, [*routers], {(b, a) for a, b in ties}))
    boxes = [*outer, *routers, *inner]
    width = max((box.x + box.width for box in boxes), default=320.0) + GAP
    height = max((box.y + box.height for box in boxes), default=80.0) + GAP
    return Layout(width, height, boxes, _lines(picture, boxes))


# -- boxes ------------------------------------------------------------------------------------------------------


def _network(network: Network, picture: Picture, hue: int) -> Box:
    kind = "external network" if network.external else "network"
    notes = [
        kind,
        *(["shared"] if network.shared else []),
        *([] if network.admin_state_up else ["switched off"]),
    ]
    count = min(max(len(network.ports), 1), CARDS)
    wide = 2 * PAD + count * CARD + (count - 1) * CARD_GAP if network.ports else NARROW
    box = Box("network", network.id, network.name or network.id, ", ".join(notes), max(wide, NARROW), hue=hue)
    for router in picture.routers:
        for one in router.interfaces:
            if one.network_id == network.id:
                told = ", ".join(one.addresses) or "no address"
                room = max(box.width - 2 * PAD - CHAR * (len(told) + 2), CHAR * 8)
                box.rows.append(Row(f"{fit(router.name or router.id, room)}: {told}", "plug", one.port_id))
    for subnet in network.subnets:
        told = subnet.cidr + (f" {subnet.name}" if subnet.name else "")
        box.rows.append(Row(told + ("" if subnet.gateway_ip else ", no gateway"), "quiet"))
    box.rows += [Row(f"{one} free floating IP", "quiet") for one in network.free_floating_ips]
    box.cards = [_card(port) for port in network.ports[:MOST]]
    if left := len(network.ports) - len(box.cards):
        box.cards.append(Card(f"and {left} more", [], f"{left} more ports, see the text", problem=False))
    box.dimmed = not network.admin_state_up
    _place_cards(box)
    return box


def _router(router: Router, picture: Picture) -> Box:
    names = {one.id: one.name or one.id for one in picture.networks}
    note = "router" if router.admin_state_up else "router, switched off"
    box = Box("router", router.id, router.name or router.id, note, NARROW, dimmed=not router.admin_state_up)
    for one in router.interfaces:
        word = "out to" if one.gateway else "to"
        box.rows.append(
            Row(f"{word} {names.get(one.network_id, 'a network of others')}", "plug", one.port_id)
        )
    box.height = HEAD + PAD + ROW * len(box.rows)
    return box


def _card(port: Port) -> Card:
    lines = [*port.addresses, *(f"⇄ {one}" for one in port.floating_ips)] or ["no address"]
    if not port.server_id:
        lines.append(port.device_owner or "no server")
    if port.problem:
        lines.append(port.problem)
    kind = f"server {port.server_id}" if port.server_id else f"port {port.id}"
    return Card(port.title, lines, f"{kind} {port.title}: {', '.join(lines)}", bool(port.problem))


def _place_cards(box: Box) -> None:
    y = HEAD + PAD / 2 + ROW * len(box.rows) + (PAD / 2 if box.cards else 0)
    for first in range(0, len(box.cards), CARDS):
        line = box.cards[first : first + CARDS]
        height = max(PAD + ROW * (1 + len(card.lines)) for card in line)
        for number, card in enumerate(line):
            card.x, card.y, card.height = PAD + number * (CARD + CARD_GAP), y, height
        y += height + CARD_GAP
    box.height = y + PAD / 2


# -- places -----------------------------------------------------------------------------------------------------


def _ties(picture: Picture) -> set[tuple[str, str]]:
    """Return (router, network) of every interface."""
    return {(router.id, one.network_id) for router in picture.routers for one in router.interfaces}


def _levels(column: list[Box], others: list[Box], ties: set[tuple[str, str]]) -> dict[str, float]:
    """Return where each box would like its middle: level with the boxes that it leads to."""
    wanted = {}
    for box in column:
        middles = [one.y + one.height / 2 for one in others if (box.id, one.id) in ties]
        if middles:
            wanted[box.id] = sum(middles) / len(middles)
    return wanted


def _stack(column: list[Box], wanted: dict[str, float]) -> None:
    """Put boxes below each other, each as near as it can be to where it would like to be."""
    y = float(GAP)
    for box in sorted(column, key=lambda one: wanted.get(one.id, float("inf"))) if wanted else column:
        box.y = max(y, wanted.get(box.id, 0.0) - box.height / 2)
        y = box.y + box.height + GAP


def _lines(picture: Picture, boxes: list[Box]) -> list[Line]:
    known = {(box.kind, box.id): box for box in boxes}
    lines = []
    for router in picture.routers:
        box = known["router", router.id]
        for one in router.interfaces:
            other = known.get(("network", one.network_id))
            if other is None:
                continue
            left, right = (other, box) if other.x < box.x else (box, other)
            start = (left.x + left.width, left.row_y(one.port_id))
            end = (right.x, right.row_y(one.port_id))
            lines.append(Line(start, end, other.hue, box.dimmed or other.dimmed))
    return lines


def fit(text: str, width: float, char: float = CHAR) -> str:
    """Return as much of a text as fits into a width, with an ellipsis where it was cut."""
    room = width / char
    if sum(map(_wide, text)) <= room:
        return text
    kept, used = [], _wide("…")
    for letter in text:
        used += _wide(letter)
        if used > room:
            break
        kept.append(letter)
    return "".join(kept) + "…"


def _wide(letter: str) -> float:
    """Return a letter's width, in common letters."""
    if unicodedata.combining(letter):
        return 0
    if unicodedata.east_asian_width(letter) in "WF" or ord(letter) > LATIN:
        return 2
    if letter in "WMmw@%":
        return 1.75
    return 1.3 if letter.isupper() else 1
