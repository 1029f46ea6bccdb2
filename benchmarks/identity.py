"""How Identity's lists, effective assignments and tokens fare as the cloud grows.

`.venv/bin/python benchmarks/identity.py [--database URL] [COUNT ...]` (100 1000 10000). A simulated cloud of its own as a
process, asked over HTTP on kept-alive connections: so many users, projects (with trees and tags) and assignments at each
step. Beside each rate is the processor time that the api's process took for one, which other work on the machine changes
less. URL: an empty PostgreSQL database instead of SQLite.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from email.message import Message
from pathlib import Path

from sqlalchemy import insert, select

from clearsky import config
from clearsky.db import Database
from clearsky.identity import passwords, store
from clearsky.identity import tables as t

ROUNDS = 7
SECONDS = 5.0
CLIENTS = 4
SETTINGS = """
[cloud]
simulate = true
name = "bench"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
clouds_file = "{folder}/clouds.yaml"
[api]
port = {port}
[database]
url = "{database}"
"""
WAYS = {"issue": "by password", "exchange": "by token", "validate": "validated"}


class Client:
    """One kept-alive connection with a token."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.token = ""

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes, Message]:
        sent = {"X-Auth-Token": self.token} if self.token else {}
        data = None if body is None else json.dumps(body)
        self.connection.request(method, f"/identity/v3/{path}", data, sent | headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def log_in(self, user: dict[str, object], project: dict[str, object]) -> None:
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": project},
        }
        self.token = self._issue(auth)

    def exchange(self, project: dict[str, object]) -> None:
        """Get a token by the one that there is, and forget it."""
        by_token = {"methods": ["token"], "token": {"id": self.token}}
        self._issue({"identity": by_token, "scope": {"project": project}})

    def _issue(self, auth: dict[str, object]) -> str:
        status, body, headers = self.ask("POST", "auth/tokens", {"auth": auth})
        assert status == 201, body
        return str(headers["X-Subject-Token"])


def _fill(database: Database, settings: config.Config, have: int, count: int) -> tuple[str, str]:
    """Bring the cloud to `count` users, projects and assignments; return the ids of a user and of a project tree."""
    secret = passwords.hash_password(settings.identity, "a-secret")
    with database.write() as c:
        roles = {row.name: row.id for row in c.execute(select(t.roles))}
        common = {"domain_id": "default", "options": {}, "extra": {}}
        users = [
            {"id": uuid.uuid4().hex, "name": f"u{n}", "password_hash": secret, **common}
            for n in range(have, count)
        ]
        projects: list[dict[str, object]] = []
        for n in range(have, count):
            # Nine of ten are below the tenth, and one tree is a tenth of all.
            parent = projects[n // 10 * 10 - have]["id"] if n % 10 and n - n % 10 >= have else "default"
            projects.append({"id": uuid.uuid4().hex, "name": f"p{n}", "parent_id": parent, **common})
        big = c.execute(select(t.projects.c.id).where(t.projects.c.name == "big")).scalar()
        if big is None:
            big = str(
                store.create(
                    c,
                    t.projects,
                    {"id": uuid.uuid4().hex, "name": "big", "parent_id": "default", **common},
                    "project",
                ).id
            )
            group = str(
                store.create(
                    c, t.groups, {"id": uuid.uuid4().hex, "name": "all", "domain_id": "default"}, "group"
                ).id
            )
            c.execute(insert(t.assignments).values(actor_type="group", actor_id=group, target_type="project",
                                                   target_id=big, role_id=roles["member"], inherited=True))  # fmt: skip
            c.execute(
                insert(t.memberships), [{"group_id": group, "user_id": one["id"]} for one in users[:10]]
            )
        for one in projects[9::10]:
            one["parent_id"] = big
        c.execute(insert(t.users), users)
        c.execute(insert(t.projects), projects)
        c.execute(
            insert(t.project_tags),
            [{"project_id": one["id"], "tag": f"t{n % 50}"} for n, one in enumerate(projects)],
        )
        c.execute(insert(t.assignments), [
            {"actor_type": "user", "actor_id": user["id"], "target_type": "project", "target_id": project["id"],
             "role_id": roles["member"], "inherited": False}
            for user, project in zip(users, projects, strict=True)
        ])  # fmt: skip
        store.bump(c)
    return str(users[0]["id"]), big


def _paths(user: str, tree: str) -> dict[str, str]:
    return {
        "users": "users", "users?limit=100": "users?limit=100", "users?name__contains=99": "users?name__contains=99",
        "projects": "projects", "projects?limit=100": "projects?limit=100", "projects?tags-any=t1,t2": "projects?tags-any=t1,t2",
        "role_assignments": "role_assignments", "role_assignments?include_names": "role_assignments?include_names",
        "...?effective": "role_assignments?effective",
        "...?effective&include_names": "role_assignments?effective&include_names",
        "...?effective&user.id=": f"role_assignments?effective&user.id={user}",
        "...?effective&scope.project.id=": f"role_assignments?effective&scope.project.id={tree}",
        "... and its subtree (a tenth)": f"role_assignments?effective&include_subtree&scope.project.id={tree}",
        "users/ID/projects": f"users/{user}/projects",
    }  # fmt: skip


def _lists(admin: Client, user: str, tree: str) -> dict[str, tuple[float, int]]:
    """Return what was asked -> (median in milliseconds, items)."""
    found = {}
    for name, path in _paths(user, tree).items():
        taken = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            status, body, _ = admin.ask("GET", path)
            taken.append((time.perf_counter() - started) * 1000)
            assert status == 200, body[:300]
        items = next(len(value) for value in json.loads(body).values() if isinstance(value, list))
        found[name] = (statistics.median(taken), items)
    return found


def _rate(
    api: int, what: str, prepared: list[Client], user: dict[str, object], project: dict[str, object]
) -> tuple[float, float]:
    """Return how often a second several clients can do `what` at once, and the api's milliseconds for one."""
    end, counts = time.perf_counter() + SECONDS, [0] * len(prepared)
    before = _processor_s(api)

    def run(number: int) -> None:
        client = prepared[number]
        while time.perf_counter() < end:
            if what == "issue":
                client.token = ""
                client.log_in(user, project)
            elif what == "exchange":
                client.exchange(project)
            else:
                status, body, _ = client.ask("GET", "auth/tokens", **{"X-Subject-Token": client.token})
                assert status == 200, body
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(prepared))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(counts) / SECONDS, (_processor_s(api) - before) / sum(counts) * 1000


