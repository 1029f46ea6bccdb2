"""How fast networks become real, and what their daemons weigh: a whole cloud in a network namespace, with real packets.

    python benchmarks/network_engine.py [PORTS ...]

Needs root. Port create to switch port up, a security group's rule to its effect on packets, and the memory of every
daemon, each at so many ports (0, 200 and 1000 by default). Guests are TAP devices in this process.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.functional.network import frames  # noqa: E402
from tests.functional.network.taps import Taps  # noqa: E402
from tests.functional.network.whole import Whole, whole_cloud  # noqa: E402

N = "/network/v2.0"
NETWORKS, TIMES, EVERY_S = 20, 15, 0.0005
MOST = 200
"""Times are taken up to so many ports."""
DAEMONS = ("ovn-nb", "ovn-sb", "ovn-northd", "ovs-db", "ovs-vswitchd", "ovn-controller")
OWN = ("api", "worker", "agent")


class Bench:
    def __init__(self, cloud: Whole) -> None:
        self.cloud, self.http, self.taps = cloud, cloud.http, Taps("csw")
        self.nets = [self.post("networks", "network", {"name": f"n{n}"})["id"] for n in range(NETWORKS)]
        for id in self.nets:
            self.post("subnets", "subnet", {"network_id": id, "ip_version": 4, "cidr": "10.0.0.0/22"})
        self.group = self.post("security-groups", "security_group", {"name": "bench"})["id"]
        self.ports: list[dict[str, Any]] = []

    def post(self, path: str, name: str, body: Any) -> Any:
        answer = self.http.post(f"{N}/{path}", json={name: body})
        assert answer.status_code == 201, answer.text
        return answer.json()[name]

    def _body(self) -> dict[str, Any]:
        return {
            "network_id": self.nets[len(self.ports) % NETWORKS],
            "security_groups": [self.group],
            "binding:host_id": "host1",
            "device_owner": "compute:nova",
        }

    def grow(self, count: int) -> None:
        """Have so many ports, all plugged in and up."""
        while len(self.ports) < count:
            bodies = []
            for number in range(min(100, count - len(self.ports))):
                bodies.append(self._body() | {"network_id": self.nets[(len(self.ports) + number) % NETWORKS]})
            self.ports += self.post("ports", "ports", bodies)
        new = {port["id"]: port["mac_address"] for port in self.ports if port["id"] not in self.taps.fds}
        self.taps.plug(dict.fromkeys(new, self.cloud.place), new)
        self.cloud.applied()
        self.cloud.sync()
        while any(port["status"] != "ACTIVE" for port in self.listed()):
            time.sleep(0.2)

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get(f"{N}/ports?device_owner=compute:nova").json()["ports"]
        return found

    def one_port_up(self) -> tuple[float, float]:
        """Return how long a port takes to be created, and until it is up by the API's word, plugged in at once."""
        self.rest()
        device = self.taps.make(self.cloud.place)
        clock = time.perf_counter()
        port = self.post("ports", "port", self._body())
        created = time.perf_counter() - clock
        self.taps.give(device, port["id"], self.cloud.place)
        while self.http.get(f"{N}/ports/{port['id']}?fields=status").json()["port"]["status"] != "ACTIVE":
            time.sleep(0.001)
        up = time.perf_counter() - clock
        self.taps.unplug([port["id"]])
        assert self.http.delete(f"{N}/ports/{port['id']}").status_code == 204
        return created, up

    def rest(self) -> None:
        """Wait until nothing is under way."""
        self.cloud.applied()
        self.cloud.sync()
        time.sleep(0.2)

    def rule_to_effect(self) -> tuple[float, float]:
        """Return how long a rule takes, asked for until the first packet passes, and its removal until the last did."""
        one, other = self.ports[0], self.ports[NETWORKS]  # neighbours in one network
        ends = [(port["mac_address"], port["fixed_ips"][0]["ip_address"]) for port in (one, other)]
        packet = frames.Packet(
            one["id"], ends[0][0], ends[1][0], ends[0][1], ends[1][1], frames.UDP, 40000, 5000
        )
        self.rest()
        self.stream(packet, 0.3)
        rule = {
            "security_group_id": self.group,
            "direction": "ingress",
            "protocol": "udp",
            "port_range_min": 5000,
            "port_range_max": 5000,
        }
        clock = time.perf_counter()
        id = self.post("security-group-rules", "security_group_rule", rule)["id"]
        assert (first := self.stream(packet, 10, until_heard=True)), "the rule has no effect"
        opened = first - clock
        self.stream(packet, 0.2)
        clock = time.perf_counter()
        assert self.http.delete(f"{N}/security-group-rules/{id}").status_code == 204
        last = clock
        while (heard := self.stream(packet, 0.15)) is not None:
            last = heard
        return opened, last - clock

    def stream(self, packet: frames.Packet, seconds: float, *, until_heard: bool = False) -> float | None:
        """Send a packet again and again; return when it was heard (the first time, or else the last)."""
        end, heard = time.perf_counter() + seconds, None
        self.taps.heard.clear()
        while (now := time.perf_counter()) < end:
            number = self.taps.number()
            os.write(self.taps.fds[packet.sender], frames.render(packet, number))
            while (left := now + EVERY_S - time.perf_counter()) > 0:
                if self.taps.listen(left):
                    heard = time.perf_counter()
            if heard and until_heard:
                return heard
        return heard

    def memory(self) -> dict[str, float]:
        """Return each process's proportional share of memory, in MiB."""
        pids = self.cloud.pids()
        return {name: _pss(pids[name]) for name in (*DAEMONS, *OWN)}


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main() -> None:
    steps = [int(word) for word in sys.argv[1:]] or [0, 200, 1000]
    with whole_cloud() as cloud:
        bench = Bench(cloud)
        for count in steps:
            clock = time.perf_counter()
            bench.grow(count)
            print(f"\n{count} ports, all up after {time.perf_counter() - clock:.1f} s")
            memory = bench.memory()
            print("memory, MiB:", ", ".join(f"{name} {mib:.0f}" for name, mib in memory.items()))
            print(f"  OVN and Open vSwitch together {sum(memory[name] for name in DAEMONS):.0f}")
            if count <= MOST:
                told("a port: created, up", [bench.one_port_up() for _ in range(TIMES)])
            if NETWORKS < count <= MOST:
                told(
                    "a rule: first packet after it, last after its removal",
                    [bench.rule_to_effect() for _ in range(TIMES)],
                )
        bench.taps.close()


def told(what: str, times: list[tuple[float, float]]) -> None:
    for position, part in enumerate(what.split(": ")[1].split(", ")):
        values = [one[position] * 1000 for one in times]
        print(
            f"{what.split(':')[0]} {part:34} median {statistics.median(values):6.1f} ms, worst {max(values):6.1f} ms"
        )


if __name__ == "__main__":
    main()
