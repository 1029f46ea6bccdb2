"""Runs a program in a mount namespace of its own: `python -m clearsky.engines.room [--bind FROM TO] ... PROGRAM`.

So libvirt's fixed folders are this cloud's own, whatever else uses libvirt on the machine; /dev/kvm can be hidden
(libvirt asks QEMU about a KVM that does not work at every call, which takes minutes).
"""

from __future__ import annotations

import argparse
import ctypes
import os
from pathlib import Path

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind.encode() if kind else None, flags, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mounting {target}: {os.strerror(number)}")


def enter() -> None:
    """Leave the machine's mounts as they are and go on in a copy."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "a mount namespace of its own was refused; is this root?")
    _mount("none", "/", None, MS_REC | MS_PRIVATE)


def bind(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _mount(str(source), str(target), None, MS_BIND | MS_REC)


def hide_kvm(empty: Path) -> None:
    """Put a file that nobody but root can open over /dev/kvm."""
    if Path("/dev/kvm").exists():
        empty.touch(mode=0o600)
        _mount(str(empty), "/dev/kvm", None, MS_BIND)


def main() -> None:
    parser = argparse.ArgumentParser(prog="clearsky.engines.room")
    parser.add_argument("--bind", nargs=2, action="append", type=Path, default=[], metavar=("FROM", "TO"))
    parser.add_argument("--hide-kvm", nargs=2, type=Path, metavar=("EMPTY_FILE", "UNLESS_THIS_SAYS_KVM"))
    parser.add_argument("program", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    enter()
    for source, target in chosen.bind:
        bind(source, target)
    if chosen.hide_kvm and chosen.hide_kvm[1].read_text(encoding="ascii") != "kvm":
        hide_kvm(chosen.hide_kvm[0])
    os.execvp(chosen.program[0], chosen.program)


if __name__ == "__main__":
    main()
