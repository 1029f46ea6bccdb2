"""Many guests' network cards in one process: TAP devices, as QEMU has them, written and read frame by frame."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import selectors
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.functional.network import frames

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
CLONE_NEWNET = 0x40000000
QUIET_S = 0.03
AT_ONCE = 512
"""So many frames are on their way at a time: fewer than a receiver's queue holds."""


@dataclass(frozen=True, slots=True)
class Place:
    """A chassis where guests can be plugged."""

    host: str
    switch: str
    """Remote of its Open vSwitch database."""
    bridge: str
    process: str
    """Folder in /proc of something that lives in its network namespace, where the devices belong."""


def here() -> str:
    """Return that folder of this thread."""
    return f"/proc/{os.getpid()}/task/{threading.get_native_id()}"


def inside(process: str, work: Callable[[], Any]) -> Any:
    """Do something in another process's network namespace, in a thread of its own; returns what came out."""

    def run() -> Any:
        with Path(process, "ns", "net").open() as there:
            if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


class Taps:
    """The cards: `send` writes frames and returns who has got which token."""

    def __init__(self, prefix: str = "cst") -> None:
        self.prefix = prefix
        self.fds: dict[str, int] = {}
        self.devices: dict[str, str] = {}
        self.places: dict[str, Place] = {}
        self.selector = selectors.DefaultSelector()
        self.numbers = self.made = 0
        self.heard: dict[int, list[tuple[str, bytes]]] = {}
        self.others: list[tuple[str, bytes]] = []
        """What came without a token during the last exchange: the network's own words."""

    def plug(self, where: dict[str, Place], macs: dict[str, str]) -> None:
        """Make a card for each port (id -> chassis) and plug it in; one transaction a chassis."""
        for place in set(where.values()):
            mine = [port for port, one in where.items() if one == place]
            inside(place.process, lambda mine=mine: self._make(mine, macs))
            words = ["ovs-vsctl", f"--db={place.switch}", "--timeout=60", "--no-wait"]
            for port in mine:
                device = self.devices[port]
                words += ["--", "--may-exist", "add-port", place.bridge, device]
                words += ["--", "set", "interface", device, f"external_ids:iface-id={port}"]
                self.places[port] = place
            subprocess.run(words, check=True, capture_output=True)

    def _make(self, ports: list[str], macs: dict[str, str]) -> None:
        # What devices made from now on begin with: this machine itself says nothing on them.
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        Path("/proc/sys/net/ipv4/conf/default/arp_ignore").write_text("8")
        lines = []
        for port in ports:
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            device, self.made = f"{self.prefix}{self.made}", self.made + 1
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TAP | IFF_NO_PI))
            self.fds[port], self.devices[port] = fd, device
            self.selector.register(fd, selectors.EVENT_READ, port)
            # Not the guest's MAC: what is for the guest is none of this host's business.
            lines.append(f"link set {device} up mtu 1500")
        subprocess.run(
            ["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True, capture_output=True
        )

    def make(self, place: Place) -> str:
        """Make a card that is not plugged in yet; return its device."""
        inside(place.process, lambda: self._make([""], {}))
        return self.devices.pop("")

    def give(self, device: str, port: str, place: Place) -> None:
        """Plug such a card in for a port."""
        fd = self.fds[port] = self.fds.pop("")
        self.devices[port], self.places[port] = device, place
        self.selector.modify(fd, selectors.EVENT_READ, port)
        words = [
            "ovs-vsctl",
            f"--db={place.switch}",
            "--timeout=60",
            "--no-wait",
            "add-port",
            place.bridge,
            device,
        ]
        words += ["--", "set", "interface", device, f"external_ids:iface-id={port}"]
        subprocess.run(words, check=True, capture_output=True)

    def unplug(self, ports: Iterable[str]) -> None:
        """Take cards out of the switch and destroy them."""
        words: dict[Place, list[str]] = {}
        for port in list(ports):
            words.setdefault(self.places[port], []).extend(
                ["--", "--if-exists", "del-port", self.devices[port]]
            )
            self.selector.unregister(self.fds[port])
            os.close(self.fds.pop(port))
            del self.devices[port], self.places[port]
        for place, part in words.items():
            subprocess.run(
                ["ovs-vsctl", f"--db={place.switch}", "--timeout=60", "--no-wait", *part],
                check=True,
                capture_output=True,
            )

    def close(self) -> None:
        for fd in self.fds.values():
            os.close(fd)
        self.fds.clear()
        self.selector.close()

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    # -- frames -------------------------------------------------------------------------------------------------

    def exchange(self, packets: list[frames.Packet], settle_s: float = 0.0) -> list[list[tuple[str, bytes]]]:
        """Send packets; return for each who received it, as (port, frame).

        They go in portions, each of which is waited out: no queue on the way overflows, so what does not come out was
        dropped on purpose.
        """
        self.heard.clear()
        self.others.clear()
        known = []
        for portion in _portions(packets):
            for packet in portion:
                number = self.number()
                known.append((packet, number))
                os.write(self.fds[packet.sender], frames.render(packet, number))
            self._wait(settle_s)
        found = {number: self.heard.get(number, []) for _, number in known}
        by_packet = {id(packet): found[number] for packet, number in known}
        return [by_packet[id(packet)] for packet in packets]

    def _wait(self, settle_s: float) -> None:
        """Read until every switch has taken everything in and nothing more comes out."""
        quiet_at = time.monotonic() + max(QUIET_S, settle_s)
        while True:
            if self.listen(0.005) or any(_queued(place) for place in set(self.places.values())):
                quiet_at = time.monotonic() + max(QUIET_S, settle_s)
            elif time.monotonic() > quiet_at:
                return

    def listen(self, seconds: float) -> int:
        """Take in what comes; return how many frames of ours there were."""
        count = 0
        for key, _ in self.selector.select(seconds):
            with contextlib.suppress(BlockingIOError):
                while True:
                    frame = os.read(key.fd, 2048)
                    number = frames.number_in(frame)
                    if number is not None:
                        self.heard.setdefault(number, []).append((key.data, frame))
                        count += 1
                    else:
                        self.others.append((key.data, frame))
        return count


def _portions(packets: list[frames.Packet]) -> Iterator[list[frames.Packet]]:
    """Cut into portions in which no sender has too many, keeping each sender's order."""
    lines: dict[str, list[frames.Packet]] = {}
    for packet in packets:
        lines.setdefault(packet.sender, []).append(packet)
    while lines:
        each = max(1, AT_ONCE // len(lines))
        portion = []
        for sender in list(lines):
            portion += lines[sender][:each]
            lines[sender] = lines[sender][each:]
            if not lines[sender]:
                del lines[sender]
        yield portion


def _queued(place: Place) -> bool:
    """Say whether a switch has frames left to take in: the kernel tells what waits in each packet socket."""
    with Path(place.process, "net", "packet").open(encoding="ascii") as table:
        return any(line.split()[6] != "0" for line in table.readlines()[1:])
