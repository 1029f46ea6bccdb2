"""A simulated cloud as its users start it, and the real `openstack` command against it.

A test takes the fixture `cloud`: `cloud.json("project", "show", "demo")` gives what the client printed, parsed;
`cloud.run(...)` its text; `cloud.fails(...)` what it said when it had to fail. `user=` names an entry of clouds.yaml:
`trial-admin` (the default), `trial` (the user demo), or one that `cloud.entry` has added.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
SETTINGS = """
[cloud]
name = "trial"
simulate = true
state_dir = "{folder}/state"
run_dir = "{folder}/run"
clouds_file = "{folder}/clouds.yaml"
host = "host1"
[api]
port = {port}
[identity]
argon2_time_cost = 1
argon2_memory_kib = 64
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark these tests."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.clients)


@dataclass
class Cloud:
    folder: Path
    port: int
    client: subprocess.Popen[str]

    @property
    def root(self) -> str:
        """URL below which every API is."""
        return f"http://127.0.0.1:{self.port}"

    def openstack(
        self, *words: str, user: str = "trial-admin", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the openstack command, whatever comes of it."""
        assert self.client.stdin is not None
        assert self.client.stdout is not None
        names = {"OS_CLOUD": user, "OS_CLIENT_CONFIG_FILE": str(self.folder / "clouds.yaml")}
        asked = {"words": words, "environment": names | environment}
        self.client.stdin.write(json.dumps(asked) + "\n")
        self.client.stdin.flush()
        told = json.loads(self.client.stdout.readline())
        return subprocess.CompletedProcess(words, told["status"], told["stdout"], told["stderr"])

    def run(self, *words: str, user: str = "trial-admin", **environment: str) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.openstack(*words, user=user, **environment)
        assert done.returncode == 0, f"openstack {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *words: str, user: str = "trial-admin", **environment: str) -> Any:
        """Run a command that must succeed and prints JSON."""
        return json.loads(self.run(*words, "-f", "json", user=user, **environment))

    def fails(self, *words: str, user: str = "trial-admin", **environment: str) -> str:
        """Run a command that must be refused; return what it said."""
        done = self.openstack(*words, user=user, **environment)
        assert done.returncode != 0, f"openstack {' '.join(words)} should have failed: {done.stdout}"
        return done.stderr

    def entry(self, name: str, **auth: Any) -> str:
        """Add an entry to clouds.yaml (`username=`, `password=`, `project_name=`, ...); return its name."""
        path = self.folder / "clouds.yaml"
        data = yaml.safe_load(path.read_text())
        common = {"auth_url": f"{self.root}/identity/v3", "user_domain_id": "default"}
        if "project_name" in auth:
            common["project_domain_id"] = "default"
        data["clouds"][name] = {
            "auth": common | auth, "region_name": "RegionOne", "identity_api_version": 3,
        }  # fmt: skip
        path.write_text(yaml.safe_dump(data))
        return name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _clearsky(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "clearsky.cli.main", "--config", str(folder / "clearsky.toml"), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"clearsky {' '.join(words)}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """Return a simulated cloud of this test run's own; it is gone, processes and files, at the end."""
    folder = Path(tempfile.mkdtemp(prefix="clearsky-clients-", dir="/tmp"))
    port = _free_port()
    (folder / "clearsky.toml").write_text(SETTINGS.format(folder=folder, port=port))
    client = subprocess.Popen(
        [sys.executable, str(HERE / "warm_client.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("OS_")},
    )
    try:
        _clearsky(folder, "up")
        yield Cloud(folder, port, client)
    finally:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.close()
        client.wait(timeout=30)
        client.stdout.close()
        _clearsky(folder, "down", "--purge")
        shutil.rmtree(folder)
