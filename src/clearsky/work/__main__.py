"""The worker process: `python -m clearsky.work`."""

from __future__ import annotations

import fcntl
import signal
import threading
from pathlib import Path
from typing import BinaryIO

from clearsky import app, config, logs
from clearsky.house import House
from clearsky.network import service as network
from clearsky.work import queue
from clearsky.work.bell import Bell
from clearsky.work.worker import Worker


def start(house: House) -> list[Worker]:
    """Run the reconcilers in threads of this process; also used by a simulated cloud.

    Slow kinds (imports) have threads of their own, so that they never stand in the way of the rest.
    """
    kinds, slow = app.reconcilers(), app.slow()
    holder = f"{house.config.host}:{house.config.run}"
    workers = [
        Worker(house, {kind: kinds[kind] for kind in kinds if kind not in slow}, holder=holder),
        Worker(house, {kind: kinds[kind] for kind in slow}, house.config.work.slow_threads, holder=holder),
    ]
    with house.db.write() as connection:
        queue.end_leases(connection, holder)
        for kind in app.periodic():
            queue.enqueue(connection, kind, "all")
    bell = Bell(house.config.run).listen("worker")

    def hear() -> None:
        while True:
            if queue.WORKER_TOPIC in bell.recv(65536).decode().split("\n"):
                for worker in workers:
                    worker.wake()

    threading.Thread(target=hear, daemon=True).start()
    for worker in workers:
        worker.start()
    network.start_watch(house)
    return workers


def _alone(path: Path, stop: threading.Event) -> BinaryIO | None:
    """Hold the file's lock while the process lives, so that `end_leases` meets only the dead; None when told to stop."""
    file = path.open("ab")
    while not stop.is_set():
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stop.wait(0.1)
        else:
            return file
    return None


def main() -> None:
    settings = config.load()
    logs.configure("worker")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    lock = _alone(settings.run / "worker.lock", stop)
    if lock is None:
        return
    workers = start(app.open_house(settings))
    stop.wait()
    for worker in workers:
        worker.stop()
    lock.close()


if __name__ == "__main__":
    main()
