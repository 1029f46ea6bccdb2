"""Metadata definitions: which keys mean what on which kind of resource. Namespaces, and what each holds."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from clearsky.db.types import Json, Timestamp, metadata


def _times() -> tuple[Column[float], Column[float]]:
    return Column("created_at", Timestamp, nullable=False), Column("updated_at", Timestamp, nullable=False)


namespaces = Table(
    "metadef_namespaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("namespace", String(80), nullable=False, unique=True),
    Column("display_name", String(80)),
    Column("description", Text),
    Column("visibility", String(10), nullable=False, default="private"),
    Column("protected", Boolean, nullable=False, default=False),
    Column("owner", String(255), index=True),
    *_times(),
)


def _part(name: str, *columns: Column[object]) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("namespace_id", ForeignKey(namespaces.c.id), nullable=False),
        Column("name", String(80), nullable=False),
        *columns,
        *_times(),
        UniqueConstraint("namespace_id", "name"),
    )


objects = _part(
    "metadef_objects",
    Column("description", Text),
    Column("required", Json, nullable=False),
    Column("properties", Json, nullable=False),
)
properties = _part("metadef_properties", Column("definition", Json, nullable=False))
tags = _part("metadef_tags")
resource_types = Table(
    "metadef_resource_types",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    *_times(),
)
associations = Table(
    "metadef_associations",
    metadata,
    Column("namespace_id", ForeignKey(namespaces.c.id), primary_key=True),
    Column("resource_type_id", ForeignKey(resource_types.c.id), primary_key=True, index=True),
    Column("prefix", String(80)),
    Column("properties_target", String(80)),
    *_times(),
)
