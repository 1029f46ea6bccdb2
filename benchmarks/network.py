"""What networks cost as they become many: bulk creation, one port more, and a whole comparison with OVN's database.

    python benchmarks/network.py [NETWORKS] [PORTS]

Runs the APIs over fake hosts in this process, and a northbound database of its own; needs no root and no cloud.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from starlette.testclient import TestClient

from clearsky import app, config
from clearsky.db.tables import load_all
from clearsky.identity import service as identity
from clearsky.network import topology
from clearsky.network.driver.ovn import OvnDriver
from clearsky.network.ovn.translate import translate

N = "/network/v2.0"
SCHEMA = "/usr/share/ovn/ovn-nb.ovsschema"


def told(what: str, started: float) -> None:
    print(f"{what:58} {(time.perf_counter() - started) * 1000:9.1f} ms")


def main() -> None:
    networks = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    ports = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unlimited = config.Quota(networks=-1, subnets=-1, ports=-1)
        settings = config.Config(
            cloud=config.Cloud(state_dir=folder / "s", run_dir=folder / "r", simulate=True, host="host1"),
            quota=unlimited,
            api=config.Api(body_limit_kib=4096),
        )
        (folder / "s").mkdir()
        (folder / "r" / "ovn").mkdir(parents=True)
        subprocess.run(["ovsdb-tool", "create", folder / "nb.db", SCHEMA], check=True)
        remote = f"--remote=punix:{folder}/r/ovn/nb.sock"
        words = ["ovsdb-server", remote, f"--unixctl={folder}/ctl", "--log-file=/dev/null", folder / "nb.db"]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as server:
            try:
                measure(settings, networks, ports)
            finally:
                server.terminate()


def measure(settings: config.Config, networks: int, ports: int) -> None:
    house = app.open_house(settings)
    load_all().create_all(house.db.engine)
    identity.bootstrap(house, admin_password="secret", region="R", endpoint="http://testserver")
    with TestClient(app.api(house)) as http:
        user = {"name": "admin", "domain": {"id": "default"}, "password": "secret"}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        token = http.post("/identity/v3/auth/tokens", json={"auth": auth}).headers["X-Subject-Token"]
        http.headers["X-Auth-Token"] = token
        started = time.perf_counter()
        body = {"networks": [{"name": f"n{number}"} for number in range(networks)]}
        ids = [one["id"] for one in http.post(f"{N}/networks", json=body).json()["networks"]]
        told(f"{networks} networks in one request", started)
        started = time.perf_counter()
        subnets = [{"network_id": id, "ip_version": 4, "cidr": "10.0.0.0/22"} for id in ids]
        http.post(f"{N}/subnets", json={"subnets": subnets})
        told(f"{networks} subnets in one request", started)
        started = time.perf_counter()
        bodies = [{"network_id": ids[number % networks]} for number in range(ports)]
        answer = http.post(f"{N}/ports", json={"ports": bodies})
        told(f"{ports} ports in one request ({answer.status_code})", started)
        singles = []
        for number in range(20):
            clock = time.perf_counter()
            http.post(f"{N}/ports", json={"port": {"network_id": ids[number % networks]}})
            singles.append(time.perf_counter() - clock)
        print(f"{'one port more, median':58} {statistics.median(singles) * 1000:9.1f} ms")
    compare(house, settings, ids[0])


def compare(house: object, settings: config.Config, network_id: str) -> None:
    driver = OvnDriver(settings)
    for what in ("everything for the first time", "everything again, nothing differs"):
        started = time.perf_counter()
        with house.db.read() as c:
            wanted = topology.load(c, ("host1",))
        told(f"{what}: read", started)
        started = time.perf_counter()
        translate(wanted)
        told(f"{what}: translate", started)
        started = time.perf_counter()
        changed = driver.apply(wanted)
        told(f"{what}: translate, compare, write {len(changed)}", started)
    house.close()


if __name__ == "__main__":
    main()
