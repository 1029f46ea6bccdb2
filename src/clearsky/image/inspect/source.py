"""Bytes that can be read at any place: what inspection looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from clearsky.errors import Invalid


class Source(Protocol):
    @property
    def size(self) -> int: ...

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes; fewer at the end."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes in memory as a source."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, offset: int, size: int) -> bytes:
        return self.content[offset : offset + size]


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    """As in disk_format: qcow2, raw, vmdk, vdi, vhd, vhdx, iso, ploop."""
    virtual_size: int
    """Bytes that a guest sees."""


def need(source: Source, offset: int, size: int, name: str) -> bytes:
    """Return exactly these bytes; raises Invalid where the data ends before."""
    found = source.read(offset, size)
    if len(found) < size:
        raise Invalid(f"The image is {name} but ends within its header: it is truncated.")
    return found


def within(source: Source, offset: int, size: int, name: str, what: str) -> None:
    """Raise Invalid unless a table lies inside of the data."""
    if offset < 0 or size < 0 or offset + size > source.size:
        raise Invalid(f"The image is {name} but ends before its {what}: it is truncated.")


def not_too_large(virtual_size: int, limit_bytes: int) -> None:
    if virtual_size > limit_bytes:
        raise Invalid(
            f"The image claims a virtual size of {virtual_size} bytes; at most {limit_bytes} are allowed."
        )
