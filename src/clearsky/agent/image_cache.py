"""The images that servers of this host stand on, as files here: linked where the image service has a file on this
machine, else fetched once and verified. What nothing stands on any more is kept within bounds, the last used longest.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from clearsky.agent.host import HostError, run
from clearsky.agent.protocol import CachedImage, DesiredDisk

UNFINISHED = ".new"
Fetch = Callable[[str], Iterator[bytes]]
"""Image id -> its bytes; raises HostError."""


class ImageCache:
    """`group` may read the files: the account that servers run as."""

    def __init__(self, folder: Path, group: int, limit_bytes: int, fetch: Fetch) -> None:
        self.folder, self._group, self._limit_bytes, self._fetch = folder, group, limit_bytes, fetch
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._hits: Counter[str] = Counter()

    def contents(self) -> dict[str, CachedImage]:
        """Return image id -> what is whole here."""
        found: dict[str, CachedImage] = {}
        for entry in os.scandir(self.folder):
            if not entry.name.endswith(UNFINISHED):
                with suppress(FileNotFoundError):
                    seen = entry.stat()
                    hits = self._hits[entry.name]
                    found[entry.name] = CachedImage(seen.st_size, hits, seen.st_atime, seen.st_mtime)
        return found

    def use(self, disk: DesiredDisk) -> Path:
        """Return the file of an image for a disk that is made from it; as `ensure`."""
        path = self.ensure(disk)
        seen = path.stat()
        os.utime(path, (time.time(), seen.st_mtime))
        self._hits[path.name] += 1
        return path

    def ensure(self, disk: DesiredDisk) -> Path:
        """Return the file of an image; a link survives the deletion of the image. Raises HostError."""
        assert disk.image_id is not None
        cached = self.folder / disk.image_id
        with self._guard:
            lock = self._locks.setdefault(disk.image_id, threading.Lock())
        # Servers are moved side by side: the second one waits for the first one's download.
        with lock:
            if cached.exists():
                return cached
            unfinished = self.folder / f"{disk.image_id}{UNFINISHED}"
            unfinished.unlink(missing_ok=True)
            try:
                self._fill(disk, unfinished)
                os.chown(unfinished, -1, self._group)
                unfinished.chmod(0o640)
                unfinished.rename(cached)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
        return cached

    def _fill(self, disk: DesiredDisk, path: Path) -> None:
        if not disk.image_path:
            if not disk.image_hash:
                raise HostError(f"image {disk.image_id} is not there any more")
            self._download(disk, path)
            return
        source = Path(disk.image_path)
        if not source.exists():
            raise HostError(f"the bytes of image {disk.image_id} are not at {source}")
        try:
            os.link(source, path)
        except OSError:
            run("cp", "--reflink=auto", "--sparse=always", source, path, timeout_s=600)

    def _download(self, disk: DesiredDisk, path: Path) -> None:
        found = hashlib.sha512()
        try:
            with path.open("xb") as file:
                for chunk in self._fetch(str(disk.image_id)):
                    found.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise HostError(f"image {disk.image_id} cannot be kept at {path.parent}: {error}") from error
        if found.hexdigest() != disk.image_hash:
            raise HostError(
                f"image {disk.image_id} arrived damaged: its SHA-512 is another than it should be"
            )

    def sweep(self, used: set[str], evicted: frozenset[str] = frozenset()) -> None:
        """Forget what is not used: links and what is evicted at once, fetched files the longest unused first, down to
        the limit.
        """
        idle: list[tuple[float, int, Path]] = []
        for name in os.listdir(self.folder):
            path = self.folder / name
            if name in used or name.endswith(UNFINISHED):
                continue
            with suppress(FileNotFoundError):
                seen = path.stat()
                if seen.st_nlink > 1 or name in evicted:
                    path.unlink()
                else:
                    idle.append((seen.st_atime, seen.st_blocks * 512, path))
        left = sum(size for _, size, _ in idle)
        for _, size, path in sorted(idle):
            if left <= self._limit_bytes:
                return
            path.unlink(missing_ok=True)
            left -= size
