"""What `clearsky doctor` looks at. Each check yields findings; it asks nothing of programs that `up` only installs."""

from __future__ import annotations

import ctypes
import ipaddress
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clearsky.config import Config

DISK_GIB, MEMORY_MIB = 5, 1500
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
"""Without them root cannot make bridges and namespaces: so it is in many containers."""
TIME_ERROR = 5
"""What adjtimex answers where nothing keeps the clock right."""
EARLIEST = 1_760_000_000.0
"""Before this moment no machine can be that runs the program."""
NAT = "table ip clearsky_probe { chain c { type nat hook postrouting priority srcnat; masquerade; }; }"


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    state: Literal["ok", "note", "wrong"]
    """note: it works, with less; wrong: it does not work."""
    why: str = ""
    mend: str = ""


Findings = Iterator[Finding]


def system(config: Config) -> Findings:
    if os.geteuid() != 0:
        yield Finding(
            "root", "wrong", "bridges, namespaces and guests need it", "sudo ./clearsky up, or up --simulate"
        )
    else:
        yield from _capabilities()
    release = Path("/etc/os-release").read_text(encoding="utf-8") if Path("/etc/os-release").exists() else ""
    if "debian" in release and 'VERSION_ID="12"' in release:
        yield Finding("Debian 12", "ok")
    else:
        yield Finding("Debian 12", "note", "other systems are not tried", "install the engines by hand")
    if os.uname().machine == "x86_64":
        yield Finding("x86_64", "ok")
    else:
        yield Finding("x86_64", "wrong", "guests and the image tiny are x86_64", "use such a machine")
    from clearsky.engines import keeper  # noqa: PLC0415

    yield Finding(f"processes are kept by {keeper.of(config).title}", "ok")


def _capabilities() -> Findings:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    have = int(status.split("CapEff:")[1].split()[0], 16)
    if missing := [name for name, bit in CAPABILITIES.items() if not have >> bit & 1]:
        yield Finding(
            f"root has no {', '.join(missing)}",
            "wrong",
            "bridges, namespaces and mounts need it; this looks like a container",
            "use a machine of your own, a privileged container (docker run --privileged), or up --simulate",
        )


def python(config: Config) -> Findings:
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


def settings(config: Config) -> Findings:
    from clearsky.engines import prepare  # noqa: PLC0415

    file = config.file
    if file is None:
        return
    # Whether it is readable by the account's group cannot be known before there is an account.
    if prepare.open_to_all(file.resolve().parent) and file.stat().st_mode & 0o044:
        yield Finding(f"settings in {file}", "ok")
    else:
        yield Finding(
            f"settings in {file}",
            "wrong",
            f"the api and the worker, which run as {config.cloud.user}, cannot read it",
            f"a folder that everybody may enter, such as /etc/clearsky, and: chmod 644 {file}"
            f" (with a password in it: chgrp {config.cloud.user}, chmod 640)",
        )


def room(config: Config) -> Findings:
    place = next(parent for parent in (config.state, *config.state.parents) if parent.exists())
    free = shutil.disk_usage(place).free // 1024**3
    yield Finding(
        f"{free} GiB free in {place}",
        "ok" if free >= DISK_GIB else "wrong",
        f"images and servers need at least {DISK_GIB} GiB",
        "make room, or set [cloud] state_dir",
    )
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    total, available = (
        int(text.split(f"{name}:")[1].split()[0]) // 1024 for name in ("MemTotal", "MemAvailable")
    )
    short = total < MEMORY_MIB or available < MEMORY_MIB // 2
    yield Finding(
        f"{total} MiB of memory, {available} available",
        "wrong" if total < MEMORY_MIB else "note" if short else "ok",
        f"the engines and one small server need {MEMORY_MIB} MiB",
        "use a larger machine, or end something on this one",
    )


def clock(config: Config) -> Findings:
    if time.time() < EARLIEST:
        yield Finding(
            f"clock: {time.strftime('%Y-%m-%d')}",
            "wrong",
            "tokens and certificates would not be valid",
            "set the clock: date -s ...",
        )
        return
    # struct timex: its first member, `modes`, is 0: only ask.
    answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256))
    if answer == TIME_ERROR:
        yield Finding(
            "clock",
            "note",
            "nothing keeps it right; tokens and certificates depend on it",
            "apt install chrony",
        )
    else:
        yield Finding("clock is kept right", "ok")


def kernel(config: Config) -> Findings:
    if Path("/dev/net/tun").exists():
        yield Finding("/dev/net/tun", "ok")
    else:
        yield Finding("/dev/net/tun", "wrong", "guests' NICs are TAP devices", "modprobe tun")
    yield from _namespaces(config)
    from clearsky.engines import prepare, virtualization  # noqa: PLC0415

    if prepare.datapath(config) == "kernel":
        yield Finding("Open vSwitch in the kernel", "ok")
    else:
        yield Finding(
            "Open vSwitch in the kernel",
            "note",
            "its module cannot be loaded, so packets are switched in user space",
            "a kernel with the module openvswitch",
        )
    if config.compute.virtualization != "auto":
        yield Finding(f"virtualization: {config.compute.virtualization}, as the settings say", "ok")
    elif not shutil.which("qemu-system-x86_64"):
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


