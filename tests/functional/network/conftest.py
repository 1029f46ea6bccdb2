"""A host of its own for the network's tests: OVN, Open vSwitch and 'guests', all in network namespaces."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.functional.network.world import TOPOLOGY

from clearsky import config
from clearsky.engines import prepare
from clearsky.engines.definitions import engines
from clearsky.engines.supervisor import Supervisor
from clearsky.network.driver.ovn import OvnDriver

CLONE_NEWNET = 0x40000000


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


@dataclass
class Guest:
    """A network namespace with one interface, plugged like a server's."""

    name: str
    device: str

    def run(self, *command: str, check: bool = True) -> str:
        return run("ip", "netns", "exec", self.name, *command, check=check)

    def reaches(self, address: str, *, seconds: int = 2) -> bool:
        """Say whether one of a few pings is answered."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, "ping", "-c", "3", "-i", "0.2", "-W", str(seconds), address],
            check=False,
            capture_output=True,
        )
        return done.returncode == 0


@dataclass
class Host:
    settings: config.Config
    driver: OvnDriver
    guests: list[Guest] = field(default_factory=list)

    def plug(self, port_id: str, mac: str, cidr: str, gateway: str | None = None) -> Guest:
        """Make a guest for a port, with its address set by hand."""
        number = len(self.guests)
        guest = Guest(f"csg{os.getpid()}-{number}", f"csg{number}")
        run("ip", "netns", "add", guest.name)
        self.guests.append(guest)
        run("ip", "link", "add", guest.device, "type", "veth", "peer", "name", "eth0", "netns", guest.name)
        run("ethtool", "-K", guest.device, "tx", "off")
        guest.run("ethtool", "-K", "eth0", "tx", "off")
        guest.run("ip", "link", "set", "lo", "up")
        guest.run("ip", "link", "set", "eth0", "address", mac, "up")
        guest.run("ip", "address", "add", cidr, "dev", "eth0")
        if gateway:
            guest.run("ip", "route", "add", "default", "via", gateway)
        run("ip", "link", "set", guest.device, "up")
        bridge = self.settings.network.integration_bridge
        prepare.vsctl(
            self.settings, "add-port", bridge, guest.device, "--", "set", "interface", guest.device, f"external_ids:iface-id={port_id}"
        )  # fmt: skip
        return guest

    def settle(self) -> None:
        """Wait until the chassis has done what was applied."""
        run("ovn-nbctl", f"--db={self.settings.northbound}", "--timeout=10", "--wait=hv", "sync")

    def wait_up(self, *port_ids: str, seconds: float = 15) -> None:
        """Wait until OVN says that these ports are up."""
        end = time.monotonic() + seconds
        while True:
            text = run(
                "ovn-nbctl",
                f"--db={self.settings.northbound}",
                "--no-leader-only",
                "--bare",
                "--columns=name,up",
                "list",
                "logical_switch_port",
            )
            up = {block.split("\n")[0] for block in text.split("\n\n") if block.strip().endswith("true")}
            if set(port_ids) <= up:
                return
            assert time.monotonic() < end, f"not up: {set(port_ids) - up}\n{text}"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def engine_host() -> Iterator[Host]:
    missing = prepare.missing_packages()
    if missing:
        prepare.install(missing)
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    folder = Path(tempfile.mkdtemp(prefix="csn", dir="/tmp"))
    settings = config.Config(
        cloud=config.Cloud(state_dir=folder / "s", run_dir=folder / "r", host="host1"),
        network=config.Network(integration_bridge="csn-int", external_bridge="csn-ex", datapath="netdev"),
    )
    network_only = [p for p in engines(settings) if p.name.startswith("ov")]
    prepare.ensure_accounts(settings)
    prepare.ensure_folders(settings)
    prepare.ensure_databases(settings)
    supervisor = Supervisor(settings, network_only)
    host = Host(settings, OvnDriver(settings))
    try:
        run("ip", "link", "set", "lo", "up")
        for process in network_only:
            supervisor.ensure(process)
        yield host
    finally:
        supervisor.stop()
        for guest in host.guests:
            run("ip", "netns", "delete", guest.name, check=False)
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def guests(engine_host: Host) -> dict[str, Guest]:
    engine_host.driver.apply(TOPOLOGY)
    gateways = {subnet.id: subnet.gateway_ip for subnet in TOPOLOGY.subnets}
    made = {}
    for port in TOPOLOGY.ports:
        if port.device_owner == "compute:nova":
            fixed = port.fixed_ips[0]
            made[port.id] = engine_host.plug(
                port.id, port.mac_address, f"{fixed.ip_address}/24", gateways[fixed.subnet_id]
            )
    engine_host.wait_up(*made)
    return made


@pytest.fixture
def apply(engine_host: Host, guests: dict[str, Guest]) -> Iterator[Callable[..., None]]:
    """Apply a changed world, wait until the chassis has its flows, and put the old one back at the end."""

    run("ethtool", "-K", engine_host.settings.network.external_bridge, "tx", "off")

    def change(**parts: Any) -> None:
        engine_host.driver.apply(replace(TOPOLOGY, **parts))
        engine_host.settle()

    yield change
    engine_host.driver.apply(TOPOLOGY)
    engine_host.settle()
