"""VDI, the format of VirtualBox."""

from __future__ import annotations

import struct

from clearsky.errors import Invalid
from clearsky.image.inspect.source import Format, Source, need, not_too_large, within

_KINDS = {1: "dynamic", 2: "static"}


def look(source: Source, limit_bytes: int) -> Format:
    """Return the size of a dynamic or static image without a parent; raises Invalid for any other."""
    head = need(source, 0, 512, "vdi")
    version, _, kind = struct.unpack("<III", head[0x44:0x50])
    offset_blocks, offset_data = struct.unpack("<II", head[0x154:0x15C])
    size, block, _, blocks, _ = struct.unpack("<QIIII", head[0x170:0x188])
    parents = head[0x1A8:0x1C8]
    if version != 0x10001:
        raise Invalid(f"The image is VDI of version {version:#x}; version 1.1 is taken.")
    if kind not in _KINDS or any(parents):
        raise Invalid("The image is VDI that stands on another one: only a self-contained image is taken.")
    if block != 1 << 20 or blocks < -(-size // block):
        raise Invalid("The image's VDI header is broken: its blocks do not make up its size.")
    not_too_large(size, limit_bytes)
    within(source, offset_blocks, blocks * 4, "vdi", "block map")
    within(source, offset_data, 0, "vdi", "data")
    return Format("vdi", size)
