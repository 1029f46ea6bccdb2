"""One upload from a client into a store or the staging area. Whatever happens, no half image and no stray bytes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from clearsky.api.call import Call
from clearsky.errors import Conflict, Gone, Invalid, TooLarge, UnsupportedMediaType
from clearsky.image import inspect, quotas, service, store
from clearsky.image.api.images import owned
from clearsky.image.driver.load import STAGING
from clearsky.image.intake import Facts, Intake
from clearsky.image.signature import wanted
from clearsky.image.store import locations

_SIZE = re.compile(r"\d{1,18}")


@dataclass(slots=True)
class _Upload:
    call: Call
    row: Any
    under_way: str
    """saving or uploading: the image's status meanwhile."""
    store: str
    name: str
    announced: int | None
    lost: bool = False
    """The location is not this upload's own any more: the image was deleted, or the upload given up."""


async def upload(call: Call, under_way: str) -> None:
    """Take the body in; `under_way` is saving, or uploading for the staging area."""
    if call.headers.get("content-type", "").partition(";")[0].strip() != "application/octet-stream":
        raise UnsupportedMediaType("Image data is sent with Content-Type: application/octet-stream")
    one = await asyncio.to_thread(_begin, call, under_way)
    try:
        async with _heard_of(one):
            intake = await asyncio.to_thread(_intake, one)
            try:
                facts = await _take_in(one, intake)
                await asyncio.to_thread(_complete, one, facts)
            except BaseException:
                await asyncio.shield(asyncio.to_thread(intake.abandon))
                raise
    except BaseException:
        # Also where the client goes away or this process is told to stop: the image can be uploaded again.
        await asyncio.shield(asyncio.to_thread(_give_up, one))
        raise


def _begin(call: Call, under_way: str) -> _Upload:
    known = service.stores(call.house)
    target = call.headers.get("x-image-meta-store") or known.default
    if target not in known:
        raise Invalid(
            f"x-image-meta-store: there is no store {target!r}; there are: {', '.join(known.names)}"
        )
    announced = _announced(call)
    with call.house.db.read() as c:
        owner = store.get(c, call.scope, call.params["image_id"]).owner
    allowed = quotas.limits(call.house, owner)
    with call.house.db.write() as c:
        row = owned(c, call, "upload_image")
        if not row.disk_format or not row.container_format:
            raise Invalid("disk_format and container_format must be set before the data is uploaded")
        if not store.move(c, row.id, ("queued",), under_way):
            raise Conflict(f"Image status transition from {row.status} to {under_way} is not allowed")
        quotas.enforce(c, row.owner, allowed, _more(under_way, announced))
        where = target if under_way == "saving" else STAGING
        name = locations.begin(c, row.id, where, call.request_id)
    return _Upload(call, row, under_way, where, name, announced)


def _more(under_way: str, announced: int | None) -> dict[str, int]:
    """Return what the upload adds to the project's usage, as far as it is announced."""
    size_mib = -(-(announced or 0) // (1 << 20))
    staged = under_way == "uploading"
    # The image counts as uploading already when this is looked at.
    return {
        quotas.COUNT_TOTAL: 0,
        quotas.COUNT_UPLOADING: 0,
        quotas.SIZE_TOTAL: 0 if staged else size_mib,
        quotas.STAGE_TOTAL: size_mib if staged else 0,
    }


def _announced(call: Call) -> int | None:
    """Return the size that the client announces; raises at once where it is too large."""
    text = call.headers.get("x-openstack-image-size")
    if text is not None and not _SIZE.fullmatch(text):
        raise Invalid(f"x-openstack-image-size: {text!r:.40} is no number of bytes")
    length = call.headers.get("content-length", "")
    size = int(text) if text else int(length) if _SIZE.fullmatch(length) else None
    limit = _limit(call)
    if size is not None and size > limit:
        raise TooLarge(f"The image data has {size} bytes; at most {limit} are allowed.")
    return size


def _limit(call: Call) -> int:
    return call.house.config.image.size_limit_gib << 30


def _intake(one: _Upload) -> Intake:
    declared = (
        one.row.disk_format if one.row.container_format == "bare" and one.under_way == "saving" else None
    )

    def head(chunk: bytes) -> None:
        if declared:
            inspect.first_look(declared, chunk)

    signature = None
    if one.under_way == "saving":
        signature = wanted(one.row.properties, one.call.house.config.image.certificates_dir)
    writer = service.stores(one.call.house)[one.store].create(one.name, one.announced)
    return Intake(writer, _limit(one.call), head=head, hashed=one.under_way == "saving", signature=signature)


async def _take_in(one: _Upload, intake: Intake) -> Facts:
    assert one.call.data is not None
    while True:
        if busy := intake.busy():
            await asyncio.wait([asyncio.wrap_future(busy)])
        if one.lost:
            raise Gone(f"Image {one.row.id} was deleted while its data was uploaded")
        size = await one.call.data.read_into(intake.room())
        if not size:
            break
        intake.advance(size)
    if one.announced is not None and intake.size != one.announced:
        raise Invalid(f"The image data has {intake.size} bytes; {one.announced} were announced.")
    return await asyncio.to_thread(intake.finish)


@asynccontextmanager
async def _heard_of(one: _Upload) -> AsyncIterator[None]:
    """Say regularly that this upload lives, also while the client sends nothing."""

    async def say() -> None:
        while not one.lost:
            await asyncio.sleep(one.call.house.config.image.upload_idle_s / 6)
            with suppress(Exception):  # a database that is away: the next time counts
                one.lost = not await asyncio.to_thread(_still, one)

    task = asyncio.create_task(say())
    try:
        yield
    finally:
        task.cancel()


def _still(one: _Upload) -> bool:
    with one.call.house.db.write() as c:
        return locations.still_writing(c, one.name, 0)


def _complete(one: _Upload, facts: Facts) -> None:
    values: dict[str, Any] = {}
    if one.under_way == "saving":
        reader = service.stores(one.call.house)[one.store].open(one.name)
        try:
            found = inspect.check(one.row.disk_format, one.row.container_format, reader, _limit(one.call))
        finally:
            reader.close()
        values = {
            "size": facts.size,
            "virtual_size": found.virtual_size if found else None,
            "checksum": facts.checksum,
            "os_hash_value": facts.os_hash_value,
            "stores": [one.store],
        }
    with one.call.house.db.write() as c:
        if one.under_way == "saving":
            alive = store.move(c, one.row.id, ("saving",), "active", **values)
        else:
            alive = store.move(c, one.row.id, ("uploading",), "uploading", size=facts.size)
        if not alive or not locations.complete(c, one.name, facts.size):
            raise Gone(f"Image {one.row.id} was deleted while its data was uploaded")


def _give_up(one: _Upload) -> None:
    with one.call.house.db.write() as c:
        if locations.give_up(c, locations.loc.name == one.name):
            # Else it was given up before, and another upload may be under way.
            store.move(c, one.row.id, (one.under_way,), "queued", size=None)
