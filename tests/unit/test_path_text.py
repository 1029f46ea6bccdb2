"""What `clearsky path` prints."""

from __future__ import annotations

import pytest

from clearsky.cli.path import told


def _hop(direction, kind, id, outcome, what, *, name="", host=None, server=None, also=()):
    thing = {"kind": kind, "id": id, "name": name or id, "server": server}
    return thing | {
        "direction": direction,
        "outcome": outcome,
        "what": what,
        "host": host,
        "also": list(also),
    }


def _path(*hops, arrives=True, answered=True, dropped_by=None):
    packet = {"protocol": "tcp", "source": "10.0.0.4", "destination": "10.0.0.5", "port": 22}
    return {
        "packet": packet,
        "hops": hops,
        "arrives": arrives,
        "answered": answered,
        "dropped_by": dropped_by,
    }


WEB = {"id": "s1", "name": "we\x1b[31mb"}


def test_a_path_is_told_hop_by_hop():
    server = {"server": WEB, "host": "host1"}
    found = _path(
        _hop("there", "port", "p1", "passes", "sends it on", name="", **server),
        _hop("there", "floating_ip", "f1", "changes", "leads to 10.0.0.5", name="172.24.4.9", host="host1"),
        _hop("there", "port", "p2", "arrives", "receives it", host="host2"),
        _hop("back", "router", None, "passes", "lets it through"),
    )
    assert told(found).splitlines() == [
        "tcp 10.0.0.4 -> 10.0.0.5 port 22: arrives, and so does the answer",
        "there",
        "    port p1 of server we?[31mb  sends it on  [host1]",
        "  ~ floating IP 172.24.4.9 f1   leads to 10.0.0.5",
        "  > port p2                     receives it  [host2]",
        "and back",
        "    router (not yours)          lets it through",
    ]


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({"arrives": False, "answered": None, "dropped_by": {"kind": "security_group", "id": "g", "name": "db"}}, "dropped by security group db g"),
        ({"answered": None}, "arrives; nobody there would answer"),
        ({"answered": False, "dropped_by": {"kind": "router", "id": None, "name": None}}, "arrives, but the answer is dropped by router (not yours)"),
    ],
)  # fmt: skip
def test_the_verdict_is_first(more, verdict):
    assert (
        told(_path(_hop("there", "port", "p2", "arrives", "receives it"), **more))
        .splitlines()[0]
        .endswith(verdict)
    )


def test_all_who_are_the_reason_are_named():
    also = [{"kind": "security_group", "id": "g2", "name": "other", "server": None}]
    drop = _hop("there", "security_group", "g1", "dropped", "has no rule", name="db", also=also)
    stopper = {"kind": "security_group", "id": "g1", "name": "db"}
    lines = told(_path(drop, arrives=False, answered=None, dropped_by=stopper)).splitlines()
    assert lines[2:] == [
        "  x security group db g1  has no rule",
        " " * 26 + "also: security group other g2",
    ]
