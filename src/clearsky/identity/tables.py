"""Tables of the Identity service."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from clearsky.db.types import Json, Timestamp, metadata

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
    Column("tags", Json, nullable=False),
    Column("options", Json, nullable=False),
    Column("extra", Json, nullable=False),
    UniqueConstraint("domain_id", "name"),
    Index("ix_identity_projects_parent_id", "parent_id"),
)
"""Domains are rows with `is_domain`; their domain_id is DOMAIN_ROOT, so that their names are unique among them."""

users = Table(
    "identity_users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("domain_id", String(64), nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("password_hash", Text),
    Column("password_expires_at", Timestamp),
    Column("failed_attempts", Integer, nullable=False, default=0),
    Column("failed_at", Timestamp),
    Column("valid_from", Timestamp, nullable=False, default=0.0),
    Column("default_project_id", String(64)),
    Column("description", Text),
    Column("email", String(255)),
    Column("options", Json, nullable=False),
    Column("extra", Json, nullable=False),
    UniqueConstraint("domain_id", "name"),
)
"""`valid_from`: tokens of this user that were issued earlier are void (password change, disabling)."""

groups = Table(
    "identity_groups",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("domain_id", String(64), nullable=False),
    Column("description", Text, nullable=False, default=""),
    UniqueConstraint("domain_id", "name"),
)

memberships = Table(
    "identity_memberships",
    metadata,
    Column("group_id", String(64), primary_key=True),
    Column("user_id", String(64), primary_key=True),
    Index("ix_identity_memberships_user_id", "user_id"),
)

roles = Table(
    "identity_roles",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("domain_id", String(64), nullable=False, default=""),
    Column("description", Text),
    Column("options", Json, nullable=False),
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

regions = Table(
    "identity_regions",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("description", Text, nullable=False, default=""),
    Column("parent_region_id", String(255)),
)

services = Table(
    "identity_services",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("type", String(255), nullable=False),
    Column("name", String(255), nullable=False, default=""),
    Column("description", Text, nullable=False, default=""),
    Column("enabled", Boolean, nullable=False, default=True),
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
)

revocations = Table(
    "identity_revocations",
    metadata,
    Column("audit_id", String(32), primary_key=True),
    Column("expires_at", Timestamp, nullable=False, index=True),
)
"""Tokens that were revoked one by one, until they would have expired."""

revision = Table(
    "identity_revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row, bumped by every change that may take rights away: caches of validated tokens hang on it."""
