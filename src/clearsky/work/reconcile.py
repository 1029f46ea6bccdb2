"""What a reconciler is: a function that moves one resource toward its desired state, from the top, every time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from clearsky.errors import Conflict
from clearsky.house import House
from clearsky.work import queue
from clearsky.work.journal import Journal


class Superseded(Conflict):
    """Another run has the lease: stop, without another word."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do until somebody changes the resource."""


@dataclass(frozen=True, slots=True)
class Again:
    """Look again after so many seconds, or earlier when the resource is enqueued; `error` says what failed."""

    after_s: float
    error: str = ""


Outcome = Done | Again


@dataclass(slots=True)
class Run:
    """One run of a reconciler on one resource."""

    house: House
    resource_id: str
    request_id: str
    attempt: int
    journal: Journal
    lease: queue.Lease | None = None
    """None where a test runs a reconciler by hand."""
    kept_at: float = field(default_factory=time.monotonic)

    def keep(self) -> None:
        """Push the lease back in a run that takes long: to be called all along, it costs little.

        Raises Superseded where another run has the lease.
        """
        lease_s = self.house.config.work.lease_s
        if self.lease is None or time.monotonic() - self.kept_at < lease_s / 4:
            return
        with self.house.db.write() as connection:
            if not queue.renew(connection, self.lease, lease_s):
                raise Superseded(f"another run of {self.lease.kind} {self.resource_id} has taken over")
        self.kept_at = time.monotonic()

    @contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """Time and journal one step. Steps are `ensure_*` or `remove_*`: idempotent, absent is success."""
        with self.journal.step(name, detail):
            yield


Reconciler = Callable[[Run], Outcome]
