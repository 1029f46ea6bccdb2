"""The agent process: `python -m clearsky.agent`, as root. Guests outlive it."""

from __future__ import annotations

import signal

from clearsky import config, logs
from clearsky.agent.loop import Loop
from clearsky.engines import namespace, virtualization
from clearsky.hosts.door import Door


def main() -> None:
    settings = config.load()
    logs.configure("agent")
    accelerated = virtualization.accelerated(settings)
    loop = Loop(settings, accelerated=accelerated, outside=namespace.enter(settings))
    if settings.serves_hosts:
        Door(settings).open()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    loop.run()


if __name__ == "__main__":
    main()
