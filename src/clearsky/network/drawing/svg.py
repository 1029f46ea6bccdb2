"""The picture as SVG, whole in itself: no script, nothing fetched, every name escaped.

Names are tenants' words and hostile: they come in as text nodes and attributes only, without the characters that XML
does not know or that turn a text's direction.
"""

from __future__ import annotations

import unicodedata
from html import escape

from clearsky.network.drawing.layout import CARD, HEAD, PAD, ROW, Box, Card, Layout, Line, fit, lay_out
from clearsky.network.drawing.picture import Picture

STYLE = """
svg{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;background:#f6f7f9}
.box{fill:#fff;stroke:#d5dae1}.head{font-weight:600;font-size:13px;fill:#1c2530}.note{fill:#7a8594;font-size:11px}
text{fill:#3b4654}.quiet{fill:#7a8594}.card{fill:#f6f7f9;stroke:#e2e6eb}.name{font-weight:600;fill:#1c2530}
.bad .card{fill:#fdf1ef;stroke:#e8b4aa}.bad .last{fill:#b3402c}.dim{opacity:.55}
path{fill:none;stroke-width:2}.router .box{rx:17px}.router .band{fill:#4d5a6b}
.h0{--c:#2f4b7c}.h1{--c:#3d7fc4}.h2{--c:#2a9d8f}.h3{--c:#8f63b8}.h4{--c:#d07f2c}.h5{--c:#c2557a}.h6{--c:#6b8f2a}
.h7{--c:#5a6fd6}.h8{--c:#a0703f}.band,.dot{fill:var(--c)}path{stroke:var(--c)}
@media (prefers-color-scheme:dark){svg{background:#14181d}.box{fill:#1d232a;stroke:#333c47}
.head,.name{fill:#e8ecf1}text{fill:#c0c8d2}.note,.quiet{fill:#8b96a4}.card{fill:#252c35;stroke:#38424e}
.bad .card{fill:#3a2421;stroke:#7c4238}.bad .last{fill:#f0917f}}
""".replace("\n", "")


def draw(picture: Picture, title: str = "Networks") -> str:
    """Return the drawing as a document of its own."""
    layout = lay_out(picture)
    parts = [_open(layout, title)]
    parts += [_line(line) for line in layout.lines]
    parts += [_box(box) for box in layout.boxes]
    if not layout.boxes:
        parts.append('<text x="22" y="44">There are no networks.</text>')
    return "".join([*parts, "</svg>\n"])


def _open(layout: Layout, title: str) -> str:
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}" viewBox="0 0 {layout.width:.0f} {layout.height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{_safe(title)}</title><style>{STYLE}</style>'


def _line(line: Line) -> str:
    (x1, y1), (x2, y2) = line.start, line.end
    bend = (x2 - x1) / 2
    curve = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    dim = " dim" if line.dimmed else ""
    dots = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in (line.start, line.end)
    )
    return f'<g class="h{line.hue}{dim}"><path d="{curve}"/>{dots}</g>'


def _box(box: Box) -> str:
    hint = f"<title>{_safe(f'{box.note} {box.title} {box.id}')}</title>"
    dim = " dim" if box.dimmed else ""
    note = _safe(box.note)
    room = box.width - 2 * PAD - 10 - 6.6 * len(box.note)
    parts = [
        f'<g class="{box.kind} h{box.hue}{dim}" transform="translate({box.x:.1f} {box.y:.1f})">{hint}',
        f'<rect class="box" width="{box.width:.1f}" height="{box.height:.1f}" rx="7"/>',
        f'<rect class="band" x="{PAD}" y="{HEAD - 5}" width="{box.width - 2 * PAD:.1f}" height="2" rx="1"/>',
        f'<text class="head" x="{PAD}" y="21">{_safe(fit(box.title, room, 7.8))}</text>',
        f'<text class="note" x="{box.width - PAD:.1f}" y="21" text-anchor="end">{note}</text>',
    ]
    for number, row in enumerate(box.rows):
        y = HEAD + PAD / 2 + ROW * number + 14
        told = _safe(fit(row.text, box.width - 2 * PAD))
        parts.append(f'<text class="{row.kind}" x="{PAD}" y="{y:.1f}">{told}</text>')
    parts += [_card(card) for card in box.cards]
    return "".join([*parts, "</g>"])


def _card(card: Card) -> str:
    bad = ' class="bad"' if card.problem else ""
    parts = [
        f'<g{bad} transform="translate({card.x:.1f} {card.y:.1f})"><title>{_safe(card.hint)}</title>',
        f'<rect class="card" width="{CARD}" height="{card.height:.1f}" rx="5"/>',
        f'<text class="name" x="10" y="20">{_safe(fit(card.title, CARD - 20, 7.6))}</text>',
    ]
    for number, line in enumerate(card.lines):
        last = ' class="last"' if card.problem and number == len(card.lines) - 1 else ""
        parts.append(f'<text{last} x="10" y="{20 + ROW * (number + 1)}">{_safe(fit(line, CARD - 20))}</text>')
    return "".join([*parts, "</g>"])


def _safe(text: str) -> str:
    """Return a text for XML: escaped, and without control, format and half characters."""
    kept = (
        letter if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn") else "\ufffd"
        for letter in text
    )
    return escape("".join(kept), quote=True)
