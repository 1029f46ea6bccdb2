"""Several machines of the tests' own: network namespaces with an underlay between them and a provider's network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients import warm_client
from tests.system.conftest import SILENT, Cloud, until

SETTINGS = """
[cloud]
name = "site"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
clouds_file = "{folder}/clouds.yaml"
cache_dir = "{cache}"
user = "clearsky-trial"
host = "host{number}"
keeper = "supervisor"
[network]
underlay_device = "under0"
provider_device = "provider0"
device_prefix = "cs{number}"
encapsulation = "{encapsulation}"
[compute]
virtualization = "tcg"
[identity]
argon2_time_cost = 1
"""
CONTROL = """
[hosts]
address = "10.77.0.1"
databases = [{databases}]
"""
HEADERS = 28
"""Of an IPv4 ping."""
WARM_CLIENT = str(Path(warm_client.__file__))
OUTSIDE = "172.24.4.1"
"""The provider's router, in a namespace of its own."""


def _namespace() -> subprocess.Popen[bytes]:
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    own = Path("/proc/self/ns/net").readlink()
    until("a namespace", lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != own, every=0.01)
    return holder


def inside(pid: int) -> tuple[str, ...]:
    return ("nsenter", f"--net=/proc/{pid}/ns/net", "--")


def fits(pid: int, address: str, size: int) -> bool:
    """Say whether a ping of so many bytes, IP header and all, arrives without being cut into pieces."""
    words = ("ping", "-M", "do", "-c", "3", "-i", "0.2", "-W", "1", "-s", str(size - HEADERS), address)
    return subprocess.run([*inside(pid), *words], check=False, capture_output=True).returncode == 0


@dataclass
class Guest:
    """A network namespace plugged into a host's switch as a server's device is: quicker than a server."""

    pid: int
    host: Machine
    device: str
    port: dict[str, Any]

    @property
    def address(self) -> str:
        return str(self.port["fixed_ips"][0]["ip_address"])

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*inside(self.pid), *words], check=False, capture_output=True, text=True, timeout=60
        )
        assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def reaches(self, address: str, *more: str) -> bool:
        """Say whether one of a few pings is answered."""
        words = ("ping", "-c", "3", "-i", "0.2", "-W", "1", *more, address)
        return self.run(*words, check=False).returncode == 0


@dataclass
class Machine(Cloud):
    number: int = 0

    @property
    def address(self) -> str:
        return f"10.77.0.{self.number + 1}"

    def vsctl(self, *words: str) -> str:
        return self.run("ovs-vsctl", f"--db=unix:{self.runtime}/ovs/db.sock", *words).stdout.strip()


@contextmanager
def dead(machine: Machine, *names: str) -> Iterator[None]:
    """Kill processes of a machine, and keep them from being started again."""
    keeper = int((machine.runtime / "supervisor.pid").read_text().split()[0])
    os.kill(keeper, signal.SIGSTOP)
    try:
        for name in names:
            os.kill(machine.pids()[name], signal.SIGKILL)
        yield
    finally:
        os.kill(keeper, signal.SIGCONT)


