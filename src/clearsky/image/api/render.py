"""How images look from outside."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call
from clearsky.image import service
from clearsky.image.store import locations

_PLAIN = ("id", "name", "status", "visibility", "disk_format", "container_format", "min_disk", "min_ram", "protected",
          "os_hidden", "size", "virtual_size", "checksum", "os_hash_value", "owner", "tags")  # fmt: skip


def iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def copies(c: Connection, call: Call, rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Return image id -> the copies of its data that this caller may know of, the first to be used first.

    Costs nothing where no setting shows them.
    """
    settings = call.house.config.image
    if not (settings.show_multiple_locations or settings.show_image_direct_url):
        return {}
    found: dict[str, list[Any]] = defaultdict(list)
    for copy in locations.active(c, [row.id for row in rows if _may_locate(call, row)]):
        found[copy.image_id].append(copy)
    return {image_id: service.preferred(call.house, known) for image_id, known in found.items()}


def _may_locate(call: Call, row: Any) -> bool:
    if row.status == "deactivated" and not call.caller.is_admin:
        return False
    return call.may("get_image_location", project_id=row.owner)


def url(call: Call, copy: Any) -> str:
    return service.stores(call.house)[copy.store].url(copy.name)


def view(call: Call, row: Any, places: Sequence[Any] = ()) -> dict[str, Any]:
    """Show an image as this caller may see it; `places` are its `copies`."""
    custom: dict[str, Any] = row.properties
    protection = service.protection(call.house)
    if protection.active and custom:
        hidden = protection.unreadable(custom, call.caller, call.may)
        custom = {name: value for name, value in custom.items() if name not in hidden}
    return (
        custom
        | _stores(row)
        | _locations(call, places)
        | {
            **{name: getattr(row, name) for name in _PLAIN},
            "os_hash_algo": "sha512" if row.os_hash_value else None,
            "created_at": iso(row.created_at),
            "updated_at": iso(row.updated_at),
            "self": f"/v2/images/{row.id}",
            "file": f"/v2/images/{row.id}/file",
            "schema": "/v2/schemas/image",
        }
    )


def _locations(call: Call, places: Sequence[Any]) -> dict[str, Any]:
    settings, shown = call.house.config.image, {}
    if settings.show_multiple_locations:
        shown["locations"] = [{"url": url(call, copy), "metadata": {"store": copy.store}} for copy in places]
    return shown | ({"direct_url": url(call, places[0])} if places and settings.show_image_direct_url else {})


def _stores(row: Any) -> dict[str, str]:
    """Return which stores have the data, and how the newest import stands."""
    shown = {"stores": ",".join(row.stores)} if row.stores else {}
    if row.import_state is not None:
        shown["os_glance_importing_to_stores"] = ",".join(row.import_state["left"])
        shown["os_glance_failed_import"] = ",".join(row.import_state["failed"])
    return shown
