"""Who keeps a cloud's processes running: systemd's units where it runs the machine, else processes of our own."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from clearsky.config import Config
from clearsky.engines import background, build, systemd, units

SYSTEMD = Path("/run/systemd/system")
STOP_S = 90.0


class Keeper(Protocol):
    """Starts, stops and shows the processes of one cloud."""

    title: str

    def start(self) -> None:
        """See to it that everything runs, now and after a boot where the machine's init can do that.

        Processes of ours that run an older state of the program are replaced; engines and guests run on.
        """

    def processes(self) -> dict[str, int | None]:
        """Return the pid of every process that should run; None for those that do not."""

    def given_up(self) -> str:
        """Return the name of what brings the API, if nobody is trying any more to run it; else nothing."""

    def stop(self, *, purge: bool) -> bool:
        """End everything; with `purge`, what it made on the machine goes too. False where nothing ran."""

    def last_words(self, name: str) -> str:
        """Return the last line of a process's log."""

    def place(self, name: str) -> str:
        """Say where a process's log is."""

    def names(self) -> list[str]:
        """Return the processes that have a log."""

    def log_command(self, names: Sequence[str], lines: int, *, follow: bool) -> list[str]:
        """Return the program that prints logs."""


class _InFiles:
    """Logs that are files in the state directory."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._folder = config.state / "logs"

    def last_words(self, name: str) -> str:
        path = self._folder / f"{name}.log"
        if not path.exists():
            return ""
        return "".join(path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:])

    def place(self, name: str) -> str:
        return str(self._folder / f"{name}.log")

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.log"))

    def log_command(self, names: Sequence[str], lines: int, *, follow: bool) -> list[str]:
        files = [str(self._folder / f"{name}.log") for name in names or self.names()]
        return ["tail", "-n", str(lines), *(["-F"] if follow else []), *files]


class Alone(_InFiles):
    """A simulated cloud: one process in the background."""

    title = "one process in the background"

    def start(self) -> None:
        pid = background.running(self.config, "api")
        if pid is not None and build.is_old(pid):
            background.stop(self.config, "api")
            pid = None
        if pid is None:
            background.start(self.config, "api", "clearsky.api")

    def processes(self) -> dict[str, int | None]:
        return {"api": background.running(self.config, "api")}

    def given_up(self) -> str:
        return "" if background.running(self.config, "api") else "api"

    def stop(self, *, purge: bool) -> bool:
        return background.stop(self.config, "api")


class Supervised(_InFiles):
    """A real cloud where there is no systemd: a supervisor in the background keeps the others."""

    title = "the cloud's own supervisor"

    def start(self) -> None:
        pid = background.running(self.config, "supervisor")
        if pid is not None and build.is_old(pid):
            self._end_old()
            pid = None
        if pid is None:
            background.start(self.config, "supervisor", "clearsky.engines.supervisor")

    def _end_old(self) -> None:
        from clearsky.engines import definitions, supervisor  # noqa: PLC0415

        # Killed, not told to end: what it keeps lives on, and the next one takes it over.
        background.stop(self.config, "supervisor", number=signal.SIGKILL)
        left = supervisor.of(self.config)
        for process in reversed(definitions.own(self.config, definitions.HOME)):
            if process.name in left.pids:
                left.end(process.name)

    def processes(self) -> dict[str, int | None]:
        from clearsky.engines import definitions, supervisor  # noqa: PLC0415

        running = supervisor.running(self.config)
        every = (*definitions.engines(self.config), *definitions.own(self.config, definitions.HOME))
        return {"supervisor": background.running(self.config, "supervisor")} | {
            one.name: running.get(one.name) for one in every
        }

    def given_up(self) -> str:
        return "" if background.running(self.config, "supervisor") else "supervisor"

    def stop(self, *, purge: bool) -> bool:
        """End the supervisor, and so all it keeps; what a killed one has left is taken over first."""
        from clearsky.engines import supervisor  # noqa: PLC0415

        if not self.config.run.exists():
            return False
        if purge:
            (self.config.run / supervisor.PURGE).touch()
        watched = background.stop(self.config, "supervisor", STOP_S)
        left = supervisor.of(self.config)
        found = bool(left.pids)
        if found or purge:
            left.stop()
        return watched or found


def of(config: Config) -> Keeper:
    """Return the keeper of a cloud: the one that has it, or for a new one what fits this machine."""
    if config.cloud.simulate:
        return Alone(config)
    if config.cloud.keeper == "supervisor" or background.running(config, "supervisor") is not None:
        return Supervised(config)
    if config.cloud.keeper == "systemd" or units.installed(config) or runs_the_machine():
        return systemd.Units(config)
    return Supervised(config)


def runs_the_machine() -> bool:
    """Say whether systemd is PID 1 here, and starts processes in the network that we are in."""
    if not SYSTEMD.is_dir():
        return False
    try:
        return Path("/proc/1/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
    except OSError:
        return True
