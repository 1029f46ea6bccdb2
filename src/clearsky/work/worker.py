"""The worker loop: threads that lease due rows and run their reconcilers."""

from __future__ import annotations

import queue as threadqueue
import threading
import time
from collections.abc import Mapping

import structlog

from clearsky.errors import ClearskyError
from clearsky.house import House
from clearsky.work import queue
from clearsky.work.journal import Journal
from clearsky.work.reconcile import Again, Done, Outcome, Reconciler, Run

log = structlog.get_logger("work")


class Worker:
    """Runs `reconcilers` (kind -> function) in `threads` threads until stopped; its leases bear the name `holder`."""

    def __init__(
        self,
        house: House,
        reconcilers: Mapping[str, Reconciler],
        threads: int | None = None,
        *,
        holder: str = "",
    ) -> None:
        self.house, self.reconcilers, self.holder = house, dict(reconcilers), holder
        self.threads_wanted = threads or house.config.work.threads
        self._leases: threadqueue.SimpleQueue[queue.Lease | None] = threadqueue.SimpleQueue()
        self._idle = threading.Semaphore(self.threads_wanted)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        targets = [self._dispatch] + [self._serve] * self.threads_wanted
        self._threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look for due rows now."""
        self._wake.set()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        for _ in range(self.threads_wanted):
            self._leases.put(None)
        for thread in self._threads:
            thread.join(timeout=10)

    def _dispatch(self) -> None:
        """Lease for the idle threads only: one lease is never older than its run."""
        kinds = list(self.reconcilers)
        while not self._stop.is_set():
            self._idle.acquire()
            self._wake.clear()
            lease, pause = None, self.house.config.work.poll_s
            try:
                with self.house.db.read() as connection:
                    due_at = queue.next_due_at(connection, kinds)
                if due_at is not None and due_at <= time.time():
                    with self.house.db.write() as connection:
                        lease_s = self.house.config.work.lease_s
                        lease = queue.lease(connection, kinds, lease_s, self.holder)
                    pause = 0.0
                elif due_at is not None:
                    pause = min(pause, max(0.0, due_at - time.time()))
            except Exception:
                log.exception("the queue cannot be read; trying again")
            if lease is not None:
                self._leases.put(lease)
                continue
            self._idle.release()
            self._wake.wait(pause)

    def _serve(self) -> None:
        while (lease := self._leases.get()) is not None:
            try:
                run_leased(self.house, self.reconcilers[lease.kind], lease)
            except Exception:
                log.exception("a run could not be recorded", kind=lease.kind, resource=lease.resource_id)
            finally:
                self._idle.release()
                self._wake.set()


def run_leased(house: House, reconciler: Reconciler, lease: queue.Lease) -> Outcome:
    """Run one leased row's reconciler and release the lease with what came out."""
    journal = Journal(lease.kind, lease.resource_id, lease.request_id)
    outcome: Outcome
    try:
        outcome = reconciler(Run(house, lease.resource_id, lease.request_id, lease.attempt, journal, lease))
    except ClearskyError as error:
        log.warning("a run failed", kind=lease.kind, resource=lease.resource_id, error=error.message)
        outcome = Again(queue.backoff_s(lease.attempt), error.message)
    except Exception as error:
        log.exception("a run failed", kind=lease.kind, resource=lease.resource_id)
        outcome = Again(queue.backoff_s(lease.attempt), f"{type(error).__name__}: {error}")
    with house.db.write() as connection:
        journal.flush(connection)
        if isinstance(outcome, Done):
            queue.release(connection, lease, again_s=None)
        else:
            queue.release(connection, lease, again_s=outcome.after_s, error=outcome.error)
    return outcome


def run_until_idle(
    house: House, reconcilers: Mapping[str, Reconciler], *, limit: int = 1000, horizon_s: float = 0.0
) -> int:
    """Run due rows in this thread until none is due within `horizon_s`; returns how many ran. For tests."""
    count = 0
    while count < limit:
        with house.db.write() as connection:
            lease = queue.lease(connection, list(reconcilers), house.config.work.lease_s)
            due_at = None if lease else queue.next_due_at(connection, list(reconcilers))
        if lease is not None:
            run_leased(house, reconcilers[lease.kind], lease)
            count += 1
        elif due_at is not None and due_at <= time.time() + horizon_s:
            time.sleep(max(0.0, due_at - time.time()))
        else:
            return count
    raise RuntimeError(f"the queue was still not idle after {limit} runs")
