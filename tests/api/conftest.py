"""The whole app in this process over fake drivers: on SQLite, and with --postgresql on a PostgreSQL of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from clearsky import app, config, simulation
from clearsky.db.tables import load_all
from clearsky.house import House
from clearsky.identity import service as identity
from clearsky.network import service as network
from clearsky.simulation import FakeAgent
from clearsky.work import queue
from clearsky.work.worker import run_until_idle

ADMIN_PASSWORD = "admin-secret"
PASSWORD = "a-secret"


@dataclass
class Client:
    """An HTTP client with a token: `client.get("/compute/v2.1/servers")`."""

    http: TestClient
    token: str = ""
    project_id: str = ""
    user_id: str = ""
    default_headers: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = self.default_headers | (options.pop("headers", None) or {})
        if self.token:
            headers.setdefault("X-Auth-Token", self.token)
        return self.http.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx2.Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx2.Response:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> httpx2.Response:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> httpx2.Response:
        return self.request("DELETE", path, **options)

    def head(self, path: str, **options: Any) -> httpx2.Response:
        return self.request("HEAD", path, **options)


@dataclass
class Cloud:
    house: House
    http: TestClient
    admin: Client
    member: Client
    reader: Client
    foreign: Client
    anonymous: Client
    agent: FakeAgent

    def settle(self, rounds: int = 20) -> None:
        """Run the queue and the fake agent until nothing is due."""
        kinds = app.reconcilers()
        quiet = 0
        for _ in range(rounds):
            ran = run_until_idle(self.house, kinds)
            before = self._revision()
            simulation.step(self.house, self.agent)
            quiet = quiet + 1 if not ran and before == self._revision() else 0
            if quiet == 2:
                return
        raise AssertionError("the cloud does not settle")

    def _revision(self) -> int:
        with self.house.db.read() as connection:
            return queue.host_revision(connection, self.house.config.host)


def _client(http: TestClient, name: str, password: str, project: str | None) -> Client:
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if project:
        auth["scope"] = {"project": {"name": project, "domain": {"id": "default"}}}
    answer = http.post("/identity/v3/auth/tokens", json={"auth": auth})
    assert answer.status_code == 201, answer.text
    token = answer.json()["token"]
    return Client(
        http, answer.headers["X-Subject-Token"], token.get("project", {}).get("id", ""), token["user"]["id"]
    )


def _user(admin: Client, name: str, project: str, role: str) -> None:
    found = admin.get(f"/identity/v3/projects?name={project}").json()["projects"]
    project_id = (
        found[0]["id"]
        if found
        else admin.post("/identity/v3/projects", json={"project": {"name": project}}).json()["project"]["id"]
    )
    body = {"user": {"name": name, "password": PASSWORD}}
    user_id = admin.post("/identity/v3/users", json=body).json()["user"]["id"]
    role_id = admin.get(f"/identity/v3/roles?name={role}").json()["roles"][0]["id"]
    answer = admin.put(f"/identity/v3/projects/{project_id}/users/{user_id}/roles/{role_id}")
    assert answer.status_code == 204, answer.text


@pytest.fixture
def settings(tmp_path: Path) -> config.Config:
    return config.Config(
        cloud=config.Cloud(
            state_dir=tmp_path / "state", run_dir=tmp_path / "run", simulate=True, host="host1"
        ),
        api=config.Api(threads=2),
        identity=config.Identity(argon2_time_cost=1, argon2_memory_kib=64),
    )


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Empty: each test has its own SQLite file; else the URL of a PostgreSQL that is started here."""
    if request.config.getoption("--database") == "sqlite":
        yield ""
        return
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    folder = Path(tempfile.mkdtemp(prefix="clearsky-pg-", dir="/tmp"))
    shutil.chown(folder, "postgres")
    drop = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "cwd": folder}
    subprocess.run(
        [binaries / "initdb", "-D", folder / "data", "-U", "clearsky", "-A", "trust", "-N"],
        check=True,
        **quiet,
        **drop,
    )
    options = (
        f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
    )
    control = [binaries / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, **quiet, **drop)
    yield f"postgresql+psycopg://clearsky@/postgres?host={folder}"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, **quiet, **drop)
    shutil.rmtree(folder)


@pytest.fixture
def house(settings: config.Config, database_url: str) -> Iterator[House]:
    settings.state.mkdir()
    settings.run.mkdir()
    if database_url:
        settings = replace(settings, database=config.Database(url=database_url))
    house = app.open_house(settings)
    house.check_responses = True
    tables = load_all()
    tables.drop_all(house.db.engine)
    tables.create_all(house.db.engine)
    yield house
    house.close()


@pytest.fixture
def cloud(house: House) -> Iterator[Cloud]:
    identity.bootstrap(house, admin_password=ADMIN_PASSWORD, region="RegionOne", endpoint="http://testserver")
    stop = network.start_watch(house)
    with TestClient(app.api(house), raise_server_exceptions=False) as http:
        admin = _client(http, "admin", ADMIN_PASSWORD, "admin")
        for name, project, role in (
            ("member", "demo", "member"),
            ("reader", "demo", "reader"),
            ("foreign", "elsewhere", "member"),
        ):
            _user(admin, name, project, role)
        clients = [
            _client(http, name, PASSWORD, project)
            for name, project in (("member", "demo"), ("reader", "demo"), ("foreign", "elsewhere"))
        ]
        agent = FakeAgent(house.config)
        simulation.step(house, agent)
        yield Cloud(house, http, admin, *clients, Client(http), agent)
    if callable(stop):
        stop()
