"""Which hosts are routers' gateways: those that have a way out, and of two only one that answers."""

from __future__ import annotations

import time

import pytest

from clearsky.network import reconcile, service
from clearsky.network.driver.interface import Chassis
from clearsky.work.queue import enqueue


@pytest.fixture
def chassis(cloud, monkeypatch):
    """Let the engine have these chassis: (host, seconds since it answered, has it a way out)."""

    def have(*hosts):
        def told():
            now = time.time()
            return [Chassis(f"id-{host}", host, now - age, gateway) for host, age, gateway in hosts]

        monkeypatch.setattr(service.driver(cloud.house), "chassis", told)
        for _ in range(2):  # what is seen in one comparison is for the next
            with cloud.house.db.write() as c:
                enqueue(c, "network", "all")
            cloud.settle()
        return service.driver(cloud.house).topology.gateway_hosts

    return have


def test_a_host_without_a_way_out_is_no_gateway(chassis):
    assert chassis(("host1", 0, True), ("host2", 0, False), ("host3", 0, True)) == ("host1", "host3")


def test_of_three_a_silent_one_stays_for_they_watch_each_other(chassis):
    assert chassis(("a", 0, True), ("b", 1000, True), ("c", 0, True)) == ("a", "b", "c")


def test_of_two_a_silent_one_is_left_out_until_it_answers(chassis):
    assert chassis(("a", 0, True), ("b", reconcile.LOST_S + 1, True)) == ("a",)
    assert chassis(("a", 0, True), ("b", 0, True)) == ("a", "b")


def test_where_none_answers_all_stay(chassis):
    assert chassis(("a", 1000, True), ("b", 1000, True)) == ("a", "b")


def test_a_removed_chassis_is_none_any_more(chassis):
    assert chassis(("a", 0, True), ("b", 0, True), ("c", 0, True)) == ("a", "b", "c")
    assert chassis(("a", 0, True), ("b", 0, True)) == ("a", "b")


def test_agents_tell_who_lives(cloud, chassis):
    chassis(("a", 0, True), ("b", 1000, True))
    found = cloud.admin.get("/network/v2.0/agents").json()["agents"]
    assert {one["host"]: one["alive"] for one in found} == {"a": True, "b": False}
