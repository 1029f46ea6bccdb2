"""What a path through the network carries, beside the same path over plain Linux bridges and the kernel's VXLAN.

    python benchmarks/network_paths.py

Needs root. A whole cloud in a network namespace; guests are namespaces on veth pairs. TCP for some seconds, and the
time of a byte there and back, on each path, in the same run.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.functional.network.conftest import run  # noqa: E402
from tests.functional.network.whole import Whole, whole_cloud  # noqa: E402

N = "/network/v2.0"
SECONDS, ROUNDS = 2, 3
SERVE = """
import socket, sys, time
line = socket.create_server((sys.argv[1], 7000))
print("ready", flush=True)
line.settimeout(15)
peer = line.accept()[0]
peer.settimeout(15)
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for _ in range(2000):
    peer.sendall(peer.recv(1))
buffer, got, begun = bytearray(1 << 20), 0, time.monotonic()
while count := peer.recv_into(buffer):
    got += count
print(got * 8 / (time.monotonic() - begun) / 1e9)
"""
CALL = """
import socket, statistics, sys, time
line = socket.create_connection((sys.argv[1], 7000), timeout=10)
line.settimeout(10)
line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
times = []
for _ in range(2000):
    clock = time.perf_counter()
    line.sendall(b"x")
    line.recv(1)
    times.append(time.perf_counter() - clock)
print(statistics.median(times) * 1e6)
data, end = bytes(1 << 17), time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    line.sendall(data)
"""


def namespace(name: str) -> str:
    full = f"csb{os.getpid()}-{name}"
    run("ip", "netns", "add", full)
    run("ip", "-n", full, "link", "set", "lo", "up")
    MADE.append(full)
    return full


MADE: list[str] = []


def talk(server: str, address: str, client: str) -> tuple[float, float]:
    """Return Gbit/s and the microseconds of a byte there and back; an empty name is the cloud's host."""
    speeds, times = [], []
    for _ in range(ROUNDS):
        words = [("ip", "netns", "exec", name) if name else () for name in (server, client)]
        far = [*words[0], sys.executable, "-c", SERVE, ""]
        with subprocess.Popen(far, stdout=subprocess.PIPE, text=True) as hearing:
            assert hearing.stdout is not None
            assert hearing.stdout.readline() == "ready\n"
            near = [*words[1], sys.executable, "-c", CALL, address, str(SECONDS)]
            said = subprocess.run(near, capture_output=True, text=True, timeout=60, check=False)
            if said.returncode:
                hearing.kill()
                print(said.stderr.strip().splitlines()[-1:])
                return 0.0, 0.0
            times.append(float(said.stdout))
            speeds.append(float(hearing.stdout.readline() or 0))
    return statistics.median(speeds), statistics.median(times)


def told(path: str, outcome: tuple[float, float]) -> None:
    print(f"{path:52} {outcome[0]:7.2f} Gbit/s {outcome[1]:8.0f} us", flush=True)


# -- over OVN ---------------------------------------------------------------------------------------------------


def over_ovn(cloud: Whole) -> None:
    def post(path: str, name: str, body: object) -> dict[str, object]:
        answer = cloud.http.post(f"{N}/{path}", json={name: body})
        assert answer.status_code == 201, answer.text
        made: dict[str, object] = answer.json()[name]
        return made

    outside = {
        "router:external": True,
        "provider:network_type": "flat",
        "provider:physical_network": "physnet1",
    }
    public = post("networks", "network", outside)["id"]
    post(
        "subnets",
        "subnet",
        {"network_id": public, "ip_version": 4, "cidr": "172.24.4.0/24", "enable_dhcp": False},
    )
    group = post("security-groups", "security_group", {"name": "open"})["id"]
    post("security-group-rules", "security_group_rule", {"security_group_id": group, "direction": "ingress"})
    router = post("routers", "router", {"external_gateway_info": {"network_id": public}})["id"]
    guests: list[tuple[str, str, object]] = []
    for number in (1, 2):
        net = post("networks", "network", {"name": f"n{number}"})["id"]
        subnet = post(
            "subnets", "subnet", {"network_id": net, "ip_version": 4, "cidr": f"10.0.{number}.0/24"}
        )["id"]
        cloud.http.put(f"{N}/routers/{router}/add_router_interface", json={"subnet_id": subnet})
        for index in range(2 if number == 1 else 1):
            port = post(
                "ports",
                "port",
                {
                    "network_id": net,
                    "security_groups": [group],
                    "device_owner": "compute:nova",
                    "binding:host_id": "host1",
                },
            )
            guests.append((*plug(cloud, port, f"g{number}{index}", f"10.0.{number}.1"), port["id"]))
    floating = post("floatingips", "floatingip", {"floating_network_id": public, "port_id": guests[0][2]})
    cloud.applied()
    cloud.sync()
    # Checksums and segments that are left to a device end at the userspace datapath's way out.
    run("ethtool", "-K", cloud.settings.network.external_bridge, "tx", "off")
    time.sleep(2)
    (one, one_ip, _), (two, _, _), (far, _, _) = guests
    told("OVN: one network, same host", talk(one, one_ip, two))
    told("OVN: through a router", talk(one, one_ip, far))
    told("OVN: guest to host, through router and NAT", talk("", "172.24.4.1", two))
    told("OVN: host to a floating IP", talk(one, str(floating["floating_ip_address"]), ""))
    told("OVN: guest to a floating IP", talk(one, str(floating["floating_ip_address"]), far))


