"""Image bytes as files: `state_dir/images/ID`, written aside and renamed when complete."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from clearsky.config import Config
from clearsky.errors import TooLarge
from clearsky.image.inspect import HEAD_BYTES

CHUNK_BYTES = 1 << 20


class Files:
    """The back end that keeps images on this machine's own file system."""

    def __init__(self, config: Config) -> None:
        self.folder = config.state / "images"

    def path(self, image_id: str) -> Path:
        """Where the bytes of an image are; the id is ours, never a client's text."""
        return self.folder / str(uuid.UUID(image_id))

    def remove(self, image_id: str) -> None:
        """Remove an image's bytes, also those of an unfinished upload; absent is success."""
        for path in (self.path(image_id), *self.folder.glob(f"{uuid.UUID(image_id)}.*.part")):
            path.unlink(missing_ok=True)

    def open(self, image_id: str) -> BinaryIO:
        return self.path(image_id).open("rb")

    def unfinished(self) -> Iterator[tuple[str, Path]]:
        """Yield (image id, path) of every upload that has not been completed."""
        for path in self.folder.glob("*.part"):
            yield path.name.partition(".")[0], path


class Upload:
    """One upload: `write` chunks, then `finish`; `abandon` leaves nothing behind."""

    def __init__(self, files: Files, image_id: str, limit_bytes: int) -> None:
        files.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.target = files.path(image_id)
        self.part = files.folder / f"{self.target.name}.{uuid.uuid4().hex[:8]}.part"
        self.limit_bytes, self.size, self.head = limit_bytes, 0, b""
        self.md5, self.sha512 = hashlib.md5(usedforsecurity=False), hashlib.sha512()
        self._file = os.fdopen(os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb")

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self.limit_bytes:
            raise TooLarge(f"The image data is larger than the {self.limit_bytes} bytes that are allowed.")
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        self.md5.update(chunk)
        self.sha512.update(chunk)
        self._file.write(chunk)

    def finish(self) -> None:
        """Make the bytes durable and give them their name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.part.rename(self.target)
        descriptor = os.open(self.target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def abandon(self) -> None:
        self._file.close()
        self.part.unlink(missing_ok=True)
