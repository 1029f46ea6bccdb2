"""What can be done to a server while it runs, or to the memory it left behind; as libvirt does it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import libvirt

from clearsky.agent.domains import PREFIX, told
from clearsky.agent.host import HostError

ALIAS = "ua-"
"""The name of a NIC's device: this and its port's id."""
DETACH_S = 20.0
COPY_S = 1800.0
_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "suspended",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
}


def save(domain: libvirt.virDomain) -> None:
    """Write the memory to a file and end the guest: its next start goes on from there."""
    with told("suspending the server"):
        if domain.isActive():
            domain.managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING)


def forget_saved(domain: libvirt.virDomain) -> None:
    """Give up the memory of a suspended server: its next start is a cold one."""
    with told("dropping the server's saved memory"):
        if domain.hasManagedSaveImage():
            domain.managedSaveRemove()


def crash_dump(domain: libvirt.virDomain) -> None:
    """Send a non-maskable interrupt: the guest writes its dump, where it is set up to."""
    with told("interrupting the server"):
        domain.injectNMI()


def nics(domain: libvirt.virDomain) -> dict[str, str]:
    """Return port id -> MAC of the NICs that a running server has now."""
    with told("looking at the server's devices"):
        root = ET.fromstring(domain.XMLDesc())  # noqa: S314 - libvirt's own words
    found = {}
    for interface in root.iterfind("devices/interface"):
        alias, mac = interface.find("alias"), interface.find("mac")
        name = alias.get("name", "") if alias is not None else ""
        if name.startswith(ALIAS) and mac is not None:
            found[name.removeprefix(ALIAS)] = mac.get("address", "")
    return found


def attach(domain: libvirt.virDomain, xml: str) -> None:
    """Plug a device into a running server."""
    with told("attaching a device"):
        domain.attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def detach_nic(domain: libvirt.virDomain, port_id: str, mac: str) -> None:
    """Ask the guest to let a NIC go, and wait for it; raises HostError where it does not."""
    xml = f'<interface type="ethernet"><mac address="{mac}"/><alias name="{ALIAS}{port_id}"/></interface>'
    end, asked = time.monotonic() + DETACH_S, 0.0
    while port_id in nics(domain):
        if time.monotonic() > end:
            raise HostError(f"the guest does not let the device of port {port_id} go")
        # A guest that is just starting does not hear the first request.
        if time.monotonic() - asked > 5:
            asked = time.monotonic()
            try:
                domain.detachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
            except libvirt.libvirtError as error:
                # Asked before, or gone meanwhile.
                if error.get_error_code() not in (
                    libvirt.VIR_ERR_OPERATION_FAILED,
                    libvirt.VIR_ERR_DEVICE_MISSING,
                ):
                    raise HostError(f"detaching a device: {error}") from error
        time.sleep(0.05)


def copy_disk(domain: libvirt.virDomain, disk: str, target: Path) -> None:
    """Copy a running server's disk whole, as it is at one moment, into the qcow2 file `target`, which exists."""
    xml = f'<disk type="file"><source file="{target}"/><driver type="qcow2"/></disk>'
    flags = libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB | libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT
    with told("copying the disk"):
        if domain.blockJobInfo(disk):  # of an agent that died
            domain.blockJobAbort(disk)
        domain.blockCopy(disk, xml, {}, flags)
        end = time.monotonic() + COPY_S
        while True:
            job = domain.blockJobInfo(disk)
            if not job:
                raise HostError("copying the disk: the copy has ended by itself")
            if job["end"] and job["cur"] == job["end"]:
                domain.blockJobAbort(disk)
                return
            if time.monotonic() > end:
                domain.blockJobAbort(disk)
                raise HostError(f"copying the disk takes longer than {COPY_S:.0f} s")
            time.sleep(0.05)


# -- what servers use -------------------------------------------------------------------------------------------


def statistics(connection: libvirt.virConnect) -> dict[str, dict[str, Any]]:
    """Return what each running server uses, as `Observed.statistics` says."""
    wanted = (
        libvirt.VIR_DOMAIN_STATS_STATE
        | libvirt.VIR_DOMAIN_STATS_VCPU
        | libvirt.VIR_DOMAIN_STATS_BALLOON
        | libvirt.VIR_DOMAIN_STATS_INTERFACE
        | libvirt.VIR_DOMAIN_STATS_BLOCK
    )
    found = {}
    with told("reading the servers' statistics"):
        active = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
        for domain, numbers in connection.getAllDomainStats(wanted, active):
            if domain.name().startswith(PREFIX):
                found[domain.UUIDString()] = _statistics(numbers)
    return found


def _statistics(numbers: dict[str, Any]) -> dict[str, Any]:
    def each(kind: str) -> range:
        return range(int(numbers.get(f"{kind}.count", 0)))

    names = {"octets": "bytes", "packets": "pkts", "errors": "errs", "drop": "drop"}
    shown: dict[str, Any] = {
        "state": _STATES.get(numbers.get("state.state"), "shutdown"),
        "cpus": [int(numbers.get(f"vcpu.{n}.time", 0)) for n in range(int(numbers.get("vcpu.current", 0)))],
        "memory_mib": int(numbers.get("balloon.maximum", 0)) // 1024,
        "nics": [
            {"device": numbers.get(f"net.{n}.name", "")}
            | {
                f"{way}_{ours}": int(numbers.get(f"net.{n}.{way}.{theirs}", 0))
                for way in ("rx", "tx")
                for ours, theirs in names.items()
            }
            for n in each("net")
        ],
        "disks": [
            {
                "name": numbers.get(f"block.{n}.name", ""),
                "read_bytes": int(numbers.get(f"block.{n}.rd.bytes", 0)),
                "read_requests": int(numbers.get(f"block.{n}.rd.reqs", 0)),
                "write_bytes": int(numbers.get(f"block.{n}.wr.bytes", 0)),
                "write_requests": int(numbers.get(f"block.{n}.wr.reqs", 0)),
            }
            for n in each("block")
        ],
    }
    if "balloon.unused" in numbers and "balloon.available" in numbers:
        used = int(numbers["balloon.available"]) - int(numbers["balloon.unused"])
        shown["memory_used_mib"] = used // 1024
    return shown
