"""QCOW2, as qemu's docs/interop/qcow2.txt describes it."""

from __future__ import annotations

import struct

from clearsky.errors import Invalid
from clearsky.image.inspect.source import Format, Source, need, not_too_large, within

_KNOWN_INCOMPATIBLE = 0x1 | 0x8 | 0x10
"""Dirty bit, compression type, extended L2 entries. Corrupt (0x2) and external data file (0x4) are refused."""
_L1_LIMIT_BYTES = 32 << 20
"""What QEMU itself is willing to load."""
_SNAPSHOTS_LIMIT = 1024
_END, _DATA_FILE, _ENCRYPTION = 0, 0x44415441, 0x0537BE77


def look(source: Source, limit_bytes: int) -> Format:
    """Return the size of a self-contained, unencrypted image; raises Invalid for any other."""
    head = need(source, 0, 72, "qcow2")
    version, backing_offset, backing_size, cluster_bits, size, crypt, l1_size, l1_offset = struct.unpack(
        ">IQIIQIIQ", head[4:48]
    )
    refcounts_offset, refcounts_clusters, snapshots, snapshots_offset = struct.unpack(">QIIQ", head[48:72])
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
    if version == 3:
        _features(source, 1 << cluster_bits)
    else:
        _extensions(source, 72, 1 << cluster_bits)
    not_too_large(size, limit_bytes)
    bits = 2 * cluster_bits - (4 if version == 3 and _extended(source) else 3)
    entries = -(-size // (1 << bits))
    if l1_size < entries or l1_size * 8 > _L1_LIMIT_BYTES:
        raise Invalid("The image's qcow2 header is broken: its first-level table does not fit its size.")
    if snapshots > _SNAPSHOTS_LIMIT:
        raise Invalid(f"The image is qcow2 with {snapshots} snapshots; at most {_SNAPSHOTS_LIMIT} are taken.")
    within(source, l1_offset, l1_size * 8, "qcow2", "first-level table")
    within(source, refcounts_offset, min(refcounts_clusters, 1) << cluster_bits, "qcow2", "refcount table")
    within(source, snapshots_offset if snapshots else 0, snapshots * 40, "qcow2", "snapshot table")
    return Format("qcow2", size)


def _features(source: Source, cluster: int) -> None:
    more = need(source, 72, 32, "qcow2")
    incompatible, _, _, _, length = struct.unpack(">QQQII", more)
    if incompatible & 0x4:
        raise Invalid("The image is qcow2 with an external data file: only a self-contained image is taken.")
    if incompatible & ~_KNOWN_INCOMPATIBLE:
        raise Invalid(f"The image is qcow2 with features that are not taken: {incompatible:#x}.")
    if not 104 <= length <= cluster or length % 8:
        raise Invalid(f"The image's qcow2 header is broken: it says that it is {length} bytes long.")
    _extensions(source, length, cluster)


def _extended(source: Source) -> bool:
    return bool(struct.unpack(">Q", need(source, 72, 8, "qcow2"))[0] & 0x10)


def _extensions(source: Source, offset: int, cluster: int) -> None:
    """Walk the header's extensions: none may name a file or a key."""
    while offset + 8 <= min(cluster, source.size):
        kind, length = struct.unpack(">II", need(source, offset, 8, "qcow2"))
        if kind == _END:
            return
        if kind == _DATA_FILE:
            raise Invalid(
                "The image is qcow2 that names an external data file: only a self-contained image is taken."
            )
        if kind == _ENCRYPTION:
            raise Invalid("The image is encrypted qcow2, which is not taken.")
        offset += 8 + -(-length // 8) * 8
        if offset > cluster:
            raise Invalid("The image's qcow2 header is broken: an extension leaves it.")
