"""The cache: the copies of images that hosts keep for servers to come. Administrators fill and empty it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid, NotFound
from clearsky.image import store
from clearsky.image.schema import caches as shapes
from clearsky.image.store import caches
from clearsky.image.tables import images

routes = Routes()
_TARGET = "x-image-cache-clear-target"


def _state(c: Connection) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Return image id -> the copies of it, and the ids of those that are wished for and not on every host yet."""
    hosts, found = caches.hosts(c), defaultdict(list)
    for copies in hosts.values():
        for image_id, copy in copies.items():
            found[image_id].append(copy)
    queued = [id for id, keep in caches.wishes(c).items() if keep and len(found[id]) < max(1, len(hosts))]
    query = select(images.c.id).where(images.c.id.in_([*found, *queued]), images.c.status != "deleting")
    known = set(c.execute(query).scalars())
    return {id: copies for id, copies in found.items() if id in known and copies}, [
        id for id in queued if id in known
    ]


def _shown(image_id: str, copies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "hits": sum(copy["hits"] for copy in copies),
        "last_accessed": max(copy["used_at"] for copy in copies),
        "last_modified": max(copy["made_at"] for copy in copies),
        "size": max(copy["size_bytes"] for copy in copies),
    }


@routes.get("/v2/cache", rule="cache_list", response=shapes.CACHE)
def show_cache(call: Call) -> Reply:
    """Show which images are cached at hosts, and which are queued to be."""
    with call.house.db.read() as c:
        cached, queued = _state(c)
    shown = [_shown(image_id, copies) for image_id, copies in sorted(cached.items())]
    return Reply({"cached_images": shown, "queued_images": queued})


@routes.put("/v2/cache/{image_id}", rule="cache_image", status=202)
def queue_image(call: Call) -> Reply:
    """Let every host fetch an image before a server needs it, and keep it."""
    with call.house.db.write() as c:
        row = store.get(c, call.scope, call.params["image_id"])
        if row.status != "active":
            raise Invalid(f"Image {row.id} is {row.status}: only an active image can be cached")
        if not caches.wishes(c).get(row.id):
            caches.wish(c, row.id, keep=True)
    return Reply()


@routes.delete("/v2/cache/{image_id}", rule="cache_delete")
def delete_cached_image(call: Call) -> Reply:
    """Let hosts give an image up: at once, or as soon as no server stands on their copy."""
    with call.house.db.write() as c:
        image_id = store.get(c, call.scope, call.params["image_id"]).id
        cached, queued = _state(c)
        if image_id not in cached and image_id not in queued:
            raise NotFound(f"Image {image_id} is neither cached nor queued")
        _give_up(c, {image_id}, cached)
    return Reply()


@routes.delete("/v2/cache", rule="cache_delete")
def clear_cache(call: Call) -> Reply:
    """Let hosts give all cached images up, and forget what is queued; the header names one of the two."""
    target = call.headers.get(_TARGET, "").lower()
    if target not in ("", "cache", "queue"):
        raise Invalid(f"{_TARGET}: {target!r:.40} is neither cache nor queue")
    with call.house.db.write() as c:
        cached, queued = _state(c)
        if target != "cache":
            caches.forget(c, queued)
        if target != "queue":
            _give_up(c, set(cached), cached)
    return Reply()


def _give_up(c: Connection, image_ids: set[str], cached: dict[str, list[dict[str, Any]]]) -> None:
    caches.forget(c, image_ids - cached.keys())
    caches.evict(c, image_ids & cached.keys())
