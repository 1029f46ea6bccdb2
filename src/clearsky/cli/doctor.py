"""`clearsky doctor`: what is missing on this machine, why it matters, how to mend it."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from clearsky.config import Config

DISK_GIB, MEMORY_MIB = 5, 1500


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    state: Literal["ok", "note", "wrong"]
    """note: it works, with less; wrong: it does not work."""
    why: str = ""
    mend: str = ""


def _system(config: Config) -> Iterator[Finding]:
    if os.geteuid() != 0:
        yield Finding(
            "root", "wrong", "bridges, namespaces and guests need it", "sudo ./clearsky up, or up --simulate"
        )
    release = Path("/etc/os-release").read_text(encoding="utf-8") if Path("/etc/os-release").exists() else ""
    if "debian" in release and 'VERSION_ID="12"' in release:
        yield Finding("Debian 12", "ok")
    else:
        yield Finding("Debian 12", "note", "other systems are not tried", "install the engines by hand")
    if os.uname().machine == "x86_64":
        yield Finding("x86_64", "ok")
    else:
        yield Finding("x86_64", "wrong", "guests and the image tiny are x86_64", "use such a machine")


def _python(config: Config) -> Iterator[Finding]:
    from clearsky.engines import prepare  # noqa: PLC0415

    place = Path(sys.base_prefix)
    if prepare.open_to_all(place):
        yield Finding(f"Python {sys.version.split()[0]} in {place}", "ok")
    else:
        yield Finding(
            f"Python in {place}",
            "wrong",
            "the api and the worker run as an account without rights, which cannot reach it",
            "remove the folder .venv and run ./clearsky again: it takes the system's Python",
        )


def _room(config: Config) -> Iterator[Finding]:
    place = next(parent for parent in (config.state, *config.state.parents) if parent.exists())
    free = shutil.disk_usage(place).free // 1024**3
    yield Finding(
        f"{free} GiB free in {place}",
        "ok" if free >= DISK_GIB else "wrong",
        f"images and servers need at least {DISK_GIB} GiB",
        "make room, or set [cloud] state_dir",
    )
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    memory = int(text.split("MemTotal:")[1].split()[0]) // 1024
    yield Finding(
        f"{memory} MiB of memory",
        "ok" if memory >= MEMORY_MIB else "wrong",
        f"the engines and one small server need {MEMORY_MIB} MiB",
        "use a larger machine",
    )


def _kernel(config: Config) -> Iterator[Finding]:
    if Path("/dev/net/tun").exists():
        yield Finding("/dev/net/tun", "ok")
    else:
        yield Finding("/dev/net/tun", "wrong", "guests' NICs are TAP devices", "modprobe tun")
    from clearsky.engines import prepare, virtualization  # noqa: PLC0415

    kind = prepare.datapath(config)
    if kind == "kernel":
        yield Finding("Open vSwitch in the kernel", "ok")
    else:
        yield Finding(
            "Open vSwitch in the kernel",
            "note",
            "its module cannot be loaded, so packets are switched in user space",
            "a kernel with the module openvswitch",
        )
    if not shutil.which("qemu-system-x86_64"):
        yield Finding("KVM", "note", "it can be tried when QEMU is installed", "clearsky up installs it")
    elif virtualization.probe():
        yield Finding("KVM", "ok")
    else:
        yield Finding(
            "KVM",
            "note",
            "a probe guest does not run on it, so servers are emulated (slower, and more memory)",
            "a machine, or a nested machine, with hardware virtualization",
        )


def _packages(config: Config) -> Iterator[Finding]:
    from clearsky.engines import prepare  # noqa: PLC0415

    missing = prepare.missing_packages()
    if missing:
        words = " ".join(missing)
        yield Finding(
            f"packages: {words}", "note", "the engines are made of them", "clearsky up installs them"
        )
    else:
        yield Finding("all Debian packages", "ok")


def _names(config: Config) -> Iterator[Finding]:
    """Look for others who use our port, range or names."""
    from clearsky.engines import keeper  # noqa: PLC0415

    running = keeper.of(config).processes()
    if not running.get("api"):
        yield from _port(config)
    if not running.get("ovs-vswitchd"):
        yield from _other_switch(config)
    if (config.state / "ovs" / "conf.db").exists():
        return  # what is there is this cloud's own, from its last `up`
    yield from _devices(config)
    yield from _range(config)


def _devices(config: Config) -> Iterator[Finding]:
    net, name = config.network, config.cloud.namespace
    there = {device for _, device in socket.if_nameindex()}
    taken = {config.external_device} if name else {net.integration_bridge, net.external_bridge}
    for device in sorted(taken & there):
        yield Finding(
            f"device {device}",
            "wrong",
            "it exists, and is not this cloud's",
            "set [cloud] namespace to another name, or remove it"
            if name
            else "set [network] integration_bridge and external_bridge, or remove it",
        )
    if name and Path("/run/netns", name).exists():
        yield Finding(
            f"network namespace {name}",
            "wrong",
            "it exists, and is not this cloud's",
            f"set [cloud] namespace to another name, or: ip netns delete {name}",
        )


def _other_switch(config: Config) -> Iterator[Finding]:
    """Find another Open vSwitch where ours is to run: two would undo each other's datapath."""
    own = Path("/run/netns", config.cloud.namespace) if config.cloud.namespace else Path("/proc/self/ns/net")
    if not own.exists():
        return
    here = own.stat().st_ino
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name = (process / "comm").read_text(encoding="utf-8").strip()
            if name == "ovs-vswitchd" and (process / "ns" / "net").stat().st_ino == here:
                yield Finding(
                    f"ovs-vswitchd, pid {process.name}",
                    "wrong",
                    "a network namespace has one datapath, and that process owns it",
                    "stop it (systemctl disable --now openvswitch-switch, or `down` of the other cloud), or give this"
                    ' cloud a network namespace of its own: [cloud] namespace = "NAME"',
                )


