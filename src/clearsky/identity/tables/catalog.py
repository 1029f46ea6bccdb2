"""Regions, services and endpoints."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, String, Table, Text

from clearsky.db.types import Json, metadata

regions = Table(
    "identity_regions",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("description", Text, nullable=False, default=""),
    Column("parent_region_id", String(255)),
    Column("extra", Json),
)

services = Table(
    "identity_services",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("type", String(255), nullable=False),
    Column("name", String(255), nullable=False, default=""),
    Column("description", Text, nullable=False, default=""),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("extra", Json),
)

endpoints = Table(
    "identity_endpoints",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service_id", String(64), nullable=False, index=True),
    Column("region_id", String(255)),
    Column("interface", String(8), nullable=False),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("name", String(255), nullable=False, default=""),
    Column("extra", Json),
)
