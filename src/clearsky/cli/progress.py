"""Numbered steps with their times, for commands that take more than a moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click


class Progress:
    def __init__(self, total: int) -> None:
        self._number, self._total = 0, total
        self.started = time.perf_counter()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Print a step, and how long it took when it is done."""
        self._number += 1
        click.echo(f"[{self._number}/{self._total}] {what} ... ", nl=False)
        started = time.perf_counter()
        try:
            yield
        except BaseException:
            click.echo("failed")
            raise
        click.echo(f"{time.perf_counter() - started:.1f} s")

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started
