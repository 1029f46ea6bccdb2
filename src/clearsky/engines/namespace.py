"""The network namespace of a cloud that stands beside others on its machine ([cloud] namespace).

In it are the switch, the agent and the servers; the APIs stay outside. A veth pair joins its external bridge to this
machine: the outer end has the machine's addresses on the provider networks, as the bridge has where there is no
namespace. Everything here does nothing, or works on the bridge, for a cloud without one.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import json
import os
import subprocess
import time
from pathlib import Path

from clearsky.config import Config

FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000
INNER = "outside"
"""The veth's end in the namespace, a port of the external bridge."""


def entering(config: Config) -> tuple[str, ...]:
    """Return the words that, put before a command, run it in the namespace."""
    # Not `ip netns exec`: that hides the control groups.
    return ("nsenter", f"--net={FOLDER / config.cloud.namespace}", "--") if config.cloud.namespace else ()


def exists(config: Config) -> bool:
    return bool(config.cloud.namespace) and (FOLDER / config.cloud.namespace).exists()


def devices(config: Config, *, inside: bool) -> set[str]:
    """Return the names of the network devices in the namespace, or outside of it."""
    words = entering(config) if inside else ()
    shown = subprocess.run([*words, "ip", "-j", "link"], check=True, capture_output=True, text=True).stdout
    return {one["ifname"] for one in json.loads(shown)}


def ensure(config: Config) -> None:
    """Make the namespace."""
    if not config.cloud.namespace:
        return
    if not exists(config):
        _run("ip", "netns", "add", config.cloud.namespace)
    _run("ip", "-n", config.cloud.namespace, "link", "set", "lo", "up")


def ensure_joint(config: Config) -> None:
    """Give this machine its device and its address on the provider network, so that it reaches floating IPs."""
    bridge = config.network.external_bridge
    _wait_for(config, bridge)
    if config.cloud.namespace:
        _join(config)
    cidr = ipaddress.ip_network(config.network.public_cidr)
    device = config.external_device
    _run("ip", "address", "replace", f"{cidr[1]}/{cidr.prefixlen}", "dev", device)
    _run("ip", "link", "set", device, "up")


def _join(config: Config) -> None:
    name, outer = config.cloud.namespace, config.external_device
    if outer not in devices(config, inside=False):
        _run("ip", "link", "add", outer, "type", "veth", "peer", "name", INNER, "netns", name)
    for words in ((), entering(config)):
        # A userspace datapath delivers frames whose checksum nobody has filled in.
        _run(*words, "ethtool", "-K", outer if not words else INNER, "tx", "off")
    for device in (INNER, config.network.external_bridge):
        _run("ip", "-n", name, "link", "set", device, "up")
    _run(
        "ovs-vsctl", f"--db={config.open_vswitch}", "--timeout=10",
        "--may-exist", "add-port", config.network.external_bridge, INNER,
    )  # fmt: skip


def _wait_for(config: Config, bridge: str) -> None:
    end = time.monotonic() + 10
    while bridge not in devices(config, inside=True):
        if time.monotonic() > end:
            raise RuntimeError(f"the bridge {bridge} did not appear; see the log of ovs-vswitchd")
        time.sleep(0.05)


def remove(config: Config) -> None:
    """Remove the namespace with all that is in it."""
    if not config.cloud.namespace:
        return
    for words in (("link", "delete", config.external_device), ("netns", "delete", config.cloud.namespace)):
        with contextlib.suppress(RuntimeError):
            _run("ip", *words)


def enter(config: Config) -> tuple[str, ...]:
    """Let the calling process, while it has one thread, go on in the namespace.

    Returns the words that, put before a command, run it in the namespace that was left.
    """
    if not config.cloud.namespace:
        return ()
    left = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    with (FOLDER / config.cloud.namespace).open() as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"entering the namespace {config.cloud.namespace}")
    return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{left}", "--")


def _run(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
