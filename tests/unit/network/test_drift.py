"""Which differences are somebody else's."""

from __future__ import annotations

from clearsky.network import drift
from clearsky.network.ovn.drift import foreign
from clearsky.network.ovn.rows import Row


def _rows(*ports, mac="m"):
    rows = {"net-1": Row("Logical_Switch", "net-1", {}), "net-2": Row("Logical_Switch", "net-2", {})}
    for id in ports:
        key = f"port-{id}"
        rows[key] = Row("Logical_Switch_Port", key, {"addresses": [mac]}, parent=("net-1", "ports"))
    return rows


def test_what_a_change_of_ours_explains_is_ours():
    changes = ["+ Logical_Switch_Port port-b", "~ Logical_Switch net-1 ports", "- Logical_Switch_Port port-c"]
    assert foreign(_rows("a", "c"), _rows("a", "b"), changes) == []


def test_what_nothing_explains_is_somebody_elses_also_beside_a_change_of_ours():
    changes = ["+ Logical_Switch_Port port-b", "~ Logical_Switch net-1 ports", "~ Logical_Switch_Port port-a addresses",
               "~ Logical_Switch net-2 ports"]  # fmt: skip
    assert foreign(_rows("a"), _rows("a", "b"), changes) == changes[2:]


def test_a_new_process_blames_nobody():
    assert foreign(None, _rows("a"), ["+ Logical_Switch_Port port-a"]) == []


def test_ports_are_found_in_words():
    id = "0f1e2d3c-0000-4000-8000-123456789abc"
    changes = [
        f"~ Logical_Switch_Port port-{id} addresses",
        f"+ DHCP_Options dhcp-port-{id}-4",
        "+ NAT snat-1",
    ]
    assert drift.ports_in(changes) == [id]
