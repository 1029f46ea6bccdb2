"""Every outside call of the network's reconciler fails in turn, before and after its effect, by exception and by the
death of the process: afterwards the engine carries what the rows say, as if nothing had happened."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import select, update

from clearsky import app
from clearsky.errors import Unavailable
from clearsky.network import reconcile, service, topology
from clearsky.network import tables as t
from clearsky.work import queue
from clearsky.work.tables import steps, work
from clearsky.work.worker import run_leased

N = "/network/v2.0"


class Death(BaseException):
    """The process is gone: nobody catches this."""


def _driver(cloud):
    return service.driver(cloud.house)


CALLS = {
    "load": lambda cloud: (topology, "load"),
    "driver": lambda cloud: (service, "driver"),
    "apply": lambda cloud: (_driver(cloud), "apply"),
    "remember": lambda cloud: (reconcile, "_remember"),
    "tell": lambda cloud: (_driver(cloud), "tell"),
}


def _run(cloud):
    """Run the reconciler once, as a worker does; a killed one's lease has lapsed by the next time."""
    with cloud.house.db.write() as c:
        c.execute(update(work).where(work.c.kind == "network").values(due_at=time.time(), leased_until=0))
        lease = queue.lease(c, ["network"], 60.0)
    assert lease is not None
    try:
        return run_leased(cloud.house, app.reconcilers()["network"], lease)
    except Death:
        # Nothing of a process survives its death: not its memory of what it applied either.
        cloud.house.caches.pop("network:applied", None)
        return None


def _fail_once(monkeypatch, target, name, kind, moment):
    real = getattr(target, name)
    left = [1]

    def call(*arguments, **options):
        if not left[0]:
            return real(*arguments, **options)
        left[0] = 0
        if moment == "after":
            real(*arguments, **options)
        raise kind("planted")

    monkeypatch.setattr(target, name, call)
    return left


def _build(cloud):
    def post(path, **body):
        answer = cloud.member.post(f"{N}/{path}s", json={path.replace("-", "_"): body})
        assert answer.status_code == 201, answer.text
        return answer.json()[path]["id"]

    net = post("network", name="net")
    subnet = post("subnet", network_id=net, cidr="10.0.0.0/24", ip_version=4)
    router = post("router", name="r")
    assert cloud.member.put(
        f"{N}/routers/{router}/add_router_interface", json={"subnet_id": subnet}
    ).is_success
    port = post("port", network_id=net)
    assert cloud.admin.put(f"{N}/ports/{port}", json={"port": {"binding:host_id": "host1"}}).is_success
    return net, subnet, router, port


def _carries_what_is_wanted(cloud):
    with cloud.house.db.read() as c:
        wanted = topology.load(c, ("host1",), cloud.house.config.network.dns_servers)
        up = {row.id: row.up for row in c.execute(select(t.ports.c.id, t.ports.c.up))}
    return _driver(cloud).topology == wanted and up == _driver(cloud).up(wanted)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", [Unavailable, Death], ids=["exception", "death"])
@pytest.mark.parametrize("name", CALLS)
def test_a_failure_anywhere_ends_as_if_it_had_not_been(cloud, monkeypatch, name, kind, moment):
    net, subnet, router, port = _build(cloud)
    left = _fail_once(monkeypatch, *CALLS[name](cloud), kind, moment)
    _run(cloud)
    assert left == [0], "the planted failure was never reached"
    _run(cloud)
    assert _carries_what_is_wanted(cloud)
    assert cloud.member.get(f"{N}/ports/{port}").json()["port"]["status"] == "ACTIVE"
    left[0] = 1
    assert cloud.member.delete(f"{N}/ports/{port}").status_code == 204
    assert cloud.member.put(
        f"{N}/routers/{router}/remove_router_interface", json={"subnet_id": subnet}
    ).is_success
    for path in (f"routers/{router}", f"networks/{net}"):
        assert cloud.member.delete(f"{N}/{path}").status_code == 204
    _run(cloud)
    assert left == [0], "the planted failure was not reached by the deletion"
    _run(cloud)
    assert _carries_what_is_wanted(cloud)
    assert _driver(cloud).topology.ports == ()


def test_a_failed_comparison_is_in_the_journal_and_due_again_soon(cloud, monkeypatch):
    _build(cloud)
    _fail_once(monkeypatch, _driver(cloud), "apply", Unavailable, "before")
    outcome = _run(cloud)
    assert (outcome.error, outcome.after_s < reconcile.COMPARE_S) == ("planted", True)
    with cloud.house.db.read() as c:
        found = c.execute(select(steps).where(steps.c.step == "ensure_network")).all()
    assert [(row.outcome, row.detail) for row in found][-1] == ("failed", "planted")


def test_a_change_during_the_comparison_is_not_lost(cloud, monkeypatch):
    net = _build(cloud)[0]
    driver = _driver(cloud)
    real, made = driver.apply, []

    def slow(wanted):
        if not made:
            made.append(cloud.member.post(f"{N}/ports", json={"port": {"network_id": net}}).json()["port"])
        return real(wanted)

    monkeypatch.setattr(driver, "apply", slow)
    _run(cloud)
    assert not _carries_what_is_wanted(cloud)
    with cloud.house.db.read() as c:
        assert queue.next_due_at(c, ["network"]) <= time.time(), "the newer change does not make it due"
    _run(cloud)
    assert _carries_what_is_wanted(cloud)


def test_two_workers_at_once_come_to_the_same_end(cloud):
    _build(cloud)
    reconciler = app.reconcilers()["network"]
    leases = []
    for _ in range(2):  # the second takes over while the first, believed dead, still runs
        with cloud.house.db.write() as c:
            c.execute(update(work).where(work.c.kind == "network").values(due_at=time.time(), leased_until=0))
            leases.append(queue.lease(c, ["network"], 60.0))
    threads = [threading.Thread(target=run_leased, args=(cloud.house, reconciler, one)) for one in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _carries_what_is_wanted(cloud)


def test_what_somebody_else_changed_in_the_engine_is_mended_and_told(cloud):
    port = _build(cloud)[3]
    _run(cloud)
    driver = _driver(cloud)
    driver.topology = type(driver.topology)()
    _run(cloud)
    assert _carries_what_is_wanted(cloud)
    with cloud.house.db.read() as c:
        told = c.execute(select(steps).where(steps.c.step == "repair_network")).all()
    assert len(told) == 1
    assert f"+ ports {port}" in told[0].detail
    _run(cloud)
    with cloud.house.db.read() as c:
        assert len(c.execute(select(steps).where(steps.c.step == "repair_network")).all()) == 1
