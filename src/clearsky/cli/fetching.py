"""Downloads that go on where they stopped, in this run or in the next one."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

from clearsky import __version__

IDLE_S = 30.0
ATTEMPTS = 5
"""Connections in a row that bring nothing new before the download is given up."""
PAUSE_S = 1.0
_READ_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")
Show = Callable[[int, int | None], None]
"""Called with the bytes that are there, and how many there will be where that is known."""


def is_url(text: str) -> bool:
    return "://" in text


@dataclass(slots=True)
class Download:
    """What is kept of a URL: `part` with its bytes, and beside it what tells whether the server still has the same."""

    url: str
    part: Path

    def open(self) -> int:
        """Return a descriptor of the bytes that nobody else has; raises ClickException."""
        descriptor = os.open(self.part, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise click.ClickException(f"{self.url} is being downloaded by another command") from error
        return descriptor

    @property
    def _note(self) -> Path:
        return self.part.with_suffix(".json")

    def mark(self) -> str:
        """Return the ETag or date that the bytes go with; empty: there is none, so nothing can be gone on with."""
        with suppress(OSError, ValueError):
            return str(json.loads(self._note.read_text())["mark"])
        return ""

    def remember(self, headers: http.client.HTTPMessage) -> None:
        tag = headers.get("ETag", "")
        # A weak tag says "much the same", which is not enough for bytes to be joined (RFC 9110, 13.1.5).
        mark = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")
        self._note.write_text(json.dumps({"url": self.url, "mark": mark}))

    def forget(self) -> None:
        """Remove what was kept."""
        for path in (self.part, self._note):
            path.unlink(missing_ok=True)


def kept(url: str, folder: Path) -> Download:
    """Return the download of a URL; `folder` keeps what is unfinished."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.ClickException(f"{url}: only http and https URLs can be fetched; else give a file")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Download(url, folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.part")


def fetch(download: Download, show: Show) -> None:
    """Bring the whole of it to `download.part`. Raises ClickException; what has come is kept for the next time."""
    descriptor = download.open()
    try:
        left, told = ATTEMPTS, ""
        while left:
            before = os.fstat(descriptor).st_size
            try:
                _once(download, descriptor, show)
            except (OSError, http.client.HTTPException) as error:
                told = str(error) or type(error).__name__
            else:
                return
            left = ATTEMPTS if os.fstat(descriptor).st_size > before else left - 1
            time.sleep(PAUSE_S if left else 0)
        have = os.fstat(descriptor).st_size
    finally:
        if not os.fstat(descriptor).st_size:
            download.forget()
        os.close(descriptor)
    going_on = f" {have >> 20} MiB are kept: the same command goes on from there." if download.mark() else ""
    raise click.ClickException(f"{download.url} cannot be fetched: {told}.{going_on}")


def _once(download: Download, descriptor: int, show: Show) -> None:
    have, mark = os.fstat(descriptor).st_size, download.mark()
    headers = {"User-Agent": f"clearsky/{__version__}", "Accept-Encoding": "identity"}
    if have and mark:
        headers |= {"Range": f"bytes={have}-", "If-Range": mark}
    asked = urllib.request.Request(download.url, headers=headers)  # noqa: S310 - `kept` has looked at the scheme
    try:
        answer = urllib.request.urlopen(asked, timeout=IDLE_S)  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        whole = _CONTENT_RANGE.fullmatch(error.headers.get("Content-Range", ""))
        if error.code == 416 and whole and int(whole[2]) == have:
            return  # all of it has come in an earlier run
        if error.code == 416:
            os.ftruncate(descriptor, 0)
        elif error.code < 500 and error.code != 429:
            raise click.ClickException(f"{download.url} answered {error.code} {error.reason}") from error
        raise
    with answer:
        _take(download, descriptor, answer, show)


def _take(download: Download, descriptor: int, answer: http.client.HTTPResponse, show: Show) -> None:
    """Write the body behind what is there, or in its place where the server begins anew."""
    at, total = 0, answer.length
    if answer.status == 206:
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if found is None or int(found[1] or -1) != os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, 0)
            raise OSError("the server sent another part than the one that was asked for")
        at, total = int(found[1]), int(found[2])
    else:
        os.ftruncate(descriptor, 0)
        download.remember(answer.headers)
    os.lseek(descriptor, at, os.SEEK_SET)
    show(at, total)
    while chunk := answer.read(_READ_BYTES):
        os.writev(descriptor, [chunk])
        at += len(chunk)
        show(at, total)
    if total is not None and at != total:
        raise OSError(f"the connection ended after {at} of {total} bytes")
