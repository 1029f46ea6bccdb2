"""What `down` does besides ending processes: servers are switched off; with a purge, nothing stays on the host."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import struct
import subprocess
import time
from pathlib import Path

from clearsky.config import Config
from clearsky.engines import masquerade, namespace, prepare, underlay

POWER_BUTTON_S = 20.0
TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000


def stop_servers(config: Config) -> None:
    """Press every server's power button and cut the power of those that do not follow. They start again with `up`."""
    import libvirt  # noqa: PLC0415 - 16 MB that the supervisor needs in its last seconds only

    libvirt.registerErrorHandler(lambda *_: None, None)
    try:
        connection = libvirt.open(config.libvirt_uri)
    except libvirt.libvirtError:
        return

    def active(domain: libvirt.virDomain) -> bool:
        with contextlib.suppress(libvirt.libvirtError):
            return bool(domain.isActive())
        return False

    running = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
    end = time.monotonic() + POWER_BUTTON_S
    for domain in running:
        with contextlib.suppress(libvirt.libvirtError):
            domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    while time.monotonic() < end and any(active(domain) for domain in running):
        time.sleep(0.1)
    for domain in running:
        with contextlib.suppress(libvirt.libvirtError):
            if domain.isActive():
                domain.destroy()
    connection.close()


def remove_network(config: Config) -> None:
    """Remove bridges, devices and namespaces of this cloud, while Open vSwitch still runs."""
    bridges = (config.network.integration_bridge, config.network.external_bridge)
    with contextlib.suppress(RuntimeError, subprocess.CalledProcessError, OSError):
        underlay.remove(config)
    with contextlib.suppress(subprocess.CalledProcessError, OSError):
        found = json.loads(
            prepare.vsctl(config, "--format=json", "--columns=name,external_ids", "list", "interface")
        )
        ours = [name for name, ids in found["data"] if "clearsky-owner" in dict(ids[1])]
        words = [word for bridge in bridges for word in ("--", "--if-exists", "del-br", bridge)]
        prepare.vsctl(config, *words[1:])
        for name in ours:
            _run(*namespace.entering(config), "ip", "link", "delete", "dev", name)
    with contextlib.suppress(FileNotFoundError):
        for network in os.listdir(config.run / "metadata"):
            _run("ip", "netns", "delete", f"{config.network.device_prefix}-{network[:11]}")
    masquerade.remove(config)
    namespace.remove(config)


def remove_idle_tap(name: str) -> None:
    """Remove a TAP device that nobody holds: the userspace datapath's own, which its other users may share."""
    if name not in {device for _, device in socket.if_nameindex()}:
        return
    with contextlib.suppress(OSError), Path("/dev/net/tun").open("r+b", buffering=0) as tun:
        request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI)
        fcntl.ioctl(tun, TUNSETIFF, request)  # refused while somebody holds it
        fcntl.ioctl(tun, TUNSETPERSIST, 0)


def remove_view(config: Config) -> None:
    """Take away the view of the program that processes without rights had."""
    subprocess.run(["umount", str(config.run / "program")], check=False, capture_output=True)
    with contextlib.suppress(OSError):
        (config.run / "program").rmdir()


def _run(*words: str) -> None:
    subprocess.run(words, check=False, capture_output=True)
