"""How long a page of a list of images takes among many: `.venv/bin/python benchmarks/image_list.py [COUNT]`.

The whole app in this process on an SQLite file of its own, so the figures are the service's, without a network.
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

import structlog
from starlette.testclient import TestClient

from clearsky import app, config
from clearsky.db.tables import load_all
from clearsky.house import House
from clearsky.identity import service as identity
from clearsky.image import store

QUERIES = (
    "",
    "limit=100",
    "limit=25&sort=name:asc",
    "limit=25&tag=t7",
    "limit=25&os_distro=debian&hw_disk_bus=virtio",
    "limit=25&visibility=public&status=in:active,queued",
    "limit=25&created_at=gt:2020-01-01T00:00:00Z",
)
ROUNDS = 20
PASSWORD = "a-secret"


def _fill(house: House, owner: str, count: int) -> None:
    with house.db.write() as c:
        for number in range(count):
            row = {
                "id": str(uuid.uuid4()),
                "name": f"image-{number % 997}",
                "owner": owner if number % 10 else "somebody-else",
                "visibility": ("private", "shared", "public", "community")[number % 4],
                "status": "active",
                "tags": [f"t{number % 50}"],
                "properties": {"os_distro": ("debian", "fedora")[number % 2], "hw_disk_bus": "virtio"},
            }
            store.create(c, row)


def _token(http: TestClient, name: str) -> tuple[str, str]:
    user = {"name": name, "domain": {"id": "default"}, "password": PASSWORD}
    scope = {"project": {"name": name, "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    answer = http.post("/identity/v3/auth/tokens", json={"auth": auth})
    return answer.headers["X-Subject-Token"], answer.json()["token"]["project"]["id"]


def _member(http: TestClient, admin: str) -> str:
    """Make a user without rights, in a project with no images of its own."""
    headers, root = {"X-Auth-Token": admin}, "/identity/v3"
    project = http.post(f"{root}/projects", json={"project": {"name": "member"}}, headers=headers).json()
    user = {"user": {"name": "member", "password": PASSWORD}}
    user = http.post(f"{root}/users", json=user, headers=headers).json()
    role = http.get(f"{root}/roles?name=member", headers=headers).json()["roles"][0]["id"]
    where = f"{root}/projects/{project['project']['id']}/users/{user['user']['id']}/roles/{role}"
    assert http.put(where, headers=headers).status_code == 204
    return _token(http, "member")[0]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        settings = config.Config(
            cloud=config.Cloud(state_dir=state, run_dir=state, simulate=True, host="host1"),
            api=config.Api(threads=2),
        )
        house = app.open_house(settings)
        load_all().create_all(house.db.engine)
        identity.bootstrap(house, admin_password=PASSWORD, region="RegionOne", endpoint="http://testserver")
        with TestClient(app.api(house)) as http:
            token, project = _token(http, "admin")
            _fill(house, project, count)
            print(f"{count} images, {ROUNDS} requests each; milliseconds")
            _measure(http, token, "an administrator")
            _measure(http, _member(http, token), "a project with none of its own")
        house.close()


def _measure(http: TestClient, token: str, who: str) -> None:
    print(f"as {who}:")
    for query in QUERIES:
        taken = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            answer = http.get(f"/image/v2/images?{query}", headers={"X-Auth-Token": token})
            taken.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 200, answer.text
        shown = len(answer.json()["images"])
        print(
            f"{statistics.median(taken):8.1f} median {max(taken):8.1f} most {shown:6} shown  {query or '(all)'}"
        )


if __name__ == "__main__":
    main()
