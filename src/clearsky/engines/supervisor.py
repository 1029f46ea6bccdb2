"""Keeps a cloud's processes running where there is no systemd: `python -m clearsky.engines.supervisor`.

It starts them in order, starts again what dies, and reaps what they leave behind. After its own death the next one
takes over the processes that still run. Told to end (SIGTERM), it ends them in order.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import structlog

from clearsky import config as settings_module
from clearsky import logs
from clearsky.config import Config
from clearsky.engines import prepare, steps, teardown
from clearsky.engines.definitions import Process, engines, own

log = structlog.get_logger("supervisor")
PR_SET_CHILD_SUBREAPER = 36
RESTART_S = 0.5
RENEW_S = 12 * 3600.0
PURGE = "purge"
"""File in the run directory: the next stop is for good."""


def started_at(pid: int) -> str:
    """Return the kernel's start time of a process; empty where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _file(config: Config) -> Path:
    return config.run / "processes.json"


def running(config: Config) -> dict[str, int]:
    """Return the processes that a supervisor has started and that still run."""
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(_file(config).read_text(encoding="utf-8"))
        return {name: pid for name, (pid, start) in known.items() if started_at(pid) == start}
    return {}


class Supervisor:
    def __init__(self, config: Config, processes: list[Process]) -> None:
        self.config, self.processes = config, processes
        self.pids: dict[str, int] = {}
        self.file = _file(config)
        self.stopping = False
        self._died: dict[str, float] = {}

    def adopt(self) -> None:
        """Take over what an earlier supervisor has started and still runs."""
        self.pids = running(self.config)

    def save(self) -> None:
        unfinished = self.file.with_suffix(".new")
        unfinished.write_text(
            json.dumps({name: (pid, started_at(pid)) for name, pid in self.pids.items()}), encoding="utf-8"
        )
        unfinished.rename(self.file)

    def ensure(self, process: Process) -> None:
        """Start the process if it does not run; wait until it is ready, ten seconds at most."""
        pid = self.pids.get(process.name)
        if pid is None or not started_at(pid):
            try:
                self._start(process)
            except (OSError, KeyError) as error:
                log.error("a process cannot be started", name=process.name, error=str(error))  # noqa: TRY400
                return
        steps.after(self.config, process, steps.READY_S, lambda: not self.stopping)

    def _start(self, process: Process) -> None:
        logs = self.config.state / "logs"
        with (logs / f"{process.name}.log").open("ab") as log:
            account: dict[str, Any] = {}
            if process.user:
                found = pwd.getpwnam(process.user)
                account = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
            argv = process.argv
            if process.capabilities:
                kept = ",".join(f"+{name.lower()}" for name in process.capabilities)
                names = (f"--reuid={process.user}", f"--regid={process.user}", "--clear-groups")
                argv = ("setpriv", *names, f"--inh-caps={kept}", f"--ambient-caps={kept}", "--", *argv)
                account = {}
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | process.environment,
                start_new_session=True,
                **account,
            )
        child.returncode = 0  # reaped with all other children in watch(), not by this object
        self.pids[process.name] = child.pid
        self.save()

    def watch(self) -> None:
        """Start again what dies, until told to stop."""
        renewed_at = time.monotonic()
        while not self.stopping:
            self._reap()
            if time.monotonic() - renewed_at > RENEW_S:
                renewed_at = time.monotonic()
                prepare.renew(self.config)
            for process in self.processes:
                if (
                    not started_at(self.pids.get(process.name, 0))
                    and time.monotonic() - self._died.get(process.name, 0.0) > RESTART_S
                ):
                    self._died[process.name] = time.monotonic()
                    self._start_again(process)
            time.sleep(0.2)

    def _start_again(self, process: Process) -> None:
        try:
            self.ensure(process)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            log.error("a process is not as it should be", name=process.name, error=str(error))  # noqa: TRY400

    @staticmethod
    def _reap() -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _stop_servers(self) -> None:
        """Switch the servers off, reaping meanwhile: libvirt waits for each QEMU's process to be gone."""
        work = threading.Thread(target=teardown.stop_servers, args=(self.config,))
        work.start()
        while work.is_alive():
            self._reap()
            work.join(0.05)

    def end(self, name: str) -> None:
        """End one process, by force after five seconds."""
        pid, end = self.pids.get(name, 0), time.monotonic() + 5
        with contextlib.suppress(ProcessLookupError):
            if started_at(pid):
                os.kill(pid, signal.SIGTERM)
            while started_at(pid):
                if time.monotonic() > end:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)
        if pid:
            log.info("ended", name=name, pid=pid)

    def stop(self) -> None:
        """End all processes, last started first; servers while libvirt still runs, the network while the switch does."""
        for process in reversed(self.processes):
            if process.name == "libvirtd":
                self._stop_servers()
            if process.name == "ovs-vswitchd" and (self.config.run / PURGE).exists():
                # Not earlier: ovn-controller makes its bridge again.
                teardown.remove_network(self.config)
            self.end(process.name)
        teardown.remove_view(self.config)
        if (self.config.run / PURGE).exists():
            teardown.remove_idle_tap("ovs-netdev")
        self.file.unlink(missing_ok=True)


def of(config: Config) -> Supervisor:
    """Return the supervisor of all of a cloud's processes, with those that run already."""
    supervisor = Supervisor(config, [*engines(config), *own(config, prepare.ensure_program(config))])
    supervisor.adopt()
    return supervisor


def main() -> None:
    config = settings_module.load()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    logs.configure("supervisor")
    steps.before_all(config)
    supervisor = of(config)

    def stop(*_: object) -> None:
        supervisor.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for process in supervisor.processes:
        if supervisor.stopping:
            break
        supervisor.ensure(process)
    supervisor.save()
    supervisor.watch()
    supervisor.stop()


if __name__ == "__main__":
    main()
