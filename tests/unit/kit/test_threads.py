"""The threads in which requests are answered."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from clearsky.api.threads import Threads


@pytest.fixture
def threads():
    made = Threads(2)
    yield made
    made.close()


def test_what_a_job_returns_or_raises_comes_back(threads):
    async def ask():
        assert await threads.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await threads.run(divmod, 1, 0)
        assert await threads.run(threading.current_thread) is not threading.current_thread()

    asyncio.run(ask())


def test_so_many_jobs_as_there_are_threads_run_at_once(threads):
    both = threading.Barrier(2)

    async def ask():
        await asyncio.gather(*(threads.run(both.wait, 30) for _ in range(6)))

    asyncio.run(ask())


def test_one_who_no_longer_waits_harms_nobody(threads):
    go = threading.Event()

    async def ask():
        for job in (go.wait, lambda: go.wait() and 1 / 0):
            waiting = asyncio.ensure_future(threads.run(job))
            await asyncio.sleep(0)
            waiting.cancel()
        go.set()
        assert await threads.run(len, "abc") == 3

    asyncio.run(ask())


def test_a_job_whose_loop_is_gone_harms_nobody(threads):
    go, done = threading.Event(), threading.Event()

    async def leave():
        threads.run(lambda: go.wait() and done.set())

    asyncio.run(leave())
    go.set()
    assert done.wait(30)
    asyncio.run(_once(threads))


async def _once(threads):
    assert await threads.run(len, "abc") == 3


def test_nothing_of_a_job_is_kept_after_it(threads):
    class Big:
        pass

    big = Big()
    gone = weakref.ref(big)

    async def ask(what):
        await threads.run(lambda: what)
        await threads.run(len, "")  # the loop has let go of the first by now

    asyncio.run(ask(big))
    del big
    gc.collect()
    assert gone() is None


def test_at_the_end_the_threads_are_gone():
    before = threading.active_count()
    Threads(3).close()
    assert threading.active_count() == before
