"""Image data: upload and download, streamed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Forbidden, Gone, Invalid, RangeNotSatisfiable, UnsupportedMediaType
from clearsky.image import inspect, service, store
from clearsky.image.api.images import owned
from clearsky.image.driver.files import CHUNK_BYTES, Upload

routes = Routes()
_FILE = "/v2/images/{image_id}/file"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@routes.put(_FILE, rule="upload_image", status=204, stream=True)
async def upload_image_data(call: Call) -> Reply:
    """Upload an image's data; what it is, is inspected."""
    if call.headers.get("content-type", "").partition(";")[0].strip() != "application/octet-stream":
        raise UnsupportedMediaType("Image data is sent with Content-Type: application/octet-stream")
    row = await asyncio.to_thread(_begin, call)
    limit_bytes = call.house.config.image.size_limit_gib << 30
    upload = await asyncio.to_thread(Upload, service.files(call.house), row.id, limit_bytes)
    try:
        waiting: list[bytes] = []
        size = 0
        assert call.chunks is not None
        async for chunk in call.chunks:
            waiting.append(chunk)
            size += len(chunk)
            if size >= CHUNK_BYTES:
                await asyncio.to_thread(upload.write, b"".join(waiting))
                waiting, size = [], 0
        await asyncio.to_thread(upload.write, b"".join(waiting))
        await asyncio.to_thread(_complete, call, row, upload, limit_bytes)
    except BaseException:
        # Also where the client goes away or this process is told to stop: the image can be uploaded again.
        upload.abandon()
        _give_up(call, row)
        raise
    return Reply()


def _begin(call: Call) -> Any:
    with call.house.db.write() as c:
        row = owned(c, call, "upload_image")
        if not row.disk_format or not row.container_format:
            raise Invalid("disk_format and container_format must be set before the data is uploaded")
        if not store.move(c, row.id, ("queued",), "saving"):
            raise Conflict(f"Image status transition from {row.status} to saving is not allowed")
    return row


def _complete(call: Call, row: Any, upload: Upload, limit_bytes: int) -> None:
    if row.container_format == "bare":
        found = inspect.check(row.disk_format, upload.head, upload.size, limit_bytes)
        virtual_size = found.virtual_size
    else:
        virtual_size = None
    upload.finish()
    values = {
        "size": upload.size,
        "virtual_size": virtual_size,
        "checksum": upload.md5.hexdigest(),
        "os_hash_value": upload.sha512.hexdigest(),
    }
    with call.house.db.write() as c:
        alive = store.move(c, row.id, ("saving",), "active", **values)
    if not alive:
        service.files(call.house).remove(row.id)
        raise Gone(f"Image {row.id} was deleted while its data was uploaded")


def _give_up(call: Call, row: Any) -> None:
    with call.house.db.write() as c:
        store.move(c, row.id, ("saving",), "queued")


@routes.get(_FILE, rule="download_image", stream=True)
async def download_image_data(call: Call) -> Reply:
    """Download an image's data, whole or a range of it."""
    row, file = await asyncio.to_thread(_open, call)
    if file is None:
        return Reply(b"", 204)
    headers = {"Content-MD5": row.checksum, "Accept-Ranges": "bytes"}
    start, end, status = 0, row.size, 200
    wanted = call.headers.get("range")
    if wanted:
        try:
            start, end = _range(wanted, row.size)
        except RangeNotSatisfiable:
            file.close()
            raise
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{row.size}"
        del headers["Content-MD5"]
        status = 206
    headers["Content-Length"] = str(end - start)
    if call.method == "HEAD":
        file.close()
        return Reply(b"", status, headers, "application/octet-stream")
    return Reply(_read(file, start, end), status, headers, "application/octet-stream")


def _open(call: Call) -> tuple[Any, BinaryIO | None]:
    with call.house.db.read() as c:
        row = store.get(c, call.scope, call.params["image_id"])
    if row.status == "deactivated" and not call.caller.is_admin:
        raise Forbidden(f"Image {row.id} is deactivated: its data cannot be downloaded")
    if row.status not in ("active", "deactivated"):
        return row, None
    return row, service.files(call.house).open(row.id)


def _range(text: str, size: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(text.strip())
    if not match or not (match[1] or match[2]):
        raise RangeNotSatisfiable(
            f"Range {text!r:.80} is not one range such as bytes=0-99",
            headers={"Content-Range": f"bytes */{size}"},
        )
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    if start >= end:
        raise RangeNotSatisfiable(
            f"Range {text!r:.80} is outside of the {size} bytes", headers={"Content-Range": f"bytes */{size}"}
        )
    return start, end


async def _read(file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    try:
        await asyncio.to_thread(file.seek, start)
        left = end - start
        while left and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk
    finally:
        file.close()
