"""The network namespace of a cloud that stands beside others on its machine ([cloud] namespace).

In it are the switch, the agent and the servers; the APIs stay outside. Its kernel routes between the external bridge
and a veth pair to the machine, which has a route to each provider network. A veth as a port of the bridge would need
no routing, but the userspace datapath loses what a guest sends through one in large segments. Without a namespace, everything
here does nothing, or works on the machine itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import json
import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from clearsky.config import Config

FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000
INNER = "outside"
"""The veth's end in the namespace."""
LINKS = ipaddress.ip_network("198.18.0.0/15")
"""Where the pairs' addresses come from: a range that is for measurements, so hardly anybody's."""
OUTER_V6, INNER_V6 = "fe80::1", "fe80::2"


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
    """Give this machine its address on the provider network, or a route to it, so that it reaches floating IPs."""
    bridge = config.network.external_bridge
    _wait_for(config, bridge)
    cidr = ipaddress.ip_network(config.network.public_cidr)
    enter = entering(config)
    _run(*enter, "ip", "address", "replace", f"{cidr[1]}/{cidr.prefixlen}", "dev", bridge)
    _run(*enter, "ip", "link", "set", bridge, "up")
    if config.cloud.namespace:
        _join(config)
        route(config, [str(cidr)])


def route(
    config: Config, cidrs: Iterable[str], *, verb: str = "replace", outside: tuple[str, ...] = ()
) -> None:
    """Let the machine reach networks that are behind the namespace; `outside` are words that lead to the machine."""
    if not config.cloud.namespace:
        return
    via = {4: _link(config, outside)[1], 6: INNER_V6}
    for cidr in cidrs:
        network = ipaddress.ip_interface(cidr).network
        with contextlib.suppress(*([RuntimeError] if verb == "del" else [])):
            _run(
                *outside,
                "ip",
                "route",
                verb,
                str(network),
                "via",
                via[network.version],
                "dev",
                config.external_device,
            )


def _join(config: Config) -> None:
    """Make the veth pair with its addresses, the routes through it, and forwarding in the namespace."""
    name, outer = config.cloud.namespace, config.external_device
    if outer not in devices(config, inside=False):
        _run("ip", "link", "add", "name", outer, "type", "veth", "peer", "name", INNER, "netns", name)
    ours, theirs = _link(config)
    for words, device, address, address_v6 in (
        ((), outer, ours, OUTER_V6),
        (("-n", name), INNER, theirs, INNER_V6),
    ):
        _run("ip", *words, "address", "replace", f"{address}/30", "dev", device)
        _run("ip", *words, "address", "replace", f"{address_v6}/64", "dev", device, "nodad")
        _run("ip", *words, "link", "set", device, "up")
    _run("ip", "-n", name, "route", "replace", "default", "via", ours)
    _run("ip", "-n", name, "-6", "route", "replace", "default", "via", OUTER_V6, "dev", INNER)
    # What this machine sends comes from its address on the provider network, as it does without a namespace.
    rules = f"""
table ip clearsky {{}}
delete table ip clearsky
table ip clearsky {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {ours} oifname "{config.network.external_bridge}" masquerade
  }}
}}
"""
    _run(*entering(config), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    _run(*entering(config), "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
    _run(*entering(config), "nft", "-f", "-", told=rules)


def _link(config: Config, outside: tuple[str, ...] = ()) -> tuple[str, str]:
    """Return the two addresses of the veth pair: those that it has, else the first that are free on this machine."""
    shown = json.loads(_run(*outside, "ip", "-j", "-4", "address"))
    used = {}
    for device in shown:
        for one in device.get("addr_info", []):
            network = ipaddress.ip_interface(f"{one['local']}/{one['prefixlen']}").network
            if device["ifname"] == config.external_device:
                return str(network[1]), str(network[2])
            used[network] = device["ifname"]
    for network in LINKS.subnets(new_prefix=30):
        if not any(network.overlaps(other) for other in used):
            return str(network[1]), str(network[2])
    raise RuntimeError(f"no free range in {LINKS} for {config.external_device}")


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


def _run(*words: str, told: str | None = None) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True, input=told)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
