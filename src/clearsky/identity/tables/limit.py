"""What projects and domains may use: defaults, and what differs from them."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text, UniqueConstraint

from clearsky.db.types import metadata

registered_limits = Table(
    "identity_registered_limits",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service_id", String(64), nullable=False),
    Column("region_id", String(255), nullable=False, default=""),
    Column("resource_name", String(255), nullable=False),
    Column("default_limit", Integer, nullable=False),
    Column("description", Text),
    UniqueConstraint("service_id", "region_id", "resource_name", name="uq_identity_registered_limits"),
)
"""`region_id` is empty where the limit is for all regions: NULLs would not be unique."""

limits = Table(
    "identity_limits",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("registered_limit_id", String(64), nullable=False, index=True),
    Column("project_id", String(64), nullable=False, default=""),
    Column("domain_id", String(64), nullable=False, default=""),
    Column("resource_limit", Integer, nullable=False),
    Column("description", Text),
    UniqueConstraint("project_id", "domain_id", "registered_limit_id"),
)
"""Of a project or of a domain: the other one is empty."""
