"""The drawing of networks: nothing meets, whatever the size and the names; and nothing in a name is more than a name."""

from __future__ import annotations

import itertools
import random
from xml.etree import ElementTree as ET

import pytest

from clearsky.network.drawing import layout, svg, text
from clearsky.network.drawing.picture import Interface, Network, Picture, Port, Router, Subnet

HOSTILE = [
    "<script>alert(1)</script>", "\"'&]]>", "a\x00b\x1b[31m", "\u202egnp.exe", "W" * 200, "東京" * 50, "%s{}", "\ud800", "",
    "</text><image href='http://x'/>", "&#x3c;script&#x3e;", "İ" * 80,
]  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def _port(number, name, **more):
    base = {
        "id": f"port-{number}", "name": name, "addresses": ("10.0.0.5", "2001:db8:1111:2222:3333:4444:5555:6666"),
        "floating_ips": ("172.24.4.9",) if number % 3 else (), "up": number % 4 != 0, "admin_state_up": number % 5 != 0,
        "device_owner": "compute:nova", "server_id": f"server-{number}", "server_name": name,
    }  # fmt: skip
    return Port(**(base | more))


def picture(size, seed=0):
    """Return a picture of about that many objects, with the worst names."""
    rng = random.Random(seed)
    networks, routers, count = [], [], itertools.count()
    while len(networks) + len(routers) + sum(len(one.ports) for one in networks) < size:
        number = next(count)
        ports = tuple(_port(n, rng.choice(HOSTILE)) for n in range(rng.randrange(0, min(size, 9))))
        subnets = tuple(
            Subnet(f"s{n}", rng.choice(HOSTILE), "10.0.0.0/24", None) for n in range(rng.randrange(3))
        )
        networks.append(
            Network(
                f"n{number}",
                rng.choice(HOSTILE),
                number % 4 == 0,
                False,
                True,
                subnets,
                ports,
                ("172.24.4.8",),
            )
        )
        if rng.random() < 0.5 and size > 1:
            ties = rng.sample(networks, min(len(networks), 3))
            faces = tuple(
                Interface(f"r{number}-{n}", one.id, ("10.0.0.1",), one.external) for n, one in enumerate(ties)
            )
            routers.append(Router(f"r{number}", rng.choice(HOSTILE), rng.random() < 0.8, faces))
    return Picture(tuple(networks), tuple(routers))


@pytest.mark.parametrize("size", [0, 1, 10, 60, 300])
@pytest.mark.parametrize("seed", [1, 2])
def test_boxes_and_cards_stay_apart_and_inside(size, seed):
    found = layout.lay_out(picture(size, seed))
    areas = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in found.boxes]
    for one, other in itertools.combinations(areas, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for x1, y1, x2, y2 in areas:
        assert (x1 >= 0, y1 >= 0, x2 <= found.width, y2 <= found.height) == (True, True, True, True)
    for box in found.boxes:
        rows_end = layout.HEAD + layout.PAD / 2 + layout.ROW * len(box.rows)
        assert rows_end <= box.height
        cards = [(one.x, one.y, one.x + layout.CARD, one.y + one.height) for one in box.cards]
        for one, other in itertools.combinations(cards, 2):
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert all(one[1] >= rows_end and one[2] <= box.width and one[3] <= box.height for one in cards)


@pytest.mark.parametrize("size", [0, 1, 10, 60])
def test_a_drawing_is_plain_xml_without_anything_that_acts(size):
    tree = ET.fromstring(svg.draw(picture(size), HOSTILE[0]))
    kinds = {element.tag.removeprefix(SVG) for element in tree.iter()}
    assert kinds <= {"svg", "title", "style", "g", "rect", "text", "path", "circle"}
    for element in tree.iter():
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
    texts = [element.text or "" for element in tree.iter(f"{SVG}text")]
    assert not any(letter in one for one in texts for letter in "\u202e\x1b\x00")
    if size == 60:
        assert any("<script>" in one for one in texts), "names are shown as they are"


def test_a_text_is_cut_to_its_room():
    assert layout.fit("short", 100) == "short"
    assert layout.fit("W" * 50, 100).endswith("…")
    for word in HOSTILE:
        assert sum(map(layout._wide, layout.fit(word, 140))) * layout.CHAR <= 140


def test_the_tree_names_everything_once():
    outer = Network(
        "e",
        "public",
        True,
        True,
        True,
        (Subnet("s", "", "172.24.4.0/24", "172.24.4.1"),),
        (),
        ("172.24.4.9",),
    )
    inner = Network(
        "n",
        "demo",
        False,
        False,
        True,
        (),
        (_port(1, "web", server_name="web"), _port(4, "", server_id=None, server_name=None)),
        (),
    )
    alone = Network("a", "alone", False, False, False, (), (), ())
    faces = (Interface("g", "e", ("172.24.4.10",), True), Interface("i", "n", ("10.0.0.1",), False))
    second = Router("r2", "second", False, (Interface("j", "n", ("10.0.0.2",), False),))
    told = text.draw(Picture((outer, inner, alone), (Router("r", "main", True, faces), second)))
    assert told.splitlines() == [
        "network public e (external, shared)",
        "├─ subnet 172.24.4.0/24",
        "├─ floating IP 172.24.4.9, leads nowhere",
        "└─ router main r at 172.24.4.10",
        "   └─ network demo n, main is 10.0.0.1",
        "      ├─ server web server-1: 10.0.0.5, 2001:db8:1111:2222:3333:4444:5555:6666, from outside 172.24.4.9",
        "      └─ port port-4: 10.0.0.5, 2001:db8:1111:2222:3333:4444:5555:6666, from outside 172.24.4.9",
        "router second r2 (switched off)",
        "└─ network demo n, second is 10.0.0.2, see above",
        "network alone a (switched off)",
    ]
    assert text.draw(Picture((), ())) == "There are no networks."
    assert "\x1b" not in text.draw(Picture((Network("x", "\x1b[2J", False, False, True, (), (), ()),), ()))
