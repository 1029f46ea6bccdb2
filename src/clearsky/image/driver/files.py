"""Image data as files: written aside as NAME.part, and renamed when complete."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from clearsky.errors import Gone, NotFound
from clearsky.image.driver.interface import full_is_too_large

_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-[0-9a-f]{8,32})?")
DIRECT_BYTES = 64 << 20
"""Smaller data stays in memory for those who read it next."""
BLOCK_BYTES = 4096
"""What direct writing is aligned to: the largest block of disks in use."""
_ALLOCATE_BYTES = 1 << 20
"""Smaller data is not worth reserving its room beforehand."""


class Files:
    """A folder on a file system of this machine, or one that all machines have mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, name: str) -> Path:
        # Names are ours, never a client's text; this holds even where that went wrong.
        if not _NAME.fullmatch(name):
            raise NotFound(f"{name!r} is no name of image data")
        return self.folder / name

    def create(self, name: str, size_hint: int | None = None) -> FileWriter:
        with full_is_too_large():
            self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            return FileWriter(self._path(name), size_hint)

    def open(self, name: str) -> FileReader:
        try:
            return FileReader(self._path(name))
        except FileNotFoundError as error:
            raise NotFound(f"The data {name} is not in {self.folder}") from error

    def remove(self, name: str) -> None:
        path = self._path(name)
        for found in (path, part(path)):
            found.unlink(missing_ok=True)
        shutil.rmtree(workshop(path), ignore_errors=True)

    def names(self) -> Iterator[str]:
        with suppress(FileNotFoundError):
            yield from (name for name in os.listdir(self.folder) if _NAME.fullmatch(name))

    def unfinished(self, older_than_s: float) -> Iterator[str]:
        before = time.time() - older_than_s
        for path in (*self.folder.glob("*.part"), *self.folder.glob("*.convert")):
            with suppress(FileNotFoundError):
                if _NAME.fullmatch(path.stem) and path.stat().st_mtime <= before:
                    yield path.stem

    def path(self, name: str) -> str | None:
        return str(self._path(name))

    def file(self, name: str) -> Path:
        return self._path(name)

    def url(self, name: str) -> str:
        return f"file://{self._path(name)}"

    def properties(self) -> dict[str, str]:
        return {"data_dir": str(self.folder)}


def part(path: Path) -> Path:
    """Return where the unfinished bytes of `path` are."""
    return path.with_name(path.name + ".part")


def workshop(path: Path) -> Path:
    """Return the folder in which `path` is made by another process, where it is."""
    return path.with_name(path.name + ".convert")


class FileWriter:
    """Writes large data around the page cache where the file system lets it: copying it there would cost more than all
    else that is done with it, and push out what others need.
    """

    def __init__(self, target: Path, size_hint: int | None) -> None:
        self._target, self._part = target, part(target)
        self._descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        self._open = True
        small = size_hint is not None and size_hint < DIRECT_BYTES
        self._direct = not small and self._set_direct(on=True)
        if size_hint and size_hint >= _ALLOCATE_BYTES:
            try:
                self._reserve(size_hint)
            except BaseException:
                self.abandon()
                raise

    def _reserve(self, size: int) -> None:
        """Take the room now: a disk that is too small says so before the bytes have travelled."""
        room = os.fstatvfs(self._descriptor)
        if size > room.f_bavail * room.f_frsize:
            raise OSError(errno.ENOSPC, "no space is left for the announced size")

    def _set_direct(self, *, on: bool) -> bool:
        """Switch direct writing on or off; says whether it is on now."""
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
        except OSError:
            return False
        return on

    def write(self, data: memoryview) -> None:
        with full_is_too_large():
            while data:
                data = data[self._write(data) :]

    def _write(self, data: memoryview) -> int:
        if self._direct and (whole := len(data) - len(data) % BLOCK_BYTES):
            try:
                return os.writev(self._descriptor, [data[:whole]])
            except OSError as error:
                if error.errno != errno.EINVAL:  # memory, or a file system, that it cannot be done with
                    raise
        # What is less than a block goes the usual way; what comes after it does not begin with a block.
        self._direct = self._set_direct(on=False)
        return os.writev(self._descriptor, [data])

    def finish(self) -> None:
        with full_is_too_large():
            os.fsync(self._descriptor)
        self._close()
        try:
            self._part.rename(self._target)
        except FileNotFoundError as error:
            raise Gone(f"The image was deleted while its data {self._target.name} was written") from error
        folder = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def abandon(self) -> None:
        self._close()
        for path in (self._part, self._target):
            path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)


class FileReader:
    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._open = True
        self.size = os.fstat(self._descriptor).st_size
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def read(self, offset: int, size: int) -> bytes:
        parts: list[bytes] = []
        while size and (chunk := os.pread(self._descriptor, size, offset)):
            parts.append(chunk)
            offset, size = offset + len(chunk), size - len(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)
