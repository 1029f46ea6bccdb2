"""The images themselves."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table

from clearsky.db.types import Json, Timestamp, metadata

images = Table(
    "images",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255)),
    Column("owner", String(64), index=True),
    Column("status", String(20), nullable=False, default="queued"),
    Column("visibility", String(10), nullable=False, default="shared"),
    Column("disk_format", String(20)),
    Column("container_format", String(20)),
    Column("min_disk", Integer, nullable=False, default=0),
    Column("min_ram", Integer, nullable=False, default=0),
    Column("protected", Boolean, nullable=False, default=False),
    Column("os_hidden", Boolean, nullable=False, default=False),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    Column("checksum", String(32)),
    Column("os_hash_value", String(128)),
    Column("tags", Json, nullable=False),
    Column("properties", Json, nullable=False),
    Column("stores", Json, nullable=False, default=list),
    Column("import_state", Json),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Index(None, "created_at", "id"),
)
"""status: queued, saving, uploading (to staging), importing, active, deactivated, deleting. The row goes only after
the bytes. stores: those that have the whole data, as `locations` says it; import_state: {"left": [...], "failed":
[...]} of the newest import. Both are here so that a list of images needs no second query."""