def _namespaces(config: Config) -> Findings:
    """Try in a namespace of its own what networks are made of."""
    if os.geteuid() != 0:
        return
    tries: list[tuple[str, tuple[str, ...], str]] = [
        ("network namespaces", ("true",), "each network's metadata service is in one")
    ]
    if shutil.which("ip"):
        veth = ("ip", "link", "add", "name", "a", "type", "veth", "peer", "name", "b")
        tries.append(("veth pairs", veth, "they join the metadata services to the networks"))
    if shutil.which("nft") and config.network.masquerade:
        tries.append(("NAT in nftables", ("nft", NAT), "guests reach the world through this host's address"))
    for what, words, why in tries:
        done = subprocess.run(["unshare", "--net", *words], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            yield Finding(what, "ok")
        else:
            told = done.stderr.strip().splitlines()[:1]
            yield Finding(what, "wrong", why, f"a kernel with it ({''.join(told)})")


def packages(config: Config) -> Findings:
    from clearsky.engines import prepare  # noqa: PLC0415

    missing = prepare.missing_packages()
    if missing:
        words = " ".join(missing)
        yield Finding(
            f"packages: {words}", "note", "the engines are made of them", "clearsky up installs them"
        )
    else:
        yield Finding("all Debian packages", "ok")


def forwarding(config: Config) -> Findings:
    """Look at what keeps guests from reaching other machines."""
    if not config.network.masquerade:
        return
    if Path("/proc/sys/net/ipv4/ip_forward").read_text(encoding="ascii").strip() == "0":
        yield Finding("forwarding is off", "ok", mend="clearsky up switches it on")
    if not shutil.which("nft") or os.geteuid() != 0:
        return
    listed = subprocess.run(["nft", "-j", "list", "chains"], capture_output=True, text=True, check=False)
    with suppress(ValueError):
        for one in json.loads(listed.stdout or "{}").get("nftables", []):
            chain = one.get("chain", {})
            if (chain.get("hook"), chain.get("policy")) == ("forward", "drop"):
                where = f"{chain['family']} {chain['table']} {chain['name']}"
                yield Finding(
                    f"firewall: the chain `{where}` drops what is forwarded",
                    "note",
                    "guests may not reach other machines, nor be reached by them",
                    f"let {config.network.public_cidr} pass: nft insert rule {where} ip saddr"
                    f" {config.network.public_cidr} accept; nft insert rule {where} ip daddr"
                    f" {config.network.public_cidr} accept",
                )


def names(config: Config) -> Findings:
    """Look for others who use our port, range or names."""
    from clearsky.engines import keeper  # noqa: PLC0415

    running = keeper.of(config).processes()
    if not running.get("api") and not config.joined:
        yield from _port(config)
    if not running.get("ovs-vswitchd"):
        yield from _other_switch(config)
    yield from _other_libvirt(running)
    if (config.state / "ovs" / "conf.db").exists():
        return  # what is there is this cloud's own, from its last `up`
    yield from _devices(config)
    if config.is_provider_gateway:
        yield from _range(config)


def _devices(config: Config) -> Findings:
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


def _other_switch(config: Config) -> Findings:
    """Find another Open vSwitch where ours is to run: two would undo each other's datapath."""
    own = Path("/run/netns", config.cloud.namespace) if config.cloud.namespace else Path("/proc/self/ns/net")
    if not own.exists():
        return
    here = own.stat().st_ino
    for process in _named("ovs-vswitchd"):
        with suppress(OSError):
            if (process / "ns" / "net").stat().st_ino == here:
                yield Finding(
                    f"ovs-vswitchd, pid {process.name}",
                    "wrong",
                    "a network namespace has one datapath, and that process owns it",
                    "stop it (systemctl disable --now openvswitch-switch, or `down` of the other cloud), or give this"
                    ' cloud a network namespace of its own: [cloud] namespace = "NAME"',
                )


def _other_libvirt(running: dict[str, int | None]) -> Findings:
    for process in _named("libvirtd"):
        if int(process.name) not in running.values():
            yield Finding(
                f"another libvirtd, pid {process.name}: it and its guests are left alone, ours has its own folders",
                "ok",
            )


def _named(name: str) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "comm").read_text(encoding="utf-8").strip() == name:
                yield process


def _port(config: Config) -> Findings:
    api = config.api
    with socket.socket(socket.AF_INET6 if ":" in api.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((api.host, api.port))
        except OSError as error:
            yield Finding(
                f"address {api.host}:{api.port}", "wrong", f"{error.strerror}", "set [api] host and port"
            )


def _range(config: Config) -> Findings:
    cidr = ipaddress.ip_network(config.network.public_cidr)
    for device, route in _routes():
        if cidr.overlaps(route):
            yield Finding(
                f"range {cidr}",
                "wrong",
                f"this machine has a route to {route} by {device}",
                "set [network] public_cidr",
            )


def _routes() -> Iterator[tuple[str, ipaddress.IPv4Network]]:
    """Yield the machine's IPv4 routes but the default one, with their devices."""
    for line in Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        address, mask = (
            ipaddress.IPv4Address(struct.pack("<I", int(word, 16))) for word in (fields[1], fields[7])
        )
        if int(mask):
            yield fields[0], ipaddress.IPv4Network(f"{address}/{mask}")


ALL: tuple[Callable[[Config], Findings], ...] = (
    system,
    python,
    settings,
    room,
    clock,
    kernel,
    packages,
    forwarding,
    names,
)
