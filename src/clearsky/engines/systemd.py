"""systemd as the keeper of a cloud's processes."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from clearsky.config import Config
from clearsky.engines import definitions, prepare, units

START_S = 180
OUTLAST = ("ovs-vswitchd", "ovs-db")
"""What still runs while the network is taken away."""


class Units:
    title = "systemd"

    def __init__(self, config: Config) -> None:
        self.config = config

    def start(self) -> None:
        rendered = units.render(self.config, self._every(prepare.ensure_program(self.config)))
        changed = []
        for name in units.on_the_machine(self.config) - set(rendered):
            (units.FOLDER / name).unlink()
        for name, text in rendered.items():
            path = units.FOLDER / name
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                changed.append(name)
        if changed:
            _systemctl("daemon-reload")
            # Only those that run: the target starts the others, in their order.
            _systemctl(
                "try-restart",
                *(name for name in changed if not name.endswith((".target", "-guests.service"))),
            )
        _systemctl("enable", "--quiet", units.target(self.config))
        _systemctl("start", units.target(self.config))

    def processes(self) -> dict[str, int | None]:
        names = self.names()
        shown = _systemctl(
            "show", "--property=MainPID", "--value", *(units.service(self.config, name) for name in names)
        )
        pids = [int(line) for line in shown.split()]
        return {name: pid or None for name, pid in zip(names, pids, strict=True)}

    def given_up(self) -> str:
        return ""  # it never does

    def stop(self, *, purge: bool) -> bool:
        """Stop in the units' own order. A boot does not bring the cloud back until the next `up`."""
        ran = any(self.processes().values())
        if not units.installed(self.config):
            return ran
        _systemctl("disable", "--quiet", units.target(self.config))
        # The target too: all others are part of it, and would end with it.
        last = {units.target(self.config)} | {units.service(self.config, name) for name in OUTLAST}
        every = sorted(units.on_the_machine(self.config))
        _systemctl("stop", *(name for name in every if name not in last))
        if purge:
            from clearsky.engines import teardown  # noqa: PLC0415

            teardown.remove_network(self.config)
        _systemctl("stop", *last)
        self._remove_rest(purge=purge)
        return ran

    def _remove_rest(self, *, purge: bool) -> None:
        from clearsky.engines import teardown  # noqa: PLC0415

        teardown.remove_view(self.config)
        if not purge:
            return
        teardown.remove_idle_tap("ovs-netdev")
        for name in units.on_the_machine(self.config):
            (units.FOLDER / name).unlink()
        _systemctl("daemon-reload")
        with contextlib.suppress(subprocess.CalledProcessError):
            _systemctl("reset-failed", f"{units.prefix(self.config)}-*")

    def last_words(self, name: str) -> str:
        words = ["journalctl", "-q", "-n", "1", "-o", "cat", "-u", units.service(self.config, name)]
        return subprocess.run(words, check=False, capture_output=True, text=True).stdout.strip()

    def place(self, name: str) -> str:
        return f"journalctl -u {units.service(self.config, name)}"

    def names(self) -> list[str]:
        return [one.name for one in self._every(definitions.HOME)]

    def log_command(self, names: Sequence[str], lines: int, *, follow: bool) -> list[str]:
        chosen = [word for name in names or self.names() for word in ("-u", units.service(self.config, name))]
        return [
            "journalctl",
            "-n",
            str(lines),
            "-o",
            "short-iso",
            *(["-f"] if follow else ["--no-pager"]),
            *chosen,
        ]

    def _every(self, program: Path) -> list[definitions.Process]:
        return [*definitions.engines(self.config), *definitions.own(self.config, program)]


def _systemctl(verb: str, *words: str) -> str:
    if verb != "daemon-reload" and not words:
        return ""
    done = subprocess.run(
        ["systemctl", "--no-ask-password", verb, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=START_S,
    )
    if done.returncode != 0:
        raise RuntimeError(f"systemctl {verb} {' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