def _port(config: Config) -> Iterator[Finding]:
    address = (config.api.host, config.api.port)
    with socket.socket(socket.AF_INET6 if ":" in config.api.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            yield Finding(
                f"address {address[0]}:{address[1]}", "wrong", f"{error.strerror}", "set [api] host and port"
            )


def _range(config: Config) -> Iterator[Finding]:
    cidr = ipaddress.ip_network(config.network.public_cidr)
    shown = subprocess.run(["ip", "-j", "-4", "route"], capture_output=True, text=True, check=False).stdout
    for route in json.loads(shown or "[]"):
        if route["dst"] != "default" and cidr.overlaps(ipaddress.ip_network(route["dst"])):
            yield Finding(
                f"range {cidr}",
                "wrong",
                f"this machine has a route to {route['dst']} by {route.get('dev')}",
                "set [network] public_cidr",
            )


CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    _system,
    _python,
    _room,
    _kernel,
    _packages,
    _names,
)


def examine(config: Config) -> list[Finding]:
    return [finding for check in CHECKS for finding in check(config)]


def insist(config: Config) -> None:
    """Raise ClickException with everything that keeps the cloud from running here."""
    wrong = [finding for finding in examine(config) if finding.state == "wrong"]
    if wrong:
        told = "\n".join(f"  {one.what}: {one.why}; {one.mend}" for one in wrong)
        raise click.ClickException(f"this machine cannot run the cloud yet:\n{told}")


@click.command("doctor")
@click.pass_obj
def command(config: Config) -> None:
    """Say what this machine lacks, why it matters and how to mend it. The exit status is 1 if `up` would fail."""
    found = examine(config)
    for one in found:
        click.echo(f"{one.state:5}  {one.what}")
        if one.state != "ok":
            click.echo(f"         why:  {one.why}")
            click.echo(f"         mend: {one.mend}")
    sys.exit(1 if any(one.state == "wrong" for one in found) else 0)
