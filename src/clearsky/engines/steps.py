"""What root does around the processes: `python -m clearsky.engines.steps STEP [PROCESS]`, from systemd's units.

`prepare` before all of them, `ready` after each (it waits until the process accepts), `stop-servers` when the machine
goes down, `renew` now and then. The supervisor calls the same functions.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from clearsky import config as settings_module
from clearsky import logs
from clearsky.config import Config
from clearsky.engines import access, masquerade, namespace, prepare, underlay, virtualization
from clearsky.engines.definitions import HOME, Process, engines, own

READY_S, PATIENT_S = 10.0, 45.0


def before_all(config: Config) -> None:
    """Make what the processes need; of it, the run directory is new after each boot."""
    prepare.ensure_accounts(config)
    prepare.ensure_folders(config)
    prepare.ensure_databases(config)
    prepare.ensure_libvirt(config)
    prepare.ensure_program(config)
    prepare.renew(config)
    namespace.ensure(config)
    if config.network.masquerade and config.is_provider_gateway:
        masquerade.ensure(config)
    virtualization.accelerated(config)


def after(
    config: Config, process: Process, timeout_s: float, going_on: Callable[[], bool] = lambda: True
) -> bool:
    """Wait until a process is ready, share its socket, do what follows; says whether it was ready in time."""
    accepts = process.ready is None or _wait(process.ready, timeout_s, going_on)
    if process.ready is not None and process.socket_for and process.ready.exists():
        # By its group: a confined process of root's may open it as its owner only.
        os.chown(process.ready, -1, pwd.getpwnam(process.socket_for).pw_gid)
        process.ready.chmod(0o660)
    if process.then == "chassis-access" and accepts:
        access.ensure(config)
    if process.then == "chassis":
        prepare.ensure_chassis(config)
    if process.then == "joint":
        underlay.ensure(config)
        if config.is_provider_gateway:
            namespace.ensure_joint(config)
    return accepts


def _wait(path: Path, timeout_s: float, going_on: Callable[[], bool]) -> bool:
    end = time.monotonic() + timeout_s
    while not (there := _accepts(path)) and time.monotonic() < end and going_on():
        time.sleep(0.02)
    return there


def _accepts(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def main() -> None:
    config = settings_module.load()
    logs.configure("steps")
    step, *names = sys.argv[1:]
    if step == "prepare":
        before_all(config)
    elif step == "ready":
        process = next(one for one in (*engines(config), *own(config, HOME)) if one.name == names[0])
        ready = after(config, process, PATIENT_S)
        sys.exit(0 if ready else f"{process.name} did not get ready in {PATIENT_S:.0f} s")
    elif step == "stop-servers":
        from clearsky.engines import teardown  # noqa: PLC0415 - libvirt's library, for this step only

        teardown.stop_servers(config)
    elif step == "renew":
        prepare.renew(config)
    else:
        sys.exit(f"no such step: {step}")


if __name__ == "__main__":
    main()
