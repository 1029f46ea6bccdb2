"""What other services may ask of the Image service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api import inside
from clearsky.api.call import Call
from clearsky.api.policy import read_overrides
from clearsky.errors import ClearskyError, NotFound
from clearsky.house import House
from clearsky.image import metadefs, store
from clearsky.image import protection as rules
from clearsky.image.driver.interface import CHUNK_BYTES, Reader
from clearsky.image.driver.load import Stores, load
from clearsky.image.policy import RULES
from clearsky.image.snapshots import backups, discard, discard_unfinished, fill, reserve
from clearsky.image.store import caches, locations
from clearsky.image.tables import images

__all__ = [
    "ImageInfo",
    "ask",
    "backups",
    "cache_wishes",
    "discard",
    "discard_unfinished",
    "fill",
    "for_host",
    "get",
    "report_cache",
    "reserve",
]


@dataclass(frozen=True, slots=True)
class ImageInfo:
    id: str
    name: str
    status: str
    owner: str
    visibility: str
    disk_format: str
    container_format: str
    path: str
    """Where the bytes are on the machine of the image service; empty: in no file of it."""
    size: int
    virtual_size: int
    """Bytes, as inspected."""
    min_disk: int
    min_ram: int
    properties: dict[str, str]
    os_hash_value: str
    """SHA-512 of the bytes, in hexadecimal."""


cache_wishes, report_cache = caches.wishes, caches.report


def ask(call: Call, method: str, path: str, body: Any = None, query: Iterable[tuple[str, str]] = ()) -> Any:
    """Ask the Image API for the caller of another API; returns the answer's body."""
    from clearsky.image.api import SERVICE  # noqa: PLC0415 - the routes import this module

    return inside.ask(SERVICE, call, method, path, body, query)


def stores(house: House) -> Stores:
    found: Stores = house.driver("image", load)
    return found


def protection(house: House) -> rules.Protection:
    """Return who may do what to which custom property, read once; raises ConfigError for a file with mistakes."""

    def load() -> rules.Protection:
        settings, policies = house.config.image, house.config.api.policy_file
        own = read_overrides(policies) if policies != Path() else {}
        names = {rule.name for rule in RULES} | own.keys()
        return rules.load(settings.property_protection_file, settings.property_protection_format, names)

    found: rules.Protection = house.cache("image.protection", load)
    return found


def bootstrap(house: House) -> None:
    """Write the metadata definitions that a cloud starts with, where they are not there. Idempotent.

    Raises ConfigError for a mistake in the file of protected properties, so that no cloud starts with it.
    """
    protection(house)
    with house.db.write() as c:
        metadefs.load(c)


def preferred(house: House, rows: Iterable[Any], wish: tuple[str, ...] = ()) -> list[Any]:
    """Sort the copies of one image: the stores that the client wishes for first, then by weight."""
    known = stores(house)
    order = [*(name for name in wish if name in known), *known.names]
    return sorted(
        (row for row in rows if row.store in known), key=lambda row: (order.index(row.store), row.name)
    )


def _info(house: House, row: Any, copies: list[Any]) -> ImageInfo:
    paths = (stores(house)[copy.store].path(copy.name) for copy in preferred(house, copies))
    return ImageInfo(
        id=row.id,
        name=row.name or "",
        status=row.status,
        owner=row.owner or "",
        visibility=row.visibility,
        disk_format=row.disk_format or "",
        container_format=row.container_format or "",
        path=next((path for path in paths if path), ""),
        size=row.size or 0,
        virtual_size=row.virtual_size or 0,
        min_disk=row.min_disk,
        min_ram=row.min_ram,
        properties=row.properties,
        os_hash_value=row.os_hash_value or "",
    )


def _infos(house: House, c: Connection, rows: list[Any]) -> dict[str, ImageInfo]:
    copies: dict[str, list[Any]] = {row.id: [] for row in rows}
    for copy in locations.active(c, copies):
        copies[copy.image_id].append(copy)
    return {row.id: _info(house, row, copies[row.id]) for row in rows}


def get(house: House, image_id: str, project_id: str | None) -> ImageInfo:
    """Return an image that the project may see (None: any); raises NotFound."""
    with house.db.read() as c:
        row = store.get(c, project_id, image_id)
        return _infos(house, c, [row])[row.id]


def for_host(house: House, image_ids: Iterable[str]) -> dict[str, ImageInfo]:
    """Return the images by id, whatever their visibility; those that are gone are left out."""
    with house.db.read() as c:
        rows = list(c.execute(select(images).where(images.c.id.in_(list(image_ids)))))
        return _infos(house, c, rows)


def open_data(house: House, image_id: str, wish: tuple[str, ...] = ()) -> Reader:
    """Open an image's data in the best store that has it and answers; raises NotFound, Unavailable."""
    with house.db.read() as c:
        copies = locations.active(c, [image_id])
    known, last = stores(house), None
    for copy in preferred(house, copies, wish):
        try:
            return known[copy.store].open(copy.name)
        except ClearskyError as error:  # the next store may have it
            last = error
    if last is not None:
        raise last
    raise NotFound(f"The data of image {image_id} is in no store that is configured")


async def stream(source: Reader, start: int, end: int) -> AsyncIterator[bytes]:
    """Yield bytes and close their source in the end; each chunk is read while the one before travels."""
    ahead: asyncio.Task[bytes] | None = None
    try:
        while start < end:
            chunk = await (ahead or asyncio.to_thread(source.read, start, min(CHUNK_BYTES, end - start)))
            if not chunk:
                raise EOFError(f"the data ended {end - start} bytes too early")
            start += len(chunk)
            left = min(CHUNK_BYTES, end - start)
            ahead = asyncio.create_task(asyncio.to_thread(source.read, start, left)) if left else None
            yield chunk
    finally:
        if ahead is not None:
            await asyncio.wait([ahead])
        source.close()
