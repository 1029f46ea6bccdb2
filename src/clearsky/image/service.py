"""What other services may ask of the Image service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from clearsky.house import House
from clearsky.image import protection as rules
from clearsky.image import store
from clearsky.image.driver.files import Files
from clearsky.image.policy import RULES
from clearsky.image.tables import images


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
    """Where the bytes are on the machine of the image service."""
    size: int
    virtual_size: int
    """Bytes, as inspected."""
    min_disk: int
    min_ram: int
    properties: dict[str, str]


def files(house: House) -> Files:
    found: Files = house.driver("image", Files)
    return found


def protection(house: House) -> rules.Protection:
    """Return who may do what to which custom property, read once; raises ConfigError for a file with mistakes."""

    def load() -> rules.Protection:
        settings = house.config.image
        names = [rule.name for rule in RULES]
        return rules.load(settings.property_protection_file, settings.property_protection_format, names)

    found: rules.Protection = house.cache("image.protection", load)
    return found


def _info(house: House, row: Any) -> ImageInfo:
    return ImageInfo(
        id=row.id,
        name=row.name or "",
        status=row.status,
        owner=row.owner or "",
        visibility=row.visibility,
        disk_format=row.disk_format or "",
        container_format=row.container_format or "",
        path=str(files(house).path(row.id)),
        size=row.size or 0,
        virtual_size=row.virtual_size or 0,
        min_disk=row.min_disk,
        min_ram=row.min_ram,
        properties=row.properties,
    )


def get(house: House, image_id: str, project_id: str | None) -> ImageInfo:
    """Return an image that the project may see (None: any); raises NotFound."""
    with house.db.read() as c:
        return _info(house, store.get(c, project_id, image_id))


def for_host(house: House, image_ids: Iterable[str]) -> dict[str, ImageInfo]:
    """Return the images by id, whatever their visibility; those that are gone are left out."""
    with house.db.read() as c:
        rows = c.execute(select(images).where(images.c.id.in_(list(image_ids)))).all()
    return {row.id: _info(house, row) for row in rows}
