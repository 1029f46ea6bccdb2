"""A disk image on its way from this machine into the cloud: looked at, sent, and taken back where it fails."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

from clearsky.cli.client import Client
from clearsky.config import Config
from clearsky.errors import ClearskyError
from clearsky.image import inspect
from clearsky.image.driver.files import FileReader

BOOTABLE = ("raw", "qcow2", "iso")
"""What hosts start servers from as it is."""
_IMAGES = "/image/v2/images"
_POLL_S = 0.3
_PACKED = {
    b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd", b"PK\3\4": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}  # fmt: skip
_DISK_MARKS = (
    (510, b"\x55\xaa"), (512, b"EFI PART"), (4096, b"EFI PART"), (1080, b"\x53\xef"), (0, b"XFSB"),
    (0x10040, b"_BHRfS_M"), (0, b"LUKS\xba\xbe"), (0, b"hsqs"),
)  # fmt: skip
"""(where, what): a boot sector, a GPT, ext2-4, XFS, btrfs, LUKS, squashfs."""


def look(path: Path, source: str, declared: str | None, limit_bytes: int) -> inspect.Format:
    """Return what the file is that came from `source`; raises ClickException where it is no disk that the Image service would take."""
    try:
        reader = FileReader(path)
    except OSError as error:
        raise click.ClickException(f"{source}: {error.strerror}") from error
    try:
        return _look(reader, declared, limit_bytes)
    except ClearskyError as error:
        raise click.ClickException(f"{source}: {error.message}") from error
    except click.ClickException as error:
        raise click.ClickException(f"{source}: {error.message}") from error
    finally:
        reader.close()


def _look(reader: FileReader, declared: str | None, limit_bytes: int) -> inspect.Format:
    if not reader.size:
        raise click.ClickException("the file is empty")
    head = reader.read(0, 0x20000)
    for mark, name in _PACKED.items():
        if head.startswith(mark):
            raise click.ClickException(f"the file is packed with {name}: unpack it first")
    found = declared or inspect.name_of(reader)
    if not declared and found == "raw" and not _is_disk(head):
        raise click.ClickException(
            "it shows no disk format, partition table or file system; if it is a raw disk, say --disk-format raw"
        )
    seen = inspect.check(found, "bare", reader, limit_bytes)
    assert seen is not None  # the container `bare` hides nothing
    return seen


def _is_disk(head: bytes) -> bool:
    return any(head[at : at + len(mark)] == mark for at, mark in _DISK_MARKS)


def verify(path: Path, wanted: str, show: Callable[[int], None]) -> None:
    """Compare a file with a checksum such as sha512:0f3a...; raises ClickException where it is another."""
    algorithm, _, digest = wanted.rpartition(":")
    algorithm = algorithm or {64: "sha256", 128: "sha512"}.get(len(digest), "")
    if algorithm not in ("md5", "sha1", "sha256", "sha512"):
        raise click.ClickException(f"--checksum {wanted}: write it as sha256:HEX or sha512:HEX")
    found = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
            show(len(chunk))
    if found.hexdigest() != digest.strip().lower():
        raise click.ClickException(
            f"its {algorithm} is {found.hexdigest()}, not {digest}: it is another file"
        )


class _Watched:
    """A file that tells how much of it is read."""

    def __init__(self, file: IO[bytes], show: Callable[[int], None]) -> None:
        self._file, self._show = file, show

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._show(len(chunk))
        return chunk


def bring(
    config: Config, client: Client, path: Path, image: dict[str, Any], show: Callable[[int], None]
) -> dict[str, Any]:
    """Make the image from a file and return it as the API shows it. What fails leaves no image behind."""
    made, headers = client.ask("POST", _IMAGES, image)
    place = f"{_IMAGES}/{made['id']}"
    try:
        converts = config.image.convert_to not in ("", image["disk_format"])
        staged = converts and "glance-direct" in headers.get("OpenStack-image-import-methods", "")
        with path.open("rb") as file:
            client.send(f"{place}/{'stage' if staged else 'file'}", _Watched(file, show), path.stat().st_size)
        if staged:
            client.ask("POST", f"{place}/import", {"method": {"name": "glance-direct"}})
        return _ended(client, place)
    except BaseException:
        client.ask("DELETE", place)
        raise


def _ended(client: Client, place: str) -> dict[str, Any]:
    """Wait until an import has ended; raises ClickException with its reason where it failed."""
    while True:
        shown: dict[str, Any] = client.ask("GET", place)[0]
        if shown["status"] == "active":
            return shown
        if shown["status"] == "queued":
            tasks = client.ask("GET", f"{place}/tasks")[0]["tasks"]
            raise click.ClickException(tasks[0]["message"] if tasks else "the import was given up")
        time.sleep(_POLL_S)