def plug(cloud: Whole, port: dict[str, object], name: str, gateway: str) -> tuple[str, str]:
    guest, fixed = namespace(name), port["fixed_ips"]
    assert isinstance(fixed, list)
    device, address = f"csb{name}", str(fixed[0]["ip_address"])
    run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", guest)
    run("ip", "link", "set", device, "mtu", "1450", "up")
    run("ip", "-n", guest, "link", "set", "eth0", "address", str(port["mac_address"]), "mtu", "1450", "up")
    run("ip", "-n", guest, "address", "add", f"{address}/24", "dev", "eth0")
    run("ip", "-n", guest, "route", "add", "default", "via", gateway)
    run("ethtool", "-K", device, "tx", "off")
    run("ip", "netns", "exec", guest, "ethtool", "-K", "eth0", "tx", "off")
    place = cloud.place
    words = (
        "add-port",
        place.bridge,
        device,
        "--",
        "set",
        "interface",
        device,
        f"external_ids:iface-id={port['id']}",
    )
    run("ovs-vsctl", f"--db={place.switch}", *words)
    return guest, address


# -- over the kernel --------------------------------------------------------------------------------------------


def wire(one: str, name: str, other: str, peer: str, address: str = "") -> None:
    run("ip", "-n", one, "link", "add", name, "type", "veth", "peer", "name", peer, "netns", other)
    for where, device in ((one, name), (other, peer)):
        run("ip", "-n", where, "link", "set", device, "mtu", "1450", "up")
    if address:
        run("ip", "-n", one, "address", "add", address, "dev", name)


def bridge(where: str, *devices: str) -> None:
    run("ip", "-n", where, "link", "add", "br0", "type", "bridge")
    run("ip", "-n", where, "link", "set", "br0", "mtu", "1450", "up")
    for device in devices:
        run("ip", "-n", where, "link", "set", device, "master", "br0")


def over_the_kernel() -> None:
    host, other, one, two, three = (namespace(name) for name in ("k", "l", "a", "b", "c"))
    wire(one, "eth0", host, "va", "10.9.0.1/24")
    wire(two, "eth0", host, "vb", "10.9.0.2/24")
    bridge(host, "va", "vb")
    told("Linux bridge: same host", talk(one, "10.9.0.1", two))
    wire(three, "eth0", host, "vc", "10.9.1.3/24")
    run("ip", "-n", host, "address", "add", "10.9.0.254/24", "dev", "br0")
    run("ip", "-n", host, "address", "add", "10.9.1.254/24", "dev", "vc")
    run("ip", "netns", "exec", host, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    for guest, via in ((one, "10.9.0.254"), (three, "10.9.1.254")):
        run("ip", "-n", guest, "route", "add", "default", "via", via)
    told("Linux: through a router", talk(one, "10.9.0.1", three))
    table = "table ip n { chain c { type nat hook postrouting priority srcnat; oifname br0 masquerade; }; }"
    run("ip", "netns", "exec", host, "nft", table)
    told("Linux: through router and NAT", talk(one, "10.9.0.1", three))
    far = namespace("d")
    run("ip", "-n", host, "link", "add", "under", "type", "veth", "peer", "name", "under", "netns", other)
    wire(far, "eth0", other, "vd", "10.9.0.4/24")
    bridge(other, "vd")
    for where, own, peer in ((host, "192.0.2.1", "192.0.2.2"), (other, "192.0.2.2", "192.0.2.1")):
        run("ip", "-n", where, "address", "add", f"{own}/24", "dev", "under")
        run("ip", "-n", where, "link", "set", "under", "up")
        tunnel = ("type", "vxlan", "id", "7", "dstport", "4789", "local", own, "remote", peer)
        run("ip", "-n", where, "link", "add", "vx", *tunnel)
        run("ip", "-n", where, "link", "set", "vx", "mtu", "1450", "master", "br0", "up")
    told("Linux: bridge and VXLAN, two hosts", talk(one, "10.9.0.1", far))


def main() -> None:
    load = Path("/proc/loadavg").read_text(encoding="ascii").split()[0]
    print(f"load when it began: {load} on {os.cpu_count()} cores; medians of {ROUNDS} rounds of {SECONDS} s")
    try:
        with whole_cloud() as cloud:
            over_ovn(cloud)
        over_the_kernel()
    finally:
        for name in MADE:
            run("ip", "netns", "delete", name, check=False)


if __name__ == "__main__":
    main()
