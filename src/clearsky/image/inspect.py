"""What a disk image really is, read off its header; never what a client, a file name or another header says.

Pure and bounded: it looks at the first few hundred KiB only, follows no reference, and refuses everything that
would let an image name something outside itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from clearsky.errors import Invalid

HEAD_BYTES = 256 * 1024
"""How much of an image `inspect` wants to see."""
_QCOW2_KNOWN_INCOMPATIBLE = 0x1 | 0x8 | 0x10
"""Dirty bit, compression type, extended L2 entries. Corrupt (0x2) and external data file (0x4) are refused."""


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    """qcow2, raw, vmdk, vdi, vhd, vhdx, iso, qed, luks."""
    virtual_size: int | None
    """Bytes; None: as many as the file has."""


def inspect(head: bytes) -> Format:
    """Return the format that the head of an image shows; raises Invalid for one that must not be used."""
    for magic, offset, look in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return look(head)
    if head.lstrip()[:22].startswith(b"# Disk DescriptorFile"):
        raise Invalid(
            "The image is a VMDK descriptor that names other files: only a self-contained image is taken."
        )
    return Format("raw", None)


def _need(head: bytes, size: int, name: str) -> None:
    if len(head) < size:
        raise Invalid(f"The image starts like {name} but ends within its header.")


def _qcow2(head: bytes) -> Format:
    _need(head, 72, "qcow2")
    version, backing_offset, backing_size, cluster_bits, size, crypt, l1_size = struct.unpack(
        ">IQIIQII", head[4:40]
    )
    if version not in (2, 3):
        raise Invalid(f"The image is qcow2 of version {version}; versions 2 and 3 are taken.")
    if backing_offset or backing_size:
        raise Invalid("The image is qcow2 with a backing file: only a self-contained image is taken.")
    if crypt:
        raise Invalid("The image is encrypted qcow2, which is not taken.")
    if not 9 <= cluster_bits <= 21:
        raise Invalid(
            f"The image's qcow2 header is broken: cluster_bits is {cluster_bits}, not between 9 and 21."
        )
    entries = -(-size // (1 << (2 * cluster_bits - 3)))
    if l1_size < entries or l1_size > entries + (1 << 22):
        raise Invalid("The image's qcow2 header is broken: its first-level table does not fit its size.")
    if version == 3:
        _need(head, 104, "qcow2")
        (incompatible,) = struct.unpack(">Q", head[72:80])
        if incompatible & 0x4:
            raise Invalid(
                "The image is qcow2 with an external data file: only a self-contained image is taken."
            )
        if incompatible & ~_QCOW2_KNOWN_INCOMPATIBLE:
            raise Invalid(f"The image is qcow2 with features that are not taken: {incompatible:#x}.")
    return Format("qcow2", size)


def _vmdk(head: bytes) -> Format:
    _need(head, 512, "vmdk")
    capacity, _, descriptor_offset, descriptor_size = struct.unpack("<QQQQ", head[12:44])
    start, length = descriptor_offset * 512, descriptor_size * 512
    if not descriptor_offset > 0 or length > 65536 or start + length > len(head):
        raise Invalid("The image is a VMDK without a descriptor where one is expected.")
    descriptor = head[start : start + length].split(b"\0", 1)[0].decode("ascii", "replace")
    kinds = [
        line.split("=", 1)[1].strip(' "') for line in descriptor.splitlines() if line.startswith("createType")
    ]
    extents = [line for line in descriptor.splitlines() if line.startswith(("RW ", "RDONLY ", "NOACCESS "))]
    if kinds not in (["monolithicSparse"], ["streamOptimized"]) or len(extents) > 1:
        raise Invalid(
            f"The image is a VMDK of type {', '.join(kinds) or 'unknown'}: only self-contained ones are taken."
        )
    return Format("vmdk", capacity * 512)


def _vdi(head: bytes) -> Format:
    _need(head, 0x180, "vdi")
    return Format("vdi", struct.unpack("<Q", head[0x170:0x178])[0])


def _vhd(head: bytes) -> Format:
    _need(head, 512, "vhd")
    return Format("vhd", struct.unpack(">Q", head[48:56])[0])


def _refuse_qed(_head: bytes) -> Format:
    raise Invalid("The image is QED, which is not taken: convert it to qcow2.")


_MAGICS = (
    (b"QFI\xfb", 0, _qcow2),
    (b"KDMV", 0, _vmdk),
    (b"\x7f\x10\xda\xbe", 0x40, _vdi),
    (b"conectix", 0, _vhd),
    (b"vhdxfile", 0, lambda _head: Format("vhdx", None)),
    (b"QED\0", 0, _refuse_qed),
    (b"LUKS\xba\xbe", 0, lambda _head: Format("luks", None)),
    (b"CD001", 0x8001, lambda _head: Format("iso", None)),
)
_SAME = {"ami": "raw", "aki": "raw", "ari": "raw", "ploop": "raw"}


def check(declared: str, head: bytes, size: int, limit_bytes: int) -> Format:
    """Return what the image is; raises Invalid where that is not what was declared, or is larger than allowed."""
    found = inspect(head)
    if _SAME.get(declared, declared) != found.name:
        raise Invalid(
            f"disk_format is {declared!r} but the data is {found.name!r}. Declare what it is, or convert it."
        )
    virtual = found.virtual_size if found.virtual_size is not None else size
    if virtual > limit_bytes:
        raise Invalid(
            f"The image claims a virtual size of {virtual} bytes; at most {limit_bytes} are allowed."
        )
    return Format(found.name, virtual)
