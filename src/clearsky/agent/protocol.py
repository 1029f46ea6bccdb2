"""What the control plane and an agent say to each other: desired state down, observed state up.

The agent asks `GET /agent/v1/desired?host=H&since=R` on a UNIX socket. The answer is a `Desired` as JSON, at once
if its revision differs from R, else as soon as it does (an unchanged one after 25 s at the latest). It compares,
applies, and reports with `POST /agent/v1/observed` an `Observed`. Both are whole pictures of what is named in them,
so that any message may be lost or repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

PowerState = Literal["running", "shutdown", "paused", "suspended", "absent"]


@dataclass(frozen=True, slots=True)
class DesiredNic:
    port_id: str
    mac: str
    mtu: int


@dataclass(frozen=True, slots=True)
class DesiredDisk:
    """The root disk: a qcow2 overlay on the cached image, or a blank disk where `image_id` is None."""

    image_id: str | None
    image_path: str
    """Where the image service keeps the bytes on this machine; empty: they are fetched by id from the control plane."""
    image_format: str
    """raw or qcow2, as inspected by the image service; never taken from the bytes again."""
    size_gib: int
    """Virtual size; 0: the image's own."""
    image_size_bytes: int = 0
    """Virtual size of the image."""
    image_hash: str = ""
    """SHA-512 of the image's bytes, to verify what is fetched; empty: the image is not there any more."""
    token: str = ""
    """Changes when the disk is to be made anew, from nothing: what was on it is lost."""


@dataclass(frozen=True, slots=True)
class DesiredServer:
    id: str
    name: str
    power: Literal["running", "shutdown", "paused", "suspended"]
    """suspended: off, with its memory in a file that the next start goes on from."""
    vcpus: int
    memory_mib: int
    root_disk: DesiredDisk
    ephemeral_gib: int = 0
    swap_mib: int = 0
    nics: tuple[DesiredNic, ...] = ()
    config_drive: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    """Path -> content of the metadata tree (`openstack/latest/meta_data.json`, `ec2/latest/...`), base64 encoded.
    It is written whole before the guest starts; the config drive holds the `openstack/` and `ec2/` parts."""
    addresses: tuple[tuple[str, str], ...] = ()
    """(network id, fixed IP) pairs: who may ask the metadata service for this tree."""
    action: tuple[str, str] | None = None
    """The newest request that is not a state, and its idempotency token: ("reboot_soft" | "reboot_hard" |
    "crash_dump", token). The agent keeps the last token that it carried out in the server's folder."""
    hostname: str = ""
    wish: str = ""
    """A new text for each new desired state: `ObservedServer.reached` says it back."""
    rescue: DesiredDisk | None = None
    """The disk to boot from instead; the root disk is then the second one."""
    checkpoint: tuple[str, str] | None = None
    """The copy of the root disk that a resize can be reverted to: ("keep", token) makes it while the server is off,
    ("restore", token) puts it back in place of the root disk; None: there is to be none."""
    snapshot: str = ""
    """Token of a complete copy of the root disk that is to be made beside it, for an image; empty: none."""


@dataclass(frozen=True, slots=True)
class DesiredNetwork:
    """A network that has metadata (and so a namespace) on this host."""

    id: str
    metadata_port_id: str
    """Logical port of type localport."""
    metadata_mac: str
    metadata_cidrs: tuple[str, ...]
    """Own addresses with prefix length, besides 169.254.169.254/32."""
    mtu: int


@dataclass(frozen=True, slots=True)
class Desired:
    revision: str
    servers: tuple[DesiredServer, ...] = ()
    networks: tuple[DesiredNetwork, ...] = ()
    cached: tuple[DesiredDisk, ...] = ()
    """Images to be in the host's cache though no server may stand on them; `size_gib` means nothing here."""
    evicted: tuple[str, ...] = ()
    """Ids of images that are not to be kept in the cache once no server stands on them."""
    external_cidrs: tuple[str, ...] = ()
    """The host's own addresses (with prefix length) on the external bridge: first addresses of provider subnets."""
    databases: tuple[str, ...] = ()
    """Addresses of the machines that keep OVN's databases as a cluster; none: it is no cluster, or the host knows."""
    databases_pem: str = ""
    """By what these are known."""
    trusted_pem: str = ""
    """Whom OVN's southbound database on this host trusts; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the agent did for a resource, for the step journal."""

    resource_id: str
    step: str
    started_at: float
    """Seconds since the epoch."""
    duration_s: float
    outcome: Literal["ok", "failed"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ObservedServer:
    id: str
    power: PowerState
    error: str = ""
    """Why the desired state could not be reached; empty when it was."""
    action_done: str = ""
    """Token of the last action that was carried out."""
    console_path: str = ""
    """UNIX socket of the server's VNC console that the api may open."""
    plugged: tuple[str, ...] = ()
    """Ids of ports whose device is there and plugged into the integration bridge."""
    guest_stopped: bool = False
    """The guest powered itself off after the last start that the agent made: the control plane should follow."""
    reached: str = ""
    """The newest wish that was reached in full."""
    snapshot: str = ""
    """Token of the copy of the root disk that is complete; `snapshot_path` is where it lies, readable for the api's
    account."""
    snapshot_path: str = ""


@dataclass(frozen=True, slots=True)
class CachedImage:
    """A whole image in the host's cache. Times in seconds since the epoch."""

    size_bytes: int
    hits: int
    """How many disks have been made from it since the agent started."""
    used_at: float
    made_at: float


@dataclass(frozen=True, slots=True)
class Observed:
    host: str
    revision: str
    """Of the desired state that this report was made against."""
    servers: tuple[ObservedServer, ...] = ()
    """Every domain on this host that is ours, also those not desired any more; a desired one that is not there
    is reported as absent."""
    steps: tuple[Step, ...] = ()
    capacity: dict[str, Any] = field(default_factory=dict)
    """vcpus, memory_mib, disk_gib, memory_used_mib, disk_free_gib, hypervisor_type, hypervisor_version (int, as
    libvirt), cpu_info (dict), virtualization ("kvm"|"tcg"), traits (list of placement trait names), host_ip."""
    version: str = ""
    statistics: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Server id -> what it uses: state, uptime_s, cpus (list of ns), memory_mib, memory_used_mib, nics (port_id, mac,
    rx_octets, rx_errors, rx_drop, rx_packets, and tx_*), disks (name, read_bytes, read_requests, write_bytes,
    write_requests, errors). Only with `capacity`: empty otherwise."""
    cached: dict[str, CachedImage] = field(default_factory=dict)
    """Image id -> what is in the cache, all of it."""
    passwords: tuple[tuple[str, str], ...] = ()
    """(server id, password as its guest encrypted and posted it): each once, as an event."""
