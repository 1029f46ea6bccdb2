"""How long allocation candidates take with many hosts: `python benchmarks/placement.py [HOSTS] [REQUESTS]`.

The whole application runs in this process, on SQLite in a scratch folder, and is asked over ASGI: what is measured is
everything but the socket.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

import structlog
from starlette.testclient import TestClient

from clearsky import app, config
from clearsky.db import migrate
from clearsky.identity import service as identity
from clearsky.placement import store
from clearsky.placement.store import Inventory

TRAITS = [
    "HW_CPU_X86_SSE",
    "HW_CPU_X86_SSE2",
    "HW_CPU_X86_AVX",
    "HW_CPU_X86_AVX2",
    "HW_CPU_X86_AESNI",
    "HW_CPU_X86_VMX",
]
PER_HOST = 5
"""Servers that are on each host already."""


def fill(house, hosts):
    has = {
        "VCPU": Inventory(64, allocation_ratio=16.0, max_unit=64),
        "MEMORY_MB": Inventory(262144, 512, max_unit=262144),
        "DISK_GB": Inventory(4096, max_unit=4096),
    }
    with house.db.write() as c:
        for number in range(hosts):
            id = str(uuid.uuid4())
            store.create_provider(c, id, f"host-{number:05}")
            store.set_inventories(c, id, has)
            store.set_traits(c, id, TRAITS)
            for _ in range(PER_HOST):
                wanted = {id: {"VCPU": 2, "MEMORY_MB": 4096, "DISK_GB": 20}}
                store.claim(c, str(uuid.uuid4()), "p", "u", wanted, "INSTANCE")


def main(hosts, requests):
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as folder:
        state, run = Path(folder, "state"), Path(folder, "run")
        state.mkdir()
        run.mkdir()
        settings = config.Config(
            cloud=config.Cloud(state_dir=state, run_dir=run, simulate=True, host="host1")
        )
        migrate.upgrade(settings)
        house = app.open_house(settings)
        identity.bootstrap(house, admin_password="secret", region="RegionOne", endpoint="http://testserver")
        fill(house, hosts)
        user = {"name": "admin", "domain": {"id": "default"}, "password": "secret"}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
        with TestClient(app.api(house)) as http:
            token = http.post("/identity/v3/auth/tokens", json={"auth": auth}).headers["X-Subject-Token"]
            headers = {"X-Auth-Token": token, "OpenStack-API-Version": "placement 1.39"}
            for what, query in (
                ("all of them", "resources=VCPU:1,MEMORY_MB:64&limit=1000"),
                (
                    "as a scheduler asks",
                    "resources=VCPU:1,MEMORY_MB:64,DISK_GB:1&required=HW_CPU_X86_AVX2&limit=100",
                ),
                ("two groups", "resources=VCPU:1&resources_D=DISK_GB:1&limit=100"),
            ):
                times = []
                for number in range(requests + 1):
                    begin = time.perf_counter()
                    answer = http.get(f"/placement/allocation_candidates?{query}", headers=headers)
                    if number:
                        times.append(time.perf_counter() - begin)
                    else:
                        first = time.perf_counter() - begin
                found = len(answer.json()["allocation_requests"])
                print(
                    f"{hosts} hosts, {what}: {found} candidates, median {statistics.median(times) * 1000:.1f} ms, "
                    f"first {first * 1000:.1f} ms"
                )
        house.close()


if __name__ == "__main__":
    main(*(int(word) for word in [*sys.argv[1:], *["1000", "20"][len(sys.argv) - 1 :]]))
