"""The lease queue: nothing is lost, nothing is run by two, nothing spins."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from clearsky.config import Config
from clearsky.db import Database
from clearsky.house import House
from clearsky.work import queue
from clearsky.work.reconcile import Again, Done
from clearsky.work.tables import host_revisions, steps, work
from clearsky.work.worker import Worker, run_leased, run_until_idle


@pytest.fixture
def house(tmp_path: Path):
    db = Database(f"sqlite:///{tmp_path}/w.db")
    for table in (work, steps, host_revisions):
        table.create(db.engine)
    yield House(Config(), db)
    db.close()


def _enqueue(house, id="a", **options):
    with house.db.write() as c:
        queue.enqueue(c, "thing", id, **options)


def _lease(house, lease_s=60.0):
    with house.db.write() as c:
        return queue.lease(c, ["thing"], lease_s)


def _row(house, id="a"):
    with house.db.read() as c:
        return queue.row_of(c, "thing", id)


def test_a_leased_row_is_not_leased_again(house):
    _enqueue(house)
    assert _lease(house).resource_id == "a"
    assert _lease(house) is None


def test_a_row_whose_worker_died_comes_back_later_each_time(house):
    _enqueue(house)
    first = _lease(house, lease_s=-1000)
    second = _lease(house, lease_s=-1000)
    assert second.token == first.token + 1
    assert second.attempt == first.attempt + 1
    assert queue.backoff_s(3) > queue.backoff_s(2)


def test_a_stale_worker_cannot_release(house):
    _enqueue(house)
    stale = _lease(house, lease_s=-1000)
    _lease(house)
    with house.db.write() as c:
        queue.release(c, stale, again_s=None)
    assert _row(house) is not None


def test_a_change_during_the_run_makes_the_row_due_again(house):
    _enqueue(house)
    lease = _lease(house)
    _enqueue(house)
    with house.db.write() as c:
        queue.release(c, lease, again_s=None)
    assert _row(house).due_at <= time.time()


def test_no_second_run_begins_while_one_goes_on(house):
    _enqueue(house)
    lease = _lease(house)
    _enqueue(house)
    assert _lease(house) is None
    with house.db.write() as c:
        assert queue.renew(c, lease, 60.0)
        assert queue.next_due_at(c, ["thing"]) > time.time(), "a worker would spin"
        queue.release(c, lease, again_s=50.0)
    assert _lease(house) is not None


def test_what_a_dead_worker_held_is_due_when_its_successor_starts(house):
    for id in ("a", "b"):
        _enqueue(house, id)
    with house.db.write() as c:
        dead = queue.lease(c, ["thing"], 60.0, "here")
        living = queue.lease(c, ["thing"], 60.0, "there")
        assert queue.end_leases(c, "here") == 1
    again = _lease(house)
    assert (again.resource_id, again.attempt) == (dead.resource_id, dead.attempt + 1)
    assert _lease(house) is None
    with house.db.write() as c:
        queue.release(c, living, again_s=None)
        queue.release(c, dead, again_s=None)
    assert _row(house, dead.resource_id) is not None, "a dead worker's token is stale"


def test_a_later_look_does_not_push_an_earlier_one_back(house):
    _enqueue(house)
    due = _row(house).due_at
    _enqueue(house, after_s=500)
    assert _row(house).due_at == due


def test_done_forgets_the_row_and_failure_keeps_it_with_the_reason(house):
    _enqueue(house, "good")
    _enqueue(house, "bad")

    def reconciler(run):
        if run.resource_id == "bad":
            raise RuntimeError("the engine is on fire")
        return Done()

    assert run_until_idle(house, {"thing": reconciler}) == 2
    assert _row(house, "good") is None
    assert "the engine is on fire" in _row(house, "bad").error
    assert _row(house, "bad").due_at > time.time()


def test_steps_are_journaled_even_when_one_fails(house):
    _enqueue(house, request_id="req-1")

    def reconciler(run):
        with run.step("ensure_disk"):
            pass
        with run.step("ensure_domain"):
            raise RuntimeError("no memory")

    run_leased(house, reconciler, _lease(house))
    with house.db.read() as c:
        found = c.execute(steps.select().order_by(steps.c.id)).all()
    assert [(s.step, s.outcome, s.request_id) for s in found] == [
        ("ensure_disk", "ok", "req-1"),
        ("ensure_domain", "failed", "req-1"),
    ]
    assert "no memory" in found[1].detail


def test_the_worker_runs_each_row_once_and_wakes_at_once(house):
    seen, lock = [], threading.Lock()

    def reconciler(run):
        with lock:
            seen.append(run.resource_id)
        return Done()

    worker = Worker(house, {"thing": reconciler}, threads=4)
    house.db.after_commit(lambda topics: worker.wake())
    worker.start()
    for number in range(50):
        _enqueue(house, str(number))
    deadline = time.time() + 20
    while len(seen) < 50 and time.time() < deadline:
        time.sleep(0.01)
    worker.stop()
    assert sorted(seen) == sorted(map(str, range(50)))


def test_again_looks_again(house):
    _enqueue(house)
    runs = []

    def reconciler(run):
        runs.append(run.attempt)
        return Done() if len(runs) == 3 else Again(0.01)

    run_until_idle(house, {"thing": reconciler}, horizon_s=1)
    assert len(runs) == 3


def test_a_host_revision_only_grows(house):
    with house.db.write() as c:
        queue.bump_host(c, "h")
        queue.bump_host(c, "h")
        assert queue.host_revision(c, "h") == 2
        assert queue.host_revision(c, "other") == 0
