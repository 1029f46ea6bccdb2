"""Brings the images that are wished for into the host's cache, one after the other, before a server needs them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from clearsky.agent.host import HostError
from clearsky.agent.image_cache import ImageCache
from clearsky.agent.protocol import DesiredDisk

log = structlog.get_logger("agent")
RETRY_S = 30.0


class Prefetch:
    """`done` is called, from another thread, whenever an image has come or has failed."""

    def __init__(self, cache: ImageCache, done: Callable[[], None]) -> None:
        self._cache, self._done = cache, done
        self._wanted: tuple[DesiredDisk, ...] = ()
        self._again_at: dict[str | None, float] = {}
        self._thread: threading.Thread | None = None

    def look(self, wanted: tuple[DesiredDisk, ...]) -> None:
        """Begin with what is missing; returns at once."""
        self._wanted = wanted
        if self._next() is not None and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
            self._thread.start()

    def _next(self) -> DesiredDisk | None:
        now, there = time.monotonic(), self._cache.contents()
        due = (disk for disk in self._wanted if self._again_at.get(disk.image_id, 0.0) <= now)
        return next((disk for disk in due if disk.image_id not in there), None)

    def _run(self) -> None:
        while (disk := self._next()) is not None:
            self._again_at[disk.image_id] = time.monotonic() + RETRY_S
            try:
                self._cache.ensure(disk)
                log.info("an image is in the cache before a server needs it", image=disk.image_id)
            except HostError as error:
                log.warning("an image cannot be cached", image=disk.image_id, error=str(error))
            except Exception:
                log.exception("an image cannot be cached", image=disk.image_id)
            self._done()
        self._again_at = {id: at for id, at in self._again_at.items() if at > time.monotonic()}