@dataclass
class Site:
    cache: Path
    encapsulation: str = "vxlan"
    databases: tuple[str, ...] = ()
    machines: list[Machine] = field(default_factory=list)
    guests: list[Guest] = field(default_factory=list)
    _holders: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _client: subprocess.Popen[str] | None = None
    """What runs the openstack command, warm: tests with several hosts need it often."""
    fabric: int = 0
    outside: int = 0

    def begin(self) -> None:
        """Make the underlay, the provider's network, and a router in it."""
        self.fabric, self.outside = self._hold(), self._hold()
        for bridge in ("under", "provider"):
            self._in(self.fabric, "link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
            self._in(self.fabric, "link", "set", bridge, "up")
        self._wire(self.outside, "eth0", "provider", "out")
        self._in(self.outside, "address", "add", f"{OUTSIDE}/24", "dev", "eth0")

    def end(self) -> None:
        if self._client is not None and self._client.stdin is not None and self._client.stdout is not None:
            self._client.stdin.close()
            self._client.wait(30)
            self._client.stdout.close()
        for machine in reversed(self.machines):
            if machine.state.exists():
                machine.clearsky("down", "--purge", check=False)
        for holder in self._holders:
            holder.kill()
            holder.wait()
        for machine in self.machines:
            shutil.rmtree(machine.folder, ignore_errors=True)

    def add(self) -> Machine:
        """Return a new machine, on which nothing runs."""
        number = len(self.machines)
        folder = Path(tempfile.mkdtemp(prefix="csh", dir="/tmp"))
        folder.chmod(0o755)
        text = SETTINGS.format(
            folder=folder, cache=self.cache, number=number, encapsulation=self.encapsulation
        )
        if number == 0:
            text += CONTROL.format(databases=", ".join(f'"{one}"' for one in self.databases))
        (folder / "clearsky.toml").write_text(text)
        machine = Machine(folder, self._hold(), "site", number)
        self.machines.append(machine)
        self._wire(machine.namespace_pid, "under0", "under", f"u{number}")
        self._wire(machine.namespace_pid, "provider0", "provider", f"p{number}")
        self._in(machine.namespace_pid, "address", "add", f"{machine.address}/24", "dev", "under0")
        return machine

    def join(self) -> Machine:
        """Return a new machine that has joined."""
        machine = self.add()
        token = self.control.clearsky("host", "add", f"host{machine.number}", "--token-only").strip()
        machine.clearsky("host", "join", self.control.address, "--token", token)
        return machine

    @property
    def control(self) -> Machine:
        return self.machines[0]

    def openstack(self, *words: str) -> Any:
        """Run the openstack command as the cloud's administrator; return what it printed, parsed where it is JSON."""
        if self._client is None:
            self._client = subprocess.Popen(
                [*inside(self.control.namespace_pid), sys.executable, WARM_CLIENT],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self.control.folder,
            )  # fmt: skip
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        printing = [] if SILENT & {*words} else ["-f", "json"]
        environment = {
            "OS_CLIENT_CONFIG_FILE": str(self.control.folder / "clouds.yaml"),
            "OS_CLOUD": "site-admin",
        }
        self._client.stdin.write(
            json.dumps({"words": [*words, *printing], "environment": environment}) + "\n"
        )
        self._client.stdin.flush()
        answer = json.loads(self._client.stdout.readline())
        assert answer["status"] == 0, f"openstack {' '.join(words)}: {answer['stdout']}{answer['stderr']}"
        text = str(answer["stdout"])
        begin = min((text.find(sign) for sign in "[{" if sign in text), default=-1)
        return json.loads(text[begin:]) if begin >= 0 and printing else text

    def southbound(self, *words: str) -> str:
        """Ask OVN's southbound database."""
        remote = f"--db=unix:{self.control.runtime}/ovn/sb.sock"
        return self.control.run("ovn-sbctl", remote, "--timeout=20", *words).stdout

    def _hold(self) -> int:
        holder = _namespace()
        self._holders.append(holder)
        self._in(holder.pid, "link", "set", "lo", "up")
        return holder.pid

    @staticmethod
    def _in(pid: int, *words: str) -> None:
        done = subprocess.run([*inside(pid), "ip", *words], check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"

    def _wire(self, pid: int, device: str, bridge: str, port: str) -> None:
        """Plug a cable from a machine into a bridge of the fabric."""
        self._in(self.fabric, "link", "add", port, "type", "veth", "peer", "name", device, "netns", str(pid))
        self._in(self.fabric, "link", "set", port, "master", bridge, "up")
        self._in(pid, "link", "set", device, "up")
        subprocess.run([*inside(pid), "ethtool", "-K", device, "tx", "off"], check=True, capture_output=True)

    def cable(self, machine: Machine, *, up: bool) -> None:
        """Pull a machine's cable to the underlay out, or put it back."""
        self._in(self.fabric, "link", "set", f"u{machine.number}", "up" if up else "down")

    def plug(self, machine: Machine, network: str, *more: str) -> Guest:
        """Return a guest on a machine, with a port of its own."""
        number = len(self.guests)
        port = self.openstack(
            "port", "create", "--network", network, "--host", f"host{machine.number}", *more, f"guest{number}",
        )  # fmt: skip
        guest = Guest(self._hold(), machine, f"guest{number}", port)
        self.guests.append(guest)
        self._in(
            machine.namespace_pid, "link", "add", guest.device, "type", "veth", "peer", "name", "eth0", "netns", str(guest.pid),
        )  # fmt: skip
        self._in(machine.namespace_pid, "link", "set", guest.device, "up")
        for pid, device in ((machine.namespace_pid, guest.device), (guest.pid, "eth0")):
            subprocess.run(
                [*inside(pid), "ethtool", "-K", device, "tx", "off"], check=True, capture_output=True
            )
        self._in(guest.pid, "link", "set", "eth0", "address", port["mac_address"], "up")
        prefix = "64" if ":" in guest.address else "24"
        self._in(guest.pid, "address", "add", f"{guest.address}/{prefix}", "dev", "eth0")
        machine.vsctl(
            "add-port", "br-int", guest.device, "--", "set", "interface", guest.device, f"external_ids:iface-id={port['id']}"
        )  # fmt: skip
        return guest
