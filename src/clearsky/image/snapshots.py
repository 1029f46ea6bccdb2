"""Images that are made from servers' disks: reserved when they are asked for, filled from a file of this machine."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import select

from clearsky.errors import Conflict, NotFound, Unavailable
from clearsky.house import House
from clearsky.image import inspect, store
from clearsky.image.driver.interface import CHUNK_BYTES
from clearsky.image.driver.load import Stores, load
from clearsky.image.intake import Facts, Intake
from clearsky.image.store import locations
from clearsky.image.tables import images
from clearsky.work.queue import enqueue


def reserve(
    house: House, *, owner: str, name: str, properties: dict[str, str], min_disk: int, min_ram: int
) -> str:
    """Make a private qcow2 image without data and return its id."""
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "name": name,
        "owner": owner,
        "visibility": "private",
        "disk_format": "qcow2",
        "container_format": "bare",
        "min_disk": min_disk,
        "min_ram": min_ram,
        "tags": [],
        "properties": properties,
    }
    with house.db.write() as c:
        return str(store.create(c, values).id)


def fill(house: House, image_id: str, source: Path) -> None:
    """Give a reserved image its data. May be called again after a crash; raises NotFound where it was deleted."""
    stores: Stores = house.driver("image", load)
    limit_bytes = house.config.image.size_limit_gib << 30
    with house.db.write() as c:
        row = store.get(c, None, image_id)
        if row.status == "active":
            return
        if not store.move(c, image_id, ("queued", "saving"), "saving"):
            raise Conflict(f"Image {image_id} takes no data: it is {row.status}")
        locations.give_up(c, locations.loc.image_id == image_id, locations.loc.status == "writing")
        name = locations.begin(c, image_id, stores.default, "a server's host")
    try:
        facts, virtual_size = _copy(house, row, name, source, limit_bytes)
        _complete(house, image_id, name, facts, virtual_size)
    except BaseException:
        with house.db.write() as c:
            locations.give_up(c, locations.loc.name == name)
        raise


def _complete(house: House, image_id: str, name: str, facts: Facts, virtual_size: int | None) -> None:
    stores: Stores = house.driver("image", load)
    values = {
        "size": facts.size,
        "virtual_size": virtual_size,
        "checksum": facts.checksum,
        "os_hash_value": facts.os_hash_value,
        "stores": [stores.default],
    }
    with house.db.write() as c:
        if not locations.complete(c, name, facts.size):
            raise Unavailable(f"the data of image {image_id} is being copied by somebody else as well")
        if not store.move(c, image_id, ("saving",), "active", **values):
            raise NotFound(f"Image {image_id} was deleted while its data was copied")


def _copy(house: House, row: Any, name: str, source: Path, limit_bytes: int) -> tuple[Facts, int | None]:
    target = house.driver("image", load)
    target = target[target.default]
    heard_at = time.monotonic()
    intake = Intake(target.create(name, source.stat().st_size), limit_bytes)
    try:
        with source.open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                intake.add(piece)
                if time.monotonic() - heard_at > house.config.image.upload_idle_s / 6:
                    heard_at = time.monotonic()
                    with house.db.write() as c:
                        locations.still_writing(c, name, intake.size)
        facts = intake.finish()
    except BaseException:
        intake.abandon()
        raise
    reader = target.open(name)
    try:
        found = inspect.check(row.disk_format, row.container_format, reader, limit_bytes)
        return facts, found.virtual_size if found else None
    finally:
        reader.close()


def discard(house: House, image_id: str) -> None:
    """Delete an image that a server no longer needs; an absent one is as good."""
    with house.db.write() as c:
        row = c.execute(select(images.c.status).where(images.c.id == image_id)).first()
        if row is not None and row.status != "deleting":
            store.change(c, image_id, {"status": "deleting"})
            enqueue(c, "image", image_id)


def discard_unfinished(house: House, image_id: str) -> None:
    """Delete a reserved image that has not got its data; one that has is the project's, and stays."""
    with house.db.write() as c:
        if store.move(c, image_id, ("queued", "saving"), "deleting"):
            enqueue(c, "image", image_id)


def backups(house: House, owner: str, server_id: str, kind: str) -> list[str]:
    """Return the ids of a server's backups of one kind, newest first."""
    with house.db.read() as c:
        query = select(images).where(images.c.owner == owner, images.c.status != "deleting")
        rows = list(c.execute(query.order_by(images.c.created_at.desc())))
    wanted = {"image_type": "backup", "backup_type": kind, "instance_uuid": server_id}
    return [row.id for row in rows if wanted.items() <= row.properties.items()]
