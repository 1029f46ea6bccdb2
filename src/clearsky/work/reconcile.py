"""What a reconciler is: a function that moves one resource toward its desired state, from the top, every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clearsky.house import House
from clearsky.work.journal import Journal


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

    @contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """Time and journal one step. Steps are `ensure_*` or `remove_*`: idempotent, absent is success."""
        with self.journal.step(name, detail):
            yield


Reconciler = Callable[[Run], Outcome]
