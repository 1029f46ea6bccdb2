"""The threads in which requests are answered: a third of what the standard library's executor costs a request."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple

Result = TypeVar("Result")
Given = TypeVarTuple("Given")


class Threads:
    """So many threads, which take jobs from one queue."""

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._threads = [
            threading.Thread(target=self._work, name=f"api-{n}", daemon=True) for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, function: Callable[[*Given], Result], *given: *Given) -> Awaitable[Result]:
        """Return what `function(*given)` returns or raises, when one of the threads has done it."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, lambda: function(*given)))
        return future

    def close(self) -> None:
        """End the threads, after the jobs that they have begun."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, function = job
            try:
                value = function()
            except BaseException as error:
                _tell(future, _fail, error)
            else:
                _tell(future, _succeed, value)
                del value
            del job, future, function  # or the last request would live until the next one


def _tell(future: asyncio.Future[Any], how: Callable[[asyncio.Future[Any], Any], None], what: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        future.get_loop().call_soon_threadsafe(how, future, what)


def _succeed(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():  # a client that went away cancels
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
