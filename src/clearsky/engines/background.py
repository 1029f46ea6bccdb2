"""The processes of a running cloud, by pid files in the run directory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from clearsky.config import FILE_VARIABLE, Config
from clearsky.engines import build
from clearsky.engines.definitions import MEMORY


def pid_file(config: Config, name: str) -> Path:
    return config.run / f"{name}.pid"


def _started(pid: int) -> str:
    """Return when a process started, in the kernel's words: a pid alone may have been given to another."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def running(config: Config, name: str) -> int | None:
    """Return the pid of a running process of this cloud; None where it does not run."""
    try:
        pid, started = pid_file(config, name).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return int(pid) if _started(int(pid)) == started else None


def start(config: Config, name: str, module: str) -> int:
    """Start `python -m module` in the background, its output in the log folder; returns the pid."""
    logs = config.state / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    environment = os.environ | MEMORY | {build.VARIABLE: build.current()}
    if config.file:
        environment[FILE_VARIABLE] = str(config.file)
    with (logs / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    pid_file(config, name).write_text(f"{child.pid} {_started(child.pid)}", encoding="utf-8")
    return child.pid


def stop(config: Config, name: str, timeout_s: float = 10.0, *, number: int = signal.SIGTERM) -> bool:
    """End a process of this cloud, by force after the time-out; False where it did not run."""
    pid = running(config, name)
    if pid is not None:
        os.kill(pid, number)
        end = time.monotonic() + timeout_s
        while running(config, name) is not None:
            if time.monotonic() > end:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    pid_file(config, name).unlink(missing_ok=True)
    return pid is not None
