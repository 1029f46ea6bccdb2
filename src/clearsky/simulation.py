"""A simulated cloud in one process: the real APIs, queue and reconcilers over fake drivers. Says so everywhere."""

from __future__ import annotations

import threading

import structlog

from clearsky import encode
from clearsky.agent.driver.fake import FakeAgent
from clearsky.agent.protocol import Observed
from clearsky.compute import service as compute
from clearsky.house import House
from clearsky.work import __main__ as work_process
from clearsky.work import queue
from clearsky.work.bell import Bell

log = structlog.get_logger("simulation")


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
