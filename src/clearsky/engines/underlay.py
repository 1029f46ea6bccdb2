"""The network below the tunnels: with the userspace datapath, its interface is a port of a bridge of the switch's own.

Only then can that datapath send packets of a tunnel itself. The bridge takes the interface's addresses and routes over.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from clearsky.config import Config
from clearsky.engines import namespace, prepare

APPEARS_S = 10.0


def ensure(config: Config) -> None:
    """Bridge the underlay's interface where the datapath needs it, and join the provider's network."""
    net = config.network
    if net.provider_device:
        prepare.vsctl(config, "--may-exist", "add-port", net.external_bridge, net.provider_device)
        _run(config, "ip", "link", "set", net.provider_device, "up")
        _plain(config, net.provider_device)
    if not config.several or prepare.datapath(config) != "netdev":
        return
    if net.underlay_device:
        _bridge(config, net.underlay_device, net.underlay_bridge)
    _plain(config, net.external_bridge)


def _bridge(config: Config, device: str, bridge: str) -> None:
    mac = _link(config, device)["address"]
    prepare.vsctl(
        config, "--may-exist", "add-br", bridge,
        "--", "set", "bridge", bridge, "datapath_type=netdev", f'other_config:hwaddr="{mac}"',
        "--", "--may-exist", "add-port", bridge, device,
    )  # fmt: skip
    end = time.monotonic() + APPEARS_S
    while bridge not in namespace.devices(config, inside=True):
        if time.monotonic() > end:
            raise RuntimeError(f"the bridge {bridge} did not appear; see the log of ovs-vswitchd")
        time.sleep(0.05)
    for each in (device, bridge):
        _plain(config, each)
        _run(config, "ip", "link", "set", each, "up")
    _take_over(config, device, bridge)


def _take_over(config: Config, device: str, bridge: str) -> None:
    """Move addresses and routes from the interface to the bridge. Addresses first: routes go by them."""
    routes = [
        (family, route)
        for family in ("-4", "-6")
        for route in json.loads(_run(config, "ip", "-j", family, "route", "show", "dev", device))
        if route.get("protocol") != "kernel" and not str(route["dst"]).startswith("fe80")
    ]
    for one in _link(config, device).get("addr_info", []):
        if one["scope"] != "global":
            continue
        cidr = f"{one['local']}/{one['prefixlen']}"
        _run(config, "ip", "address", "del", cidr, "dev", device)
        _run(config, "ip", "address", "replace", cidr, "dev", bridge, *(["nodad"] if ":" in cidr else []))
    for family, route in routes:
        via = ("via", route["gateway"]) if "gateway" in route else ()
        _run(config, "ip", family, "route", "replace", route["dst"], *via, "dev", bridge)


def _plain(config: Config, device: str) -> None:
    """Let nobody leave checksums or segments to this device: the userspace datapath would drop them in a tunnel."""
    _run(config, "ethtool", "-K", device, "tx", "off", check=False)


def _link(config: Config, device: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(_run(config, "ip", "-j", "address", "show", "dev", device))
    return found[0]


def _run(config: Config, *words: str, check: bool = True) -> str:
    done = subprocess.run([*namespace.entering(config), *words], check=False, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def remove(config: Config) -> None:
    """Give the interface back what the bridge had taken."""
    net = config.network
    if not net.underlay_device or net.underlay_bridge not in namespace.devices(config, inside=True):
        return
    _run(config, "ip", "link", "set", net.underlay_device, "up")
    prepare.vsctl(config, "--if-exists", "del-port", net.underlay_bridge, net.underlay_device)
    _take_over(config, net.underlay_bridge, net.underlay_device)
    prepare.vsctl(config, "--if-exists", "del-br", net.underlay_bridge)