def _processor_s(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _clearsky(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "clearsky.cli.main", "--config", str(folder / "clearsky.toml"), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _measure(folder: Path, port: int, counts: list[int]) -> None:
    settings = config.load(folder / "clearsky.toml")
    database = Database(settings.database_url)
    password = (settings.state / "passwords" / "admin").read_text()
    api = int((settings.run / "api.pid").read_text().split()[0])
    administrator = {"name": "admin", "domain": {"id": "default"}, "password": password}
    project = {"name": "admin", "domain": {"id": "default"}}
    admin = Client(port)
    results, rates, have = [], [], 0
    for count in counts:
        user, tree = _fill(database, settings, have, count)
        have = count
        admin.log_in(administrator, project)
        results.append(_lists(admin, user, tree))
        clients = [Client(port) for _ in range(CLIENTS)]
        rates.append({what: _rate(api, what, clients, administrator, project) for what in WAYS})
    database.close()
    print(f"{'milliseconds (items)':38}" + "".join(f"{count:>18}" for count in counts) + f"{'growth':>10}")
    for name in results[0]:
        cells = "".join(f"{ms:10.1f} ({items:5})" for ms, items in (result[name] for result in results))
        print(f"{name:38}{cells}{results[-1][name][0] / results[0][name][0]:9.1f}x")
    print(f"{f'tokens a second, {CLIENTS} clients (ms of the api for one)':38}")
    for what, how in WAYS.items():
        cells = "".join(f"{a_second:9.0f} ({ms:6.2f})" for a_second, ms in (rate[what] for rate in rates))
        print(f"{how:38}{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", metavar="URL")
    parser.add_argument("counts", nargs="*", type=int, default=[100, 1000, 10000], metavar="COUNT")
    asked = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="clearsky-bench-") as name:
        folder = Path(name)
        (folder / "clearsky.toml").write_text(
            SETTINGS.format(folder=folder, port=port, database=asked.database)
        )
        _clearsky(folder, "up")
        try:
            _measure(folder, port, asked.counts)
        finally:
            _clearsky(folder, "down", "--purge")


if __name__ == "__main__":
    main()
