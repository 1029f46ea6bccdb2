"""Somebody changes the engine behind our back: it is mended, and it can be seen that it was."""

from __future__ import annotations

import time

from sqlalchemy import select

from clearsky.cli import status
from clearsky.network import drift, service
from clearsky.network import tables as t
from clearsky.work import journal, queue

N = "/network/v2.0"


def _port(cloud):
    net = cloud.member.post(f"{N}/networks", json={"network": {"name": "n"}}).json()["network"]["id"]
    answer = cloud.member.post(f"{N}/ports", json={"port": {"network_id": net}})
    assert answer.status_code == 201, answer.text
    cloud.settle()
    return answer.json()["port"]["id"]


def _disturb(cloud, port_id):
    """Take a port out of the engine, as somebody with its tools could."""
    driver = service.driver(cloud.house)
    kept = tuple(port for port in driver.topology.ports if port.id != port_id)
    driver.topology = type(driver.topology)(ports=kept)
    with cloud.house.db.write() as c:
        queue.enqueue(c, "network", "all")


def _metric(cloud, name):
    lines = cloud.anonymous.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_what_was_mended_is_counted_and_shown(cloud):
    id = _port(cloud)
    assert drift.state(cloud.house).mended == 0
    assert _metric(cloud, "clearsky_network_rows_mended") == 0
    _disturb(cloud, id)
    cloud.settle()
    seen = drift.state(cloud.house)
    assert seen.mended > 0
    assert time.time() - seen.mended_at < 60
    assert any(id in change for change in seen.last)
    assert _metric(cloud, "clearsky_network_rows_mended") == seen.mended
    assert time.time() - _metric(cloud, "clearsky_network_compared_seconds") < 60
    assert "rows, all mended" in service.engine_facts(cloud.house)[1]["changed by others"]
    steps = [one.step for one in journal.of(cloud.house.db, "all", kind="network")]
    assert steps.count("repair_network") == 1
    told = status.gather(cloud.house.config)["network"]
    assert told["mended"] == seen.mended
    assert any("were mended" in line for line in status._network(told))


def test_it_is_told_beside_a_change_of_ours(cloud):
    id = _port(cloud)
    _disturb(cloud, id)
    _port(cloud)
    last = drift.state(cloud.house).last
    assert any(id in change for change in last)
    with cloud.house.db.read() as c:
        others = set(c.execute(select(t.ports.c.id).where(t.ports.c.id != id)).scalars())
    assert not [change for change in last if any(other in change for other in others)]


def test_changes_of_ours_are_nobody_elses(cloud):
    id = _port(cloud)
    cloud.member.put(f"{N}/ports/{id}", json={"port": {"admin_state_up": False}})
    cloud.settle()
    cloud.member.delete(f"{N}/ports/{id}")
    cloud.settle()
    assert drift.state(cloud.house).mended == 0


def test_a_comparison_that_fails_or_is_late_is_wrong(cloud, monkeypatch):
    _port(cloud)
    seen = drift.state(cloud.house)
    assert (seen.error, seen.late) == ("", False)
    with cloud.house.db.write() as c:
        c.execute(t.observed.update().where(t.observed.c.name == "engine").values(seen_at=time.time() - 600))
    assert drift.state(cloud.house).late
