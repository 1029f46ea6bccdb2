"""The catalog, as tokens carry it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.errors import Forbidden
from clearsky.identity import tables as t


def enabled(c: Connection) -> list[dict[str, Any]]:
    """Return enabled services with their enabled endpoints, as a token carries them."""
    found = c.execute(select(t.services).where(t.services.c.enabled).order_by(t.services.c.type)).all()
    links: dict[str, list[dict[str, Any]]] = {}
    for row in c.execute(select(t.endpoints).where(t.endpoints.c.enabled).order_by(t.endpoints.c.id)):
        links.setdefault(row.service_id, []).append(
            {
                "id": row.id,
                "interface": row.interface,
                "region_id": row.region_id,
                "region": row.region_id,
                "url": row.url,
            }
        )
    return [{"id": s.id, "type": s.type, "name": s.name, "endpoints": links.get(s.id, [])} for s in found]


def region_in_use(c: Connection, id: str) -> None:
    if c.execute(select(t.regions.c.id).where(t.regions.c.parent_region_id == id)).first():
        raise Forbidden(
            f"Unable to delete region {id} because it or its child regions have associated endpoints."
        )
    if c.execute(select(t.endpoints.c.id).where(t.endpoints.c.region_id == id)).first():
        raise Forbidden(
            f"Unable to delete region {id} because it or its child regions have associated endpoints."
        )
