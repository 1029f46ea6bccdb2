"""What requests cost among many ports: lists, filters, one port shown, created, changed, deleted.

    python benchmarks/network_many_ports.py [PORTS]

Runs the API over a fake engine in this process; needs no root and no cloud.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from starlette.testclient import TestClient

from clearsky import app, config
from clearsky.db.tables import load_all
from clearsky.identity import service as identity

N = "/network/v2.0"
NETWORKS, AT_ONCE, TIMES = 100, 500, 60


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    ports = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("s", "r"):
            (folder / part).mkdir()
        house = app.open_house(
            config.Config(
                cloud=config.Cloud(state_dir=folder / "s", run_dir=folder / "r", simulate=True, host="host1"),
                quota=config.Quota(networks=-1, subnets=-1, ports=-1),
                api=config.Api(body_limit_kib=4096),
            )
        )
        load_all().create_all(house.db.engine)
        identity.bootstrap(house, admin_password="secret", region="R", endpoint="http://testserver")
        with TestClient(app.api(house)) as http:
            log_in(http)
            measure(http, ports)
        house.close()


def log_in(http: TestClient) -> None:
    user = {"name": "admin", "domain": {"id": "default"}, "password": "secret"}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    token = http.post("/identity/v3/auth/tokens", json={"auth": auth}).headers["X-Subject-Token"]
    http.headers["X-Auth-Token"] = token


def measure(http: TestClient, ports: int) -> None:
    body = {"networks": [{"name": f"n{number}"} for number in range(NETWORKS)]}
    nets = [one["id"] for one in http.post(f"{N}/networks", json=body).json()["networks"]]
    subnets = [{"network_id": id, "ip_version": 4, "cidr": "10.0.0.0/22"} for id in nets]
    assert http.post(f"{N}/subnets", json={"subnets": subnets}).status_code == 201
    ids: list[str] = []
    while len(ids) < ports:
        some = [
            {"network_id": nets[(len(ids) + n) % NETWORKS], "name": f"p{len(ids) + n}"}
            for n in range(AT_ONCE)
        ]
        ids += [one["id"] for one in http.post(f"{N}/ports", json={"ports": some}).json()["ports"]]
    print(f"{len(ids)} ports in {NETWORKS} networks; milliseconds, of {TIMES} requests each")
    print(f"{'request':44} {'p50':>8} {'p95':>8}")
    made: list[str] = []

    def create(number: int) -> Any:
        answer = http.post(f"{N}/ports", json={"port": {"network_id": nets[number % NETWORKS]}})
        made.append(answer.json()["port"]["id"])
        return answer

    told("create a port", create)
    told("show a port", lambda number: http.get(f"{N}/ports/{ids[number * 37 % ports]}"))
    told(
        "change a port",
        lambda n: http.put(f"{N}/ports/{ids[n * 41 % ports]}", json={"port": {"name": f"x{n}"}}),
    )
    told(
        "list a page of 25", lambda number: http.get(f"{N}/ports?limit=25&marker={ids[number * 31 % ports]}")
    )
    told("list a page of 1000", lambda _: http.get(f"{N}/ports?limit=1000"))
    told("list the ports of a network", lambda n: http.get(f"{N}/ports?network_id={nets[n % NETWORKS]}"))
    told("list by name", lambda number: http.get(f"{N}/ports?name=p{number * 53 % ports}"))
    told("list by address", lambda n: http.get(f"{N}/ports?fixed_ips=ip_address%3D10.0.0.{n + 3}&limit=25"))
    told("delete a port", lambda number: http.delete(f"{N}/ports/{made[number]}"))


def told(what: str, ask: Callable[[int], Any]) -> None:
    """Time some requests and print their quantiles."""
    times = []
    for number in range(TIMES):
        clock = time.perf_counter()
        answer = ask(number)
        times.append((time.perf_counter() - clock) * 1000)
        assert answer.status_code < 300, answer.text
    cuts = statistics.quantiles(times, n=20)
    print(f"{what:44} {statistics.median(times):8.1f} {cuts[18]:8.1f}")


if __name__ == "__main__":
    main()
