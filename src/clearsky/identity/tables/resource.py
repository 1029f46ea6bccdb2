"""Domains and projects."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text, UniqueConstraint

from clearsky.db.types import Json, metadata

projects = Table(
    "identity_projects",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("domain_id", String(64), nullable=False),
    Column("parent_id", String(64)),
    Column("is_domain", Boolean, nullable=False, default=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("description", Text, nullable=False, default=""),
    Column("options", Json, nullable=False),
    Column("extra", Json, nullable=False),
    UniqueConstraint("domain_id", "name"),
    Index("ix_identity_projects_parent_id", "parent_id"),
)
"""Domains are rows with `is_domain`; their domain_id is DOMAIN_ROOT, so that their names are unique among them."""

project_tags = Table(
    "identity_project_tags",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("tag", String(255), primary_key=True),
    Index("ix_identity_project_tags_tag", "tag"),
)

domain_options = Table(
    "identity_domain_options",
    metadata,
    Column("domain_id", String(64), primary_key=True),
    Column("group_name", String(255), primary_key=True),
    Column("option_name", String(255), primary_key=True),
    Column("value", Json),
)
"""A domain's own settings. Of sensitive ones only that they are set: no back end of ours reads them."""
