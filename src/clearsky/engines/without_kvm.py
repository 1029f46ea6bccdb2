"""Run a program in a /dev that has everything but kvm; called within a mount namespace of its own.

libvirt asks QEMU about KVM at every call where the device is there and does not work, which takes minutes.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

MS_BIND, MS_MOVE, MS_REC = 4096, 8192, 16384


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind.encode() if kind else None, flags, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mounting {target}: {os.strerror(number)}")


def main() -> None:
    new = Path("/run/.clearsky-dev")
    new.mkdir(exist_ok=True)
    _mount("tmpfs", str(new), "tmpfs", 0)
    new.chmod(0o755)
    for entry in Path("/dev").iterdir():
        if entry.name == "kvm":
            continue
        target = new / entry.name
        if entry.is_symlink():
            target.symlink_to(entry.readlink())
            continue
        if entry.is_dir():
            target.mkdir()
        else:
            target.touch()
        _mount(str(entry), str(target), None, MS_BIND | MS_REC)
    _mount(str(new), "/dev", None, MS_MOVE)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
