"""Disk images to be inspected: real ones by qemu-img, hostile ones by hand."""

from __future__ import annotations

import io
import struct
import subprocess
import tarfile
import uuid
from pathlib import Path

MIB = 1 << 20
VMDK_DESCRIPTOR = """# Disk DescriptorFile
version=1
CID=12345678
parentCID=ffffffff
createType="{kind}"
{extents}
"""


def made(folder: Path, format: str, *options: str, size: str = "8M") -> bytes:
    """Return what qemu-img makes, with some data in it."""
    source, target = folder / "source", folder / f"image.{format}"
    source.write_bytes(b"clear sky" * 10_000 + b"\0" * (8 * MIB - 90_000))
    words = ["qemu-img", "convert", "-f", "raw", "-O", format, *options, str(source), str(target)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


def qcow2(
    version=3, backing=0, cluster_bits=16, size=MIB, l1_size=1, incompatible=0, crypt=0, l1_offset=0x30000,
    refcounts=0x10000, snapshots=0, snapshots_offset=0, length=104, extensions=b"", total=0x40000,
):  # fmt: skip
    head = b"QFI\xfb" + struct.pack(
        ">IQIIQIIQ", version, backing, 8 if backing else 0, cluster_bits, size, crypt, l1_size, l1_offset
    )
    head += struct.pack(">QIIQ", refcounts, 1, snapshots, snapshots_offset)
    head += struct.pack(">QQQII", incompatible, 0, 0, 4, length) + extensions
    return head.ljust(total, b"\0")


def extension(kind: int, content: bytes) -> bytes:
    return struct.pack(">II", kind, len(content)) + content.ljust(-(-len(content) // 8) * 8, b"\0")


def vmdk(
    kind="monolithicSparse", extents='RW 2048 SPARSE "image.vmdk"', capacity=2048, grains=128, gd=21, version=1,
    descriptor=None, descriptor_sector=1,
):  # fmt: skip
    text = (VMDK_DESCRIPTOR.format(kind=kind, extents=extents) if descriptor is None else descriptor).encode()
    head = b"KDMV" + struct.pack("<IIQQQQ", version, 3, capacity, grains, descriptor_sector, 20)
    head += struct.pack("<IQQQ", 512, 21, gd, 128)
    return (head.ljust(512, b"\0") + text.ljust(20 * 512, b"\0")).ljust(65536, b"\0")


def vdi(version=0x10001, kind=1, size=MIB, block=MIB, blocks=1, map_at=512, parent=b""):
    head = (
        b"<<< a disk >>>".ljust(0x40, b"\0") + b"\x7f\x10\xda\xbe" + struct.pack("<III", version, 400, kind)
    )
    head = head.ljust(0x154, b"\0") + struct.pack("<II", map_at, MIB)
    head = head.ljust(0x170, b"\0") + struct.pack("<QIIII", size, block, 0, blocks, blocks)
    return (head.ljust(0x1A8, b"\0") + parent).ljust(2 * MIB, b"\0")


def vhd_footer(size=MIB, kind=2, offset=0xFFFFFFFFFFFFFFFF, checksum=None):
    sector = b"conectix" + struct.pack(
        ">IIQIIIIQQHBBI", 2, 0x10000, offset, 0, 0, 0, 0, size, size, 0, 0, 0, kind
    )
    right = ~sum(sector) & 0xFFFFFFFF
    return (sector + struct.pack(">I", right if checksum is None else checksum)).ljust(512, b"\0")


def vhd_dynamic(size=4 * MIB, kind=3, block=2 * MIB, entries=2, table=1536, parent=b"", mark=b"cxsparse"):
    footer = vhd_footer(size, kind, 512)
    dynamic = mark + struct.pack(">QQIIII", 2**64 - 1, table, 0x10000, entries, block, 0) + parent
    return (footer + dynamic.ljust(1024, b"\0")).ljust(8192, b"\xff") + footer


def vhdx(parent=False, size=MIB, locator=False, regions=b"regi"):
    guids = [uuid.UUID(one).bytes_le for one in ("CAA16737-FA36-4D43-B3B6-33F0AA44E76B",
             "2FA54224-CD1B-4876-B211-5DBED83BF4B8", "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C")]  # fmt: skip
    region = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le
    data = b"vhdxfile".ljust(0x30000, b"\0") + regions + struct.pack("<III", 0, 1, 0)
    data = (data + struct.pack("<16sQII", region, 2 * MIB, MIB, 1)).ljust(2 * MIB, b"\0")
    count = 3 if locator else 2
    data += b"metadata" + struct.pack("<HH", 0, count).ljust(24, b"\0")
    for number in range(count):
        data += struct.pack("<16sIIII", guids[number], 0x10000 + 8 * number, 8, 0, 0)
    data = data.ljust(2 * MIB + 0x10000, b"\0") + struct.pack("<II", MIB, 2 if parent else 0)
    return (data + struct.pack("<Q", size)).ljust(4 * MIB, b"\0")


def mbr(first=b""):
    """A disk with a partition table, and something else before it."""
    partition = struct.pack("<B3sB3sII", 0x80, b"", 0x83, b"", 2048, 2048)
    return (first.ljust(446, b"\0") + partition).ljust(510, b"\0") + b"\x55\xaa" + b"\0" * MIB


def iso(first=b""):
    return first.ljust(0x8000, b"\0") + b"\x01CD001\x01" + b"\0" * 4096


def tar(*members: tuple[str, bytes], link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if link:
                info.type, info.linkname, info.size = tarfile.SYMTYPE, link, 0
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()
