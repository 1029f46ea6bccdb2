"""What image data really is, read off the bytes; never what a client, a file name or another header says.

Bounded: headers and tables' places only, no reference is followed. Everything is refused that names something outside
of itself, that two programs could take for two different things, or that ends before what it announces.
"""

from __future__ import annotations

from collections.abc import Callable

from clearsky.errors import Invalid
from clearsky.image.inspect import qcow2, virtual_pc, virtualbox, vmdk
from clearsky.image.inspect.source import Bytes, Format, Source, not_too_large

__all__ = ["Bytes", "Format", "Source", "check", "first_look", "name_of"]

_HEAD_BYTES = 64 << 10
_SAME = {"ami": "raw", "aki": "raw", "ari": "raw", "gpt": "raw"}
"""Formats without a mark of their own."""


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(marks)


_MARKS: dict[str, Callable[[bytes], bool]] = {
    "qcow2": _starts(b"QFI\xfb"),
    "vmdk": lambda head: (
        head.startswith((b"KDMV", b"COWD")) or head.lstrip()[:21].lower() == b"# disk descriptorfile"
    ),
    "vdi": lambda head: head[0x40:0x44] == b"\x7f\x10\xda\xbe",
    "vhd": _starts(b"conectix"),
    "vhdx": _starts(b"vhdxfile"),
    "qed": _starts(b"QED\0"),
    "ploop": _starts(b"WithoutFreeSpace", b"WithouFreSpacExt"),
    "luks": _starts(b"LUKS\xba\xbe"),
    "iso": lambda head: any(head[at : at + 5] == b"CD001" for at in (0x8001, 0x8801, 0x9001)),
}


def _plain(name: str) -> Callable[[Source, int], Format]:
    def look(source: Source, limit_bytes: int) -> Format:
        not_too_large(source.size, limit_bytes)
        return Format(name, source.size)

    return look


def _qed(_source: Source, _limit_bytes: int) -> Format:
    raise Invalid("The image is QED, which is not taken: convert it to qcow2.")


def _ploop(source: Source, limit_bytes: int) -> Format:
    head = source.read(0, 64)
    size = int.from_bytes(head[36:44], "little") * 512
    not_too_large(size, limit_bytes)
    return Format("ploop", size)


_LOOKS: dict[str, Callable[[Source, int], Format]] = {
    "qcow2": qcow2.look,
    "vmdk": vmdk.look,
    "vdi": virtualbox.look,
    "vhd": virtual_pc.look_vhd,
    "vhdx": virtual_pc.look_vhdx,
    "qed": _qed,
    "ploop": _ploop,
    # A guest that gets a LUKS container or an ISO as its raw disk opens it itself.
    "luks": _plain("luks"),
    "iso": _plain("iso"),
    "raw": _plain("raw"),
}


def _marks(head: bytes, tail: bytes = b"") -> list[str]:
    found = [name for name, fits in _MARKS.items() if fits(head)]
    if "vhd" not in found and tail.startswith(b"conectix"):
        found.append("vhd")
    return found


def _name(found: list[str]) -> str:
    if len(found) > 1:
        raise Invalid(f"The data is {' and '.join(found)} at once: what it is depends on who reads it.")
    return found[0] if found else "raw"


def name_of(source: Source) -> str:
    """Return the format that the data shows; raises Invalid where it shows several."""
    tail = source.read(max(0, source.size - 512), 512) if source.size >= 1024 else b""
    return _name(_marks(source.read(0, _HEAD_BYTES), tail))


def _must_be(declared: str, found: str) -> None:
    if found == "qed":
        raise Invalid("The image is QED, which is not taken: convert it to qcow2.")
    if _SAME.get(declared, declared) != found and (declared, found) != ("raw", "luks"):
        raise Invalid(
            f"disk_format is {declared!r} but the data is {found!r}. Declare what it is, or convert it."
        )


def first_look(declared: str, head: bytes) -> None:
    """Raise Invalid where the first bytes already show another format than the declared one."""
    found = _marks(head[:_HEAD_BYTES])
    if found or declared in ("qcow2", "vmdk", "vdi", "vhdx", "ploop"):
        _must_be(declared, _name(found))


def check(declared: str, container: str, source: Source, limit_bytes: int) -> Format | None:
    """Return what the data is, which is what was declared; None where a container hides it. Raises Invalid."""
    if container == "ova":
        _ova(source)
        return None
    if container != "bare":
        return None
    name = name_of(source)
    _must_be(declared, name)
    if _is_ova(source):
        raise Invalid("The data is an OVA (a tar of an OVF and disks): declare container_format ova.")
    return _LOOKS[name](source, limit_bytes)


def _is_ova(source: Source) -> bool:
    head = source.read(0, 512)
    return head[257:262] == b"ustar" and head[:100].rstrip(b"\0").lower().endswith(b".ovf")


def _ova(source: Source) -> None:
    """An OVA's first member is its OVF (DMTF DSP0243, 5.2). Nothing of it is ever unpacked here."""
    head = source.read(0, 512)
    if not _is_ova(source) or head[156:157] not in (b"0", b"\0") or b"/" in head[:100]:
        raise Invalid("container_format is 'ova' but the data is no tar whose first member is an .ovf file.")
