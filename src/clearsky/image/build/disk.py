"""A bootable disk without loop devices or mounts: MBR, a FAT partition with syslinux, an ext4 root partition."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from clearsky.image.build.packages import run

MIB = 1048576
SECTOR = 512
FIRST_SECTOR = 2048
BOOT_MIB = 24
MBR_CODE = Path("/usr/lib/SYSLINUX/mbr.bin")
FAT16_LBA, LINUX = 0x0E, 0x83


def make(
    target: Path,
    scratch: Path,
    root: Path,
    boot_files: Mapping[str, Path],
    *,
    command_line: str,
    root_mib: int,
    boot_mib: int = BOOT_MIB,
) -> None:
    """Write a raw disk image to `target`.

    `boot_files` go to the boot partition and must contain `vmlinuz` and `initrd`; `root` becomes the root file
    system, labelled clear-root. Both partitions and their file systems have the sizes given, in MiB.
    """
    fat, ext4 = scratch / "boot.img", scratch / "root.img"
    _fat(fat, scratch, boot_files, command_line, boot_mib)
    with ext4.open("wb") as file:
        file.truncate(root_mib * MIB)
    run(
        "mke2fs",
        "-q",
        "-t",
        "ext4",
        "-L",
        "clear-root",
        "-m",
        "1",
        "-E",
        "lazy_itable_init=1",
        "-d",
        root,
        ext4,
    )
    with target.open("wb") as disk:
        disk.write(_boot_record(boot_mib, root_mib))
        disk.truncate((1 + boot_mib + root_mib) * MIB)
        for part, start in ((fat, 1), (ext4, 1 + boot_mib)):
            disk.seek(start * MIB)
            with part.open("rb") as file:
                shutil.copyfileobj(file, disk, MIB)
    fat.unlink()
    ext4.unlink()


def _fat(fat: Path, scratch: Path, files: Mapping[str, Path], command_line: str, size_mib: int) -> None:
    settings = scratch / "syslinux.cfg"
    settings.write_text(
        f"DEFAULT linux\nPROMPT 0\nTIMEOUT 0\nLABEL linux\n  KERNEL vmlinuz\n  INITRD initrd\n  APPEND {command_line}\n",
        encoding="ascii",
    )
    with fat.open("wb") as file:
        file.truncate(size_mib * MIB)
    run("mkfs.vfat", "-F", "16", "-n", "BOOT", "-h", str(FIRST_SECTOR), fat)
    for name, path in {**files, "syslinux.cfg": settings}.items():
        run("mcopy", "-i", fat, path, f"::{name}")
    run("syslinux", "--install", fat)


def _boot_record(boot_mib: int, root_mib: int) -> bytes:
    """Return the first sector: syslinux's loader and two primary partitions, the first one active."""
    code = MBR_CODE.read_bytes()[:440].ljust(446, b"\0")
    boot_sectors, root_sectors = boot_mib * MIB // SECTOR, root_mib * MIB // SECTOR
    return (
        code
        + _partition(0x80, FAT16_LBA, FIRST_SECTOR, boot_sectors)
        + _partition(0, LINUX, FIRST_SECTOR + boot_sectors, root_sectors)
        + bytes(32)
        + b"\x55\xaa"
    )


def _partition(active: int, kind: int, start: int, sectors: int) -> bytes:
    # CHS fields at their end value: everything today reads the LBA fields.
    return struct.pack("<B3sB3sII", active, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start, sectors)
