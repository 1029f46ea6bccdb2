"""VMDK: only the two kinds that hold everything in one file, monolithicSparse and streamOptimized."""

from __future__ import annotations

import re
import struct

from clearsky.errors import Invalid
from clearsky.image.inspect.source import Format, Source, need, not_too_large, within

_TAKEN = ("monolithicSparse", "streamOptimized")
_DESCRIPTOR_LIMIT = 64 << 10
_AT_END = 0xFFFF_FFFF_FFFF_FFFF
_EXTENT = re.compile(r'(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)(?:\s+"([^"]*)")?(.*)')


def look(source: Source, limit_bytes: int) -> Format:
    """Return the size; raises Invalid for an image that consists of several files, or names any other."""
    mark = source.read(0, 4)
    if mark == b"COWD":
        raise Invalid("The image is a VMDK of the ESX kind, whose extents are files of their own.")
    if mark != b"KDMV":
        raise Invalid(
            "The image is a VMDK descriptor that names other files: only a self-contained image is taken."
        )
    head = need(source, 0, 512, "vmdk")
    capacity, grains, gd_offset = _header(head)
    descriptor_offset, descriptor_size = struct.unpack("<QQ", head[28:44])
    start, length = descriptor_offset * 512, descriptor_size * 512
    if not 0 < start < 1 << 32 or not 0 < length <= _DESCRIPTOR_LIMIT:
        raise Invalid("The image is a VMDK without a descriptor where one is expected.")
    kind = _descriptor(need(source, start, length, "vmdk"), capacity)
    if gd_offset == _AT_END:
        if kind != "streamOptimized":
            raise Invalid(f"The image is a VMDK of type {kind} with a footer, which only streams have.")
        footer = need(source, max(0, source.size - 1024), 512, "vmdk")
        if not footer.startswith(b"KDMV") or _header(footer)[:2] != (capacity, grains):
            raise Invalid("The image is a VMDK whose footer is missing or contradicts its header.")
        gd_offset = _header(footer)[2]
    within(source, gd_offset * 512, 4, "vmdk", "grain directory")
    not_too_large(capacity * 512, limit_bytes)
    return Format("vmdk", capacity * 512)


def _header(sector: bytes) -> tuple[int, int, int]:
    """Return (capacity in sectors, grain size in sectors, sector of the grain directory)."""
    version, _, capacity, grains = struct.unpack("<IIQQ", sector[4:28])
    (gd_offset,) = struct.unpack("<Q", sector[56:64])
    if version not in (1, 2, 3):
        raise Invalid(f"The image is a VMDK of version {version}; versions 1 to 3 are taken.")
    if not capacity:
        # QEMU then believes the descriptor alone, with whatever files it names.
        raise Invalid("The image is a VMDK that states no capacity: only a self-contained image is taken.")
    if grains < 8 or grains & (grains - 1) or grains > 4096:
        raise Invalid(f"The image's VMDK header is broken: its grain size is {grains} sectors.")
    return capacity, grains, gd_offset


def _descriptor(raw: bytes, capacity: int) -> str:
    lines = [line.strip() for line in raw.split(b"\0", 1)[0].decode("utf-8", "replace").splitlines()]
    kinds = [
        line.split("=", 1)[1].strip(' "')
        for line in lines
        if re.match(r"createType\s*=", line, re.IGNORECASE)
    ]
    if len(kinds) != 1 or kinds[0] not in _TAKEN:
        raise Invalid(
            f"The image is a VMDK of type {', '.join(kinds)[:80] or 'unknown'}; "
            f"taken are {' and '.join(_TAKEN)}, which hold everything in one file."
        )
    parents = [line for line in lines if re.match(r"parent(CID|FileNameHint)\s*=", line, re.IGNORECASE)]
    if any("cid" not in one.lower() or one.split("=")[1].strip().lower() != "ffffffff" for one in parents):
        raise Invalid("The image is a VMDK with a parent: only a self-contained image is taken.")
    extents = [match for line in lines if (match := _EXTENT.match(line))]
    if len(extents) != 1:
        raise Invalid(f"The image is a VMDK of {len(extents)} extents: only one is taken, in the same file.")
    access, sectors, type_, name, rest = extents[0].groups()
    if access != "RW" or type_ != "SPARSE" or not name or "/" in name or "\\" in name or rest.strip():
        raise Invalid(f"The image is a VMDK whose extent is outside of it: {extents[0][0][:120]!r}.")
    if int(sectors) != capacity:
        raise Invalid("The image is a VMDK whose descriptor and header state different sizes.")
    return kinds[0]
