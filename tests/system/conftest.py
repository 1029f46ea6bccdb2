"""A whole real cloud of the tests' own, started by the one command, in a network namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SETTINGS = """
[cloud]
name = "trial"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
clouds_file = "{folder}/clouds.yaml"
cache_dir = "{cache}"
user = "clearsky-trial"
host = "host1"
[network]
integration_bridge = "cst-int"
external_bridge = "cst-ex"
device_prefix = "cst"
[identity]
argon2_time_cost = 1
"""


SILENT = {
    "delete", "add", "remove", "set", "unset", "reboot", "start", "stop", "log", "suspend", "resume", "unrescue", "rescue",
    "resize", "shelve", "unshelve",
}  # fmt: skip
"""Commands that have one of these words print nothing that is JSON."""


def until(what: str, holds: Callable[[], Any], seconds: float = 60, every: float = 0.1) -> Any:
    """Wait until something holds; fail by its name."""
    end = time.monotonic() + seconds
    while True:
        if found := holds():
            return found
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(every)


@dataclass
class Cloud:
    folder: Path
    namespace_pid: int
    name: str = "trial"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def runtime(self) -> Path:
        return self.folder / "run"

    def run(
        self, *command: str | Path, check: bool = True, timeout: float = 120, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the cloud's host."""
        inside = ("nsenter", f"--net=/proc/{self.namespace_pid}/ns/net", "--")
        done = subprocess.run(
            [*inside, *map(str, command)],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env=os.environ
            | {
                "CLEARSKY_CONFIG": str(self.folder / "clearsky.toml"),
                "OS_CLIENT_CONFIG_FILE": str(self.folder / "clouds.yaml"),
                "OS_CLOUD": self.name,
            }
            | environment,
        )
        if check:
            assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"
        return done

    def clearsky(self, *words: str, check: bool = True) -> str:
        done = self.run(sys.executable, "-m", "clearsky.cli.main", *words, check=False, timeout=300)
        if check and done.returncode:
            logs = self.run(sys.executable, "-m", "clearsky.cli.main", "logs", "-n", "8", check=False).stdout
            raise AssertionError(f"clearsky {' '.join(words)}: {done.stdout}{done.stderr}\n{logs}")
        return done.stdout

    def openstack(self, *words: str, cloud: str = "") -> Any:
        """Run the openstack command; return what it printed, parsed where it is JSON."""
        program = Path(sys.executable).with_name("openstack")
        printing = () if SILENT & {*words} else ("-f", "json")
        text = self.run(program, *words, *printing, OS_CLOUD=cloud or self.name).stdout
        # What --wait prints of its progress comes before the JSON.
        begin = min((text.find(sign) for sign in "[{" if sign in text), default=-1)
        return json.loads(text[begin:]) if begin >= 0 and printing else text

    def ssh(self, address: str, key: Path, command: str, *, user: str = "clear", check: bool = True) -> str:
        """Run a command in a guest, as a tenant would."""
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "ConnectTimeout=5",
            "BatchMode=yes",
        )
        flags = [flag for option in options for flag in ("-o", option)]
        return self.run("ssh", "-q", *flags, "-i", key, f"{user}@{address}", command, check=check).stdout

    def wait_for_ssh(self, address: str, key: Path, seconds: float = 60, user: str = "clear") -> None:
        until(
            f"ssh to {address}",
            lambda: self.ssh(address, key, "echo here", user=user, check=False).strip() == "here",
            seconds,
            0.3,
        )

    def endpoint(self) -> str:
        clouds = yaml.safe_load((self.folder / "clouds.yaml").read_text())["clouds"]
        return str(clouds[self.name]["auth"]["auth_url"])

    def pids(self) -> dict[str, int]:
        known = json.loads((self.runtime / "processes.json").read_text())
        return {name: pid for name, (pid, _) in known.items()}

    def guests(self) -> list[int]:
        """Return the QEMU processes of this cloud."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if b"qemu-system" in words[0] and any(str(self.folder).encode() in word for word in words):
                    found.append(int(path.parent.name))
        return found

    def devices(self) -> set[str]:
        """Return the network devices of the cloud's host that are the cloud's."""
        names = {one["ifname"] for one in json.loads(self.run("ip", "-j", "link").stdout)}
        return {name for name in names if name.startswith("cst")}


@pytest.fixture(scope="session")
def cache() -> Iterator[Path]:
    """Return a folder with everything that a cloud needs from outside: its host has no way there."""
    # Not pytest's own folder: each run of pytest closes that to the accounts without rights.
    folder = Path(tempfile.mkdtemp(prefix="cst", dir="/tmp"))
    folder.chmod(0o755)
    file = folder / "fetch.toml"
    file.write_text(f'[cloud]\nstate_dir = "{folder}/state"\ncache_dir = "{folder}/cache"\n')
    words = [sys.executable, "-m", "clearsky.cli.main", "--config", str(file), "up", "--fetch-only"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder / "cache"
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def fresh(cache: Path) -> Iterator[Callable[[], Cloud]]:
    """Return a function that gives the host of a cloud that was never up; all are cleaned up."""
    made: list[tuple[Cloud, subprocess.Popen[bytes]]] = []

    def make() -> Cloud:
        folder = Path(tempfile.mkdtemp(prefix="cst", dir="/tmp"))
        folder.chmod(0o755)
        (folder / "clearsky.toml").write_text(SETTINGS.format(folder=folder, cache=cache))
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        cloud = Cloud(folder, holder.pid)
        own = Path("/proc/self/ns/net").readlink()
        until("a namespace", lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != own, every=0.01)
        cloud.run("ip", "link", "set", "lo", "up")
        made.append((cloud, holder))
        return cloud

    yield make
    for cloud, holder in made:
        if cloud.state.exists():
            cloud.clearsky("down", "--purge", check=False)
        holder.kill()
        holder.wait()
        shutil.rmtree(cloud.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cloud(fresh: Callable[[], Cloud]) -> Cloud:
    """Return a cloud that is up."""
    made = fresh()
    made.clearsky("up")
    return made


@pytest.fixture(scope="session")
def key(cloud: Cloud) -> Path:
    """Return the private key of the key pair `trial`."""
    path = cloud.folder / "trial.pem"
    cloud.openstack("keypair", "create", "--private-key", str(path), "trial")
    path.chmod(0o600)
    return path
