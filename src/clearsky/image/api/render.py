"""How images look from outside."""

from __future__ import annotations

import time
from typing import Any

from clearsky.api.call import Call
from clearsky.image import service

_PLAIN = ("id", "name", "status", "visibility", "disk_format", "container_format", "min_disk", "min_ram", "protected",
          "os_hidden", "size", "virtual_size", "checksum", "os_hash_value", "owner", "tags")  # fmt: skip


def iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def view(call: Call, row: Any) -> dict[str, Any]:
    """Show an image as this caller may see it."""
    custom: dict[str, Any] = row.properties
    protection = service.protection(call.house)
    if protection.active and custom:
        hidden = protection.unreadable(custom, call.caller, call.may)
        custom = {name: value for name, value in custom.items() if name not in hidden}
    return (
        custom
        | _places(row)
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


def _places(row: Any) -> dict[str, str]:
    """Return which stores have the data, and how the newest import stands."""
    shown = {"stores": ",".join(row.stores)} if row.stores else {}
    if row.import_state is not None:
        shown["os_glance_importing_to_stores"] = ",".join(row.import_state["left"])
        shown["os_glance_failed_import"] = ",".join(row.import_state["failed"])
    return shown
