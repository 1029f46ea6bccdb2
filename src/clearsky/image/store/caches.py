"""SQL of the hosts' image caches and of the wishes about them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from clearsky.db.engine import lock
from clearsky.image import tables as t
from clearsky.work import queue

h, w = t.caches.c, t.cache_wishes.c
SILENT_S = 60.0
"""A host that has not reported for so long does not count."""


def wishes(c: Connection) -> dict[str, bool]:
    """Return image id -> whether it is to be kept, in the order of the asking."""
    rows = c.execute(select(w.image_id, w.keep).order_by(w.asked_at, w.image_id))
    return {row.image_id: row.keep for row in rows}


def hosts(c: Connection) -> dict[str, dict[str, Any]]:
    """Return host -> its images, of the hosts that are heard of."""
    rows = c.execute(select(h.host, h.images).where(h.seen_at > time.time() - SILENT_S))
    return {row.host: row.images for row in rows}


def wish(c: Connection, image_id: str, *, keep: bool) -> None:
    lock(c, "image.caches")
    c.execute(delete(t.cache_wishes).where(w.image_id == image_id))
    c.execute(insert(t.cache_wishes).values(image_id=image_id, keep=keep, asked_at=time.time()))
    _tell(c)


def evict(c: Connection, image_ids: Iterable[str]) -> None:
    """Let hosts give images up: they count as gone until a host says that a server stands on its copy."""
    gone = set(image_ids)
    for row in list(c.execute(select(h.host, h.images))):
        left = {id: one for id, one in row.images.items() if id not in gone}
        if len(left) < len(row.images):
            c.execute(update(t.caches).where(h.host == row.host).values(images=left))
    for image_id in gone:
        wish(c, image_id, keep=False)


def forget(c: Connection, image_ids: Iterable[str]) -> None:
    """Take wishes back."""
    if c.execute(delete(t.cache_wishes).where(w.image_id.in_(list(image_ids)))).rowcount:
        _tell(c)


def report(c: Connection, host: str, images: Mapping[str, Any], *, fresh: bool) -> None:
    """Take over what a host has. Written where it differs, and where the host's last word is to be renewed (`fresh`)."""
    kept = c.execute(select(h.images).where(h.host == host)).scalar()
    if kept is None:
        c.execute(insert(t.caches).values(host=host, seen_at=time.time(), images=dict(images)))
    elif fresh or kept != images:
        values = {"seen_at": time.time(), "images": dict(images)}
        c.execute(update(t.caches).where(h.host == host).values(**values))
    if fresh or kept is None or kept.keys() != images.keys():
        _settle(c)


def _settle(c: Connection) -> None:
    """Forget the evictions that are done."""
    unwanted = [image_id for image_id, keep in wishes(c).items() if not keep]
    if unwanted:
        there = {image_id for images in hosts(c).values() for image_id in images}
        forget(c, set(unwanted) - there)


def _tell(c: Connection) -> None:
    for host in c.execute(select(h.host)).scalars().all():
        queue.bump_host(c, host)
