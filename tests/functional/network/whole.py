"""A cloud with all its processes, in a network namespace of its own: only guests are missing, which are TAP devices."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from tests.functional.network.conftest import run
from tests.functional.network.taps import CLONE_NEWNET, Place, here

from clearsky import config
from clearsky.cli import bootstrap
from clearsky.engines import background, prepare
from clearsky.engines.supervisor import PURGE, started_at

SETTINGS = """
[cloud]
name = "whole"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
clouds_file = "{folder}/clouds.yaml"
user = "clearsky-trial"
host = "host1"
keeper = "supervisor"
[api]
port = 8899
[network]
datapath = "netdev"
integration_bridge = "csw-int"
external_bridge = "csw-ex"
device_prefix = "csw"
[compute]
virtualization = "tcg"
[identity]
argon2_time_cost = 1
argon2_memory_kib = 64
[quota]
networks = -1
subnets = -1
ports = -1
routers = -1
floating_ips = -1
security_groups = -1
security_group_rules = -1
rbac_policies = -1
address_groups = -1
"""


@dataclass
class Whole:
    settings: config.Config
    http: httpx2.Client

    @property
    def place(self) -> Place:
        own = self.settings
        return Place("host1", own.open_vswitch, own.network.integration_bridge, here())

    def pids(self) -> dict[str, int]:
        known = json.loads((self.settings.run / "processes.json").read_text())
        return {name: pid for name, (pid, _) in known.items()}

    def sync(self, seconds: int = 60) -> None:
        """Wait until what is in the northbound database is flows."""
        words = (f"--db={self.settings.northbound}", f"--timeout={seconds}", "--wait=hv", "sync")
        run("ovn-nbctl", *words)

    def applied(self, seconds: float = 60) -> None:
        """Wait until the worker has brought everything that was asked for so far to the northbound database."""
        from sqlalchemy import create_engine, text

        engine = create_engine(self.settings.database_url)
        end = time.monotonic() + seconds
        query = text("select generation, token, due_at, error, attempt from work where kind = 'network'")
        try:
            while True:
                with engine.connect() as c:
                    row = c.execute(query).one()
                # Due in the future, and no attempt is under way: the last run has succeeded.
                if row.attempt == 0 and not row.error and row.due_at > time.time():
                    return
                assert time.monotonic() < end, f"the network is not applied: {row}"
                time.sleep(0.05)
        finally:
            engine.dispose()


@contextmanager
def whole_cloud() -> Iterator[Whole]:
    """Start one; this thread is in its namespace until the end."""
    if missing := prepare.missing_packages():
        prepare.install(missing)
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    folder = Path(tempfile.mkdtemp(prefix="csw", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "clearsky.toml").write_text(SETTINGS.format(folder=folder))
    settings = config.load(folder / "clearsky.toml")
    keeper = None
    try:
        run("ip", "link", "set", "lo", "up")
        prepare.ensure_accounts(settings)
        prepare.ensure_folders(settings)
        prepare.ensure_databases(settings)
        prepare.ensure_libvirt(settings)
        bootstrap.prepare(settings)
        prepare.give_state(settings)
        with (settings.state / "logs" / "supervisor.log").open("ab") as log:
            words = [sys.executable, "-m", "clearsky.engines.supervisor"]
            environment = os.environ | {config.FILE_VARIABLE: str(settings.file)}
            keeper = subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True)
        file = background.pid_file(settings, "supervisor")
        file.write_text(f"{keeper.pid} {started_at(keeper.pid)}")
        with httpx2.Client(base_url=settings.endpoint, timeout=30) as http:
            _wait(http)
            http.headers["X-Auth-Token"] = _token(settings, http)
            yield Whole(settings, http)
    finally:
        if keeper is not None:
            (settings.run / PURGE).touch()
            keeper.terminate()
            keeper.wait(timeout=60)
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(http: httpx2.Client, seconds: float = 60) -> None:
    """Wait until the API answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            if http.get("/healthz").status_code == 200:
                return
        except httpx2.TransportError:
            assert time.monotonic() < end, "the API does not answer"
            time.sleep(0.1)


def _token(settings: config.Config, http: httpx2.Client) -> str:
    password = (settings.state / "passwords" / "admin").read_text()
    user = {"name": "admin", "domain": {"id": "default"}, "password": password}
    scope: dict[str, Any] = {"project": {"name": "admin", "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    answer = http.post("/identity/v3/auth/tokens", json={"auth": auth})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["X-Subject-Token"])
