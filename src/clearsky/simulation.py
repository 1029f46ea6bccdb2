"""A simulated cloud in one process: the real APIs, queue and reconcilers over fake drivers. Says so everywhere."""

from __future__ import annotations

import shutil
import struct
import threading
import time
from pathlib import Path
from typing import Any

import structlog

from clearsky import __version__, encode
from clearsky.agent.protocol import CachedImage, Desired, DesiredServer, Observed, ObservedServer
from clearsky.compute import service as compute
from clearsky.config import Config
from clearsky.hosts.door import Door
from clearsky.house import House
from clearsky.work import __main__ as work_process
from clearsky.work import queue
from clearsky.work.bell import Bell

log = structlog.get_logger("simulation")


CAPACITY = {
    "vcpus": 64,
    "memory_mib": 262144,
    "disk_gib": 4096,
    "memory_used_mib": 512,
    "disk_free_gib": 4096,
    "hypervisor_type": "fake",
    "hypervisor_version": 1000,
    "cpu_info": {},
    "virtualization": "fake",
    "traits": ["HW_CPU_X86_SSE2"],
    "host_ip": "127.0.0.1",
    "uptime": " 00:00:00 up 0 days,  0:00,  0 users,  load average: 0.00, 0.00, 0.00",
}


_ON = ("running", "paused")


class FakeAgent:
    """Reaches every desired state at once, in memory; `fail` names servers that it refuses, and why."""

    def __init__(self, config: Config, host: str = "") -> None:
        self.config, self.host = config, host or config.host
        self.fail: dict[str, str] = {}
        self.passwords: dict[str, str] = {}
        """What guests have posted since the last look."""
        self._servers: dict[str, ObservedServer] = {}
        self._cached: dict[str, CachedImage] = {}

    def step(self, desired: Desired) -> Observed:
        """Look once: take the desired state over and report it as observed."""
        wanted = {server.id: server for server in desired.servers}
        for id in self._servers.keys() - wanted.keys():
            shutil.rmtree(self._folder(id), ignore_errors=True)
        self._servers = {id: self._reach(server) for id, server in wanted.items()}
        self._cached = self._cache(desired)
        passwords, self.passwords = tuple(self.passwords.items()), {}
        return Observed(
            host=self.host,
            revision=desired.revision,
            servers=tuple(self._servers.values()),
            capacity=CAPACITY,
            version=__version__,
            statistics={
                id: _statistics(wanted[id]) for id, seen in self._servers.items() if seen.power in _ON
            },
            cached=self._cached,
            passwords=passwords,
        )

    def _cache(self, desired: Desired) -> dict[str, CachedImage]:
        """Keep the images that servers stand on and those that are wished for, as a host with their files does."""
        stood_on = [one.root_disk for one in desired.servers if one.id in self._servers]
        disks = {disk.image_id: disk for disk in (*stood_on, *desired.cached) if disk.image_id}
        now = time.time()
        return {
            id: self._cached.get(id, CachedImage(disk.image_size_bytes, 0, now, now))
            for id, disk in disks.items()
        }

    def _folder(self, server_id: str) -> Path:
        return self.config.state / "servers" / server_id

    def _reach(self, server: DesiredServer) -> ObservedServer:
        if reason := self.fail.get(server.id):
            return ObservedServer(server.id, "absent", error=reason)
        self._files(server)
        return ObservedServer(
            server.id,
            server.power,
            action_done=server.action[1] if server.action else "",
            console_path="",
            plugged=tuple(nic.port_id for nic in server.nics),
            reached=server.wish,
            snapshot=server.snapshot,
            snapshot_path=str(self._snapshot(server)) if server.snapshot else "",
        )

    def _files(self, server: DesiredServer) -> Path:
        """Make the files that the api reads: here they only say that there is no guest."""
        folder = self._folder(server.id)
        if not folder.exists():
            folder.mkdir(parents=True)
            said = "".join(
                f"Line {number}: this server is simulated, it has no guest.\n" for number in range(1, 21)
            )
            (folder / "console.log").write_text(said, encoding="ascii")
        return folder

    def _snapshot(self, server: DesiredServer) -> Path:
        path = self._files(server) / "snapshot.qcow2"
        size = max(server.root_disk.size_gib << 30, server.root_disk.image_size_bytes)
        path.write_bytes(_empty_qcow2(size))
        return path


def _empty_qcow2(size_bytes: int) -> bytes:
    """Return an empty disk as a qcow2 file of version 3 (its first-level table is all zeros)."""
    entries = -(-size_bytes // (1 << 29))
    refcounts, first_level = 1 << 16, 2 << 16
    head = b"QFI\xfb" + struct.pack(">IQIIQII", 3, 0, 0, 16, size_bytes, 0, entries)
    head += struct.pack(">QQIIQQQQII", first_level, refcounts, 1, 0, 0, 0, 0, 0, 4, 104)
    return head.ljust(3 << 16, b"\0")


def _statistics(server: DesiredServer) -> dict[str, Any]:
    """Say what a server without a guest uses: nothing."""
    nothing = {f"{way}_{name}": 0 for way in ("rx", "tx") for name in ("octets", "packets", "errors", "drop")}
    reads = {"read_bytes": 0, "read_requests": 0, "write_bytes": 0, "write_requests": 0}
    return {
        "state": server.power,
        "cpus": [0] * server.vcpus,
        "memory_mib": server.memory_mib,
        "nics": [{"device": nic.port_id} | nothing for nic in server.nics],
        "disks": [{"name": "vda"} | reads],
    }


def start(house: House) -> None:
    """Start a worker and a fake agent as threads of this process."""
    log.warning("this cloud is simulated: its servers have no guests and its networks carry no packets")
    work_process.start(house)
    if house.config.serves_hosts:
        Door(house.config).open()
    threading.Thread(target=_agent, args=(house,), daemon=True).start()


def _agent(house: House) -> None:
    agent = FakeAgent(house.config)
    bell = Bell(house.config.run).listen("agent")
    bell.settimeout(5.0)
    topic = queue.host_topic(house.config.host)
    while True:
        try:
            step(house, agent)
        except Exception:
            log.exception("the fake agent stumbled; going on")
        try:
            while topic not in bell.recv(65536).decode().split("\n"):
                pass
        except TimeoutError:
            continue


def step(house: House, agent: FakeAgent) -> None:
    """Let the fake agent look once: desired state in, observed state out, through the real encoding."""
    desired = compute.desired(house, agent.host)
    report = agent.step(desired)
    compute.observe(house, encode.loads(Observed, encode.dumps(report)))
