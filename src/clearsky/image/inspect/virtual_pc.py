"""VHD (Virtual PC) and VHDX (Hyper-V)."""

from __future__ import annotations

import struct
import uuid

from clearsky.errors import Invalid
from clearsky.image.inspect.source import Format, Source, need, not_too_large, within

_FIXED, _DYNAMIC = 2, 3
_REGIONS_OFFSET = 0x30000
_METADATA = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le
_FILE_PARAMETERS = uuid.UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B").bytes_le
_VIRTUAL_SIZE = uuid.UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8").bytes_le
_PARENT = uuid.UUID("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C").bytes_le


def look_vhd(source: Source, limit_bytes: int) -> Format:
    """Return the size of a fixed or dynamic VHD; raises Invalid for one that stands on another."""
    footer = need(source, max(0, source.size - 512), 512, "vhd")
    if not footer.startswith(b"conectix"):
        raise Invalid("The image is VHD but its footer is missing: it is truncated.")
    size, kind = _footer(footer)
    not_too_large(size, limit_bytes)
    if kind == _FIXED:
        if source.read(0, 8) == b"conectix" or size > source.size - 512:
            raise Invalid("The image is a fixed VHD that does not hold the bytes that its footer states.")
        return Format("vhd", size)
    head = need(source, 0, 512, "vhd")
    if not head.startswith(b"conectix") or _footer(head) != (size, kind):
        raise Invalid("The image is VHD whose header and footer contradict each other.")
    (offset,) = struct.unpack(">Q", head[16:24])
    dynamic = need(source, offset, 1024, "vhd")
    table, _, entries, block = struct.unpack(">QIII", dynamic[16:36])
    if not dynamic.startswith(b"cxsparse"):
        raise Invalid("The image's VHD header is broken: its dynamic part is missing.")
    if any(dynamic[40:56]):
        raise Invalid("The image is VHD that stands on another one: only a self-contained image is taken.")
    if block < 512 or block & (block - 1) or entries < -(-size // block):
        raise Invalid("The image's VHD header is broken: its blocks do not make up its size.")
    within(source, table, entries * 4, "vhd", "block table")
    return Format("vhd", size)


def _footer(sector: bytes) -> tuple[int, int]:
    """Return (size, kind)."""
    size, cylinders, heads, sectors, kind, checksum = struct.unpack(">QHBBII", sector[48:68])
    if checksum != ~sum(sector[:64] + sector[68:512]) & 0xFFFF_FFFF:
        raise Invalid("The image's VHD header is broken: its checksum is wrong.")
    if kind not in (_FIXED, _DYNAMIC):
        raise Invalid("The image is VHD that stands on another one: only a self-contained image is taken.")
    # QEMU takes the geometry for the size where some programs have made the image.
    return max(size, cylinders * heads * sectors * 512 if cylinders < 65535 else 0), kind


def look_vhdx(source: Source, limit_bytes: int) -> Format:
    """Return the size of a VHDX without a parent; raises Invalid for any other."""
    regions = need(source, _REGIONS_OFFSET, 64 << 10, "vhdx")
    count = struct.unpack("<I", regions[8:12])[0]
    if not regions.startswith(b"regi") or count > 2047:
        raise Invalid("The image's VHDX header is broken: its region table is missing.")
    entries = [struct.unpack("<16sQII", regions[at : at + 32]) for at in range(16, 16 + 32 * count, 32)]
    where = [offset for guid, offset, _, _ in entries if guid == _METADATA]
    if len(where) != 1:
        raise Invalid("The image's VHDX header is broken: it has not one metadata region.")
    table = need(source, where[0], 64 << 10, "vhdx")
    count = struct.unpack("<H", table[10:12])[0]
    if not table.startswith(b"metadata") or count > 2047:
        raise Invalid("The image's VHDX header is broken: its metadata table is missing.")
    items = {}
    for at in range(32, 32 + 32 * count, 32):
        guid, offset, _, _ = struct.unpack("<16sIII", table[at : at + 28])
        items[guid] = where[0] + offset
    if _FILE_PARAMETERS not in items or _VIRTUAL_SIZE not in items:
        raise Invalid("The image's VHDX header is broken: it states no size.")
    flags = struct.unpack("<I", need(source, items[_FILE_PARAMETERS] + 4, 4, "vhdx"))[0]
    if flags & 2 or _PARENT in items:
        raise Invalid("The image is VHDX that stands on another one: only a self-contained image is taken.")
    (size,) = struct.unpack("<Q", need(source, items[_VIRTUAL_SIZE], 8, "vhdx"))
    not_too_large(size, limit_bytes)
    return Format("vhdx", size)
