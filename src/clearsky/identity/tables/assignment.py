"""Roles, what they imply, and who has them where."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text, UniqueConstraint

from clearsky.db.types import Json, metadata

roles = Table(
    "identity_roles",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("domain_id", String(64), nullable=False, default=""),
    Column("description", Text),
    Column("options", Json, nullable=False),
    Column("extra", Json),
    UniqueConstraint("domain_id", "name"),
)

implied_roles = Table(
    "identity_implied_roles",
    metadata,
    Column("prior_role_id", String(64), primary_key=True),
    Column("implied_role_id", String(64), primary_key=True),
)

assignments = Table(
    "identity_assignments",
    metadata,
    Column("actor_type", String(5), primary_key=True),
    Column("actor_id", String(64), primary_key=True),
    Column("target_type", String(7), primary_key=True),
    Column("target_id", String(64), primary_key=True),
    Column("role_id", String(64), primary_key=True),
    Column("inherited", Boolean, primary_key=True, default=False),
    Index("ix_identity_assignments_target_id", "target_id"),
)
"""actor_type: user, group. target_type: project, domain, system (target_id `system`)."""
