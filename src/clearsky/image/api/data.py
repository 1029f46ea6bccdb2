"""Image data: upload and download, streamed."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, RangeNotSatisfiable
from clearsky.image import service, store
from clearsky.image.api.upload import upload
from clearsky.image.driver.interface import Reader

routes = Routes()
_FILE = "/v2/images/{image_id}/file"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@routes.put(_FILE, rule="upload_image", gate="get_image", status=204, stream=True)
async def upload_image_data(call: Call) -> Reply:
    """Upload an image's data; what it is, is inspected."""
    await upload(call, "saving")
    return Reply()


@routes.put("/v2/images/{image_id}/stage", rule="upload_image", gate="get_image", status=204, stream=True)
async def stage_image_data(call: Call) -> Reply:
    """Upload an image's data to the staging area, for a later import."""
    await upload(call, "uploading")
    return Reply()


@routes.get(_FILE, rule="download_image", gate="get_image", stream=True)
async def download_image_data(call: Call) -> Reply:
    """Download an image's data, whole or a range of it."""
    row, source = await asyncio.to_thread(_open, call)
    if source is None:
        return Reply(b"", 204)
    try:
        headers = {"Content-MD5": row.checksum, "Accept-Ranges": "bytes"}
        start, end, status = 0, source.size, 200
        wanted = _wanted(call, source.size)
        if wanted:
            start, end, status = *wanted, 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{source.size}"
        headers["Content-Length"] = str(end - start)
    except BaseException:
        source.close()
        raise
    if call.method == "HEAD":
        source.close()
        return Reply(b"", status, headers, "application/octet-stream")
    return Reply(service.stream(source, start, end), status, headers, "application/octet-stream")


def _open(call: Call) -> tuple[Any, Reader | None]:
    with call.house.db.read() as c:
        row = store.get(c, call.scope, call.params["image_id"])
    if row.status == "deactivated" and not call.caller.is_admin:
        raise Forbidden(f"Image {row.id} is deactivated: its data cannot be downloaded")
    if row.status not in ("active", "deactivated"):
        return row, None
    wish = tuple(call.query.get("prefer", "").split(","))
    return row, service.open_data(call.house, row.id, wish)


def _wanted(call: Call, size: int) -> tuple[int, int] | None:
    """Return (start, end) of the range that is asked for; Glance takes Content-Range as well."""
    if "range" in call.headers:
        return _range(call.headers["range"], size)
    given = call.headers.get("content-range")
    if given is None:
        return None
    match = _CONTENT_RANGE.fullmatch(given.strip())
    if not match or int(match[1]) > int(match[2]) or int(match[1]) >= size:
        raise _outside(f"Content-Range {given!r:.80} is not one such as bytes 0-99/{size}", size)
    return int(match[1]), min(size, int(match[2]) + 1)


def _range(text: str, size: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(text.strip())
    if not match or not (match[1] or match[2]):
        raise _outside(f"Range {text!r:.80} is not one range such as bytes=0-99", size)
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    if start >= end:
        raise _outside(f"Range {text!r:.80} is outside of the {size} bytes", size)
    return start, end


def _outside(message: str, size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(message, headers={"Content-Range": f"bytes */{size}"})
