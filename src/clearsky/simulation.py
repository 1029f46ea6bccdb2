"""A simulated cloud in one process: the real APIs, queue and reconcilers over fake drivers. Says so everywhere."""

from __future__ import annotations

import threading

import structlog

from clearsky import __version__, encode
from clearsky.agent.protocol import Desired, DesiredServer, Observed, ObservedServer
from clearsky.compute import service as compute
from clearsky.config import Config
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
}


class FakeAgent:
    """Reaches every desired state at once, in memory; `fail` names servers that it refuses, and why."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.fail: dict[str, str] = {}
        self._servers: dict[str, ObservedServer] = {}

    def step(self, desired: Desired) -> Observed:
        """Look once: take the desired state over and report it as observed."""
        wanted = {server.id: server for server in desired.servers}
        self._servers = {id: self._reach(server) for id, server in wanted.items()}
        return Observed(
            host=self.config.host,
            revision=desired.revision,
            servers=tuple(self._servers.values()),
            capacity=CAPACITY,
            version=__version__,
        )

    def _reach(self, server: DesiredServer) -> ObservedServer:
        if reason := self.fail.get(server.id):
            return ObservedServer(server.id, "absent", error=reason)
        return ObservedServer(
            server.id,
            server.power,
            action_done=server.action[1] if server.action else "",
            console_path="",
            plugged=tuple(nic.port_id for nic in server.nics),
        )


def start(house: House) -> None:
    """Start a worker and a fake agent as threads of this process."""
    log.warning("this cloud is simulated: its servers have no guests and its networks carry no packets")
    work_process.start(house)
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
    desired = compute.desired(house, house.config.host)
    report = agent.step(desired)
    compute.observe(house, encode.loads(Observed, encode.dumps(report)))
