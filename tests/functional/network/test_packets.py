"""Networks that carry packets: the translation, the difference, and OVN itself, judged by what arrives."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tests.functional.network.world import TOPOLOGY

pytestmark = [pytest.mark.functional]


def test_applying_again_changes_nothing(engine_host, guests):
    assert engine_host.driver.apply(TOPOLOGY) == []


def test_neighbours_reach_each_other(guests):
    assert guests["red1"].reaches("10.1.0.12")


def test_the_same_addresses_in_another_network_are_another_world(guests):
    assert guests["blue1"].reaches("10.1.0.14")
    assert not guests["red1"].reaches("10.1.0.14", seconds=1)
    assert not guests["blue1"].reaches("10.1.0.12", seconds=1)


def test_a_group_without_ingress_rules_lets_nothing_in_but_answers(guests):
    assert not guests["red1"].reaches("10.1.0.13", seconds=1)
    assert guests["red3"].reaches("10.1.0.11")


def test_a_router_joins_two_networks(guests):
    assert guests["red1"].reaches("10.2.0.11")


def test_the_host_reaches_a_floating_ip_and_a_guest_the_host(guests):
    from tests.functional.network.conftest import run

    run("ping", "-c", "3", "-i", "0.2", "-W", "2", "172.24.4.20")
    assert guests["red2"].reaches("172.24.4.1")


def test_a_false_source_address_is_dropped(guests):
    guest = guests["red2"]
    guest.run("ip", "address", "add", "10.1.0.99/24", "dev", "eth0")
    try:
        told = guest.run(
            "ping", "-c", "2", "-i", "0.2", "-W", "1", "-I", "10.1.0.99", "10.1.0.11", check=False
        )
        assert " 0 received" in told
    finally:
        guest.run("ip", "address", "del", "10.1.0.99/24", "dev", "eth0")


def test_a_deleted_rule_stops_what_it_allowed(engine_host, guests):
    assert guests["blue2"].reaches("10.1.0.11")
    without = replace(TOPOLOGY, rules=tuple(rule for rule in TOPOLOGY.rules if rule.id != "open-in"))
    assert engine_host.driver.apply(without)
    time.sleep(0.3)  # the chassis programs its flows after the database has them
    assert not guests["blue2"].reaches("10.1.0.11", seconds=1)
    engine_host.driver.apply(TOPOLOGY)
    time.sleep(0.3)
    assert guests["blue2"].reaches("10.1.0.11")


def test_foreign_rows_are_left_alone(engine_host, guests):
    from tests.functional.network.conftest import run

    remote = f"--db={engine_host.settings.northbound}"
    run("ovn-nbctl", remote, "ls-add", "somebody-elses")
    engine_host.driver.apply(TOPOLOGY)
    assert "somebody-elses" in run("ovn-nbctl", remote, "ls-list")
