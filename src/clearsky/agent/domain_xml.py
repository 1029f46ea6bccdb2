"""What libvirt is told about a server. Pure: the same server gives the same domain."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from xml.etree import ElementTree as ET

from clearsky.agent.protocol import DesiredNic, DesiredServer

NAMESPACE = "https://clearsky.invalid/server/1"
HOT_PLUG_PORTS = 6
"""PCIe root ports that are free for disks and NICs added later: q35 cannot grow them while it runs."""
SLOTS = {"serial": 0x10, "balloon": 0x11, "rng": 0x12, "disks": 0x13, "config drive": 0x1C}
"""Slots of the root bus for what is never unplugged: each root port that a guest does not find saves it 30 ms of
boot under emulation."""
TCG_CACHE_MIB = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a server's parts are on this host."""

    root_disk: Path
    backing: tuple[Path, str] | None
    """The image below the root disk, and its format."""
    config_drive: Path | None
    console_log: Path
    vnc_socket: Path
    extra_disks: tuple[Path, ...]
    taps: dict[str, str]
    """Port id -> device."""
    accelerated: bool
    """KVM; else QEMU's own emulation (TCG)."""
    rescue: tuple[Path, tuple[Path, str] | None] | None = None
    """The disk to boot from in place of the root disk, and what is below it."""
    offloads: bool = True
    """The guest may leave checksums and segments to its NIC."""


def _add(parent: ET.Element, tag: str, text: str = "", **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, {name.rstrip("_"): value for name, value in attributes.items()})
    element.text = text or None
    return element


def _fixed(device: ET.Element, slot: int) -> None:
    """Put a device that is never unplugged on the root bus itself."""
    _add(device, "address", type="pci", domain="0x0000", bus="0x00", slot=f"0x{slot:02x}", function="0x0")


def domain(server: DesiredServer, layout: Layout) -> str:
    """Return the domain's XML."""
    root = ET.Element("domain", type="kvm" if layout.accelerated else "qemu")
    _add(root, "name", f"server-{server.id}")
    _add(root, "uuid", server.id)
    _add(root, "title", "".join(char for char in server.name if char.isprintable())[:200] or server.id)
    _add(root, "memory", str(server.memory_mib), unit="MiB")
    _add(root, "vcpu", str(server.vcpus))
    _firmware(root, server, layout)
    for event, act in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        _add(root, f"on_{event}", act)
    devices = _add(root, "devices")
    _disks(devices, layout)
    _add(devices, "controller", type="pci", model="pcie-root")
    for _ in range(len(server.nics) + HOT_PLUG_PORTS):
        _add(devices, "controller", type="pci", model="pcie-root-port")
    _add(devices, "controller", type="usb", model="none")
    for wanted in server.nics:
        devices.append(_nic(wanted, layout.taps[wanted.port_id], offloads=layout.offloads))
    _consoles(devices, layout)
    rng = _add(devices, "rng", model="virtio")
    _add(rng, "backend", "/dev/urandom", model="random")
    _fixed(rng, SLOTS["rng"])
    _fixed(_add(devices, "memballoon", model="virtio"), SLOTS["balloon"])
    return ET.tostring(root, encoding="unicode")


def nic(wanted: DesiredNic, tap: str, *, offloads: bool = True) -> str:
    """Return the XML of one NIC, to plug it into a running server."""
    return ET.tostring(_nic(wanted, tap, offloads=offloads), encoding="unicode")


def _nic(wanted: DesiredNic, tap: str, *, offloads: bool) -> ET.Element:
    interface = ET.Element("interface", type="ethernet")
    _add(interface, "mac", address=wanted.mac)
    _add(interface, "target", dev=tap, managed="no")
    _add(interface, "model", type="virtio")
    if not offloads:
        driver = _add(interface, "driver")
        off = dict.fromkeys(("csum", "tso4", "tso6", "ecn", "ufo"), "off")
        _add(driver, "host", gso="off", **off)
        _add(driver, "guest", **off)
    _add(interface, "mtu", size=str(wanted.mtu))
    _add(interface, "rom", enabled="no")
    _add(interface, "alias", name=f"ua-{wanted.port_id}")
    return interface


def _firmware(root: ET.Element, server: DesiredServer, layout: Layout) -> None:
    system = _add(root, "os")
    _add(system, "type", "hvm", arch="x86_64", machine="q35")
    _add(system, "boot", dev="hd")
    _add(system, "smbios", mode="sysinfo")
    sysinfo = _add(root, "sysinfo", type="smbios")
    about = _add(sysinfo, "system")
    # cloud-init knows an OpenStack guest by the product's name.
    for name, value in (
        ("manufacturer", "Clearsky"), ("product", "OpenStack Compute"), ("serial", server.id), ("uuid", server.id),
    ):  # fmt: skip
        _add(about, "entry", value, name=name)
    features = _add(root, "features")
    _add(features, "acpi")
    _add(features, "apic")
    if layout.accelerated:
        _add(root, "cpu", mode="host-model")
    else:
        _add(_add(features, "tcg"), "tb-cache", str(TCG_CACHE_MIB), unit="MiB")
        _add(root, "cpu", mode="maximum")
    _add(root, "clock", offset="utc")


def _disks(devices: ET.Element, layout: Layout) -> None:
    def disk(path: Path, kind: str, letter: str, slot: int) -> ET.Element:
        element = _add(devices, "disk", type="file", device="disk")
        _add(element, "driver", name="qemu", type=kind, cache="writeback", discard="unmap")
        _add(element, "source", file=str(path))
        _add(element, "target", dev=f"vd{letter}", bus="virtio")
        _fixed(element, slot)
        return element

    def overlay(path: Path, below: tuple[Path, str] | None) -> None:
        element = disk(path, "qcow2", next(letters), next(slots))
        if below is None:
            _add(element, "backingStore")
            return
        # Named in full, so that nobody looks into a guest's bytes to guess a format.
        backing = _add(element, "backingStore", type="file")
        _add(backing, "format", type=below[1])
        _add(backing, "source", file=str(below[0]))
        _add(backing, "backingStore")

    letters, slots = iter("abcdefgh"), count(SLOTS["disks"])
    if layout.rescue is not None:
        overlay(*layout.rescue)
    overlay(layout.root_disk, layout.backing)
    for path in layout.extra_disks:
        overlay(path, None)
    if layout.config_drive is not None:
        # On virtio: cloud kernels have no driver for q35's own CD-ROM.
        _add(disk(layout.config_drive, "raw", "z", SLOTS["config drive"]), "readonly")


def _consoles(devices: ET.Element, layout: Layout) -> None:
    serial = _add(devices, "serial", type="pty")
    _add(serial, "log", file=str(layout.console_log), append="on")
    _add(serial, "target", port="0")
    graphics = _add(devices, "graphics", type="vnc")
    _add(graphics, "listen", type="socket", socket=str(layout.vnc_socket))
    _add(_add(devices, "video"), "model", type="vga", vram="16384", heads="1")
    _fixed(_add(devices, "controller", type="virtio-serial", index="0"), SLOTS["serial"])
    channel = _add(devices, "channel", type="unix")
    _add(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
