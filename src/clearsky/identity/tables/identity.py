"""Users, groups, and who is in which."""

from __future__ import annotations

import time

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from clearsky.db.types import Json, Timestamp, metadata

users = Table(
    "identity_users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("domain_id", String(64), nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("password_hash", Text),
    Column("password_created_at", Timestamp),
    Column("password_expires_at", Timestamp),
    Column("failed_attempts", Integer, nullable=False, default=0),
    Column("failed_at", Timestamp),
    Column("valid_from", Timestamp, nullable=False, default=0.0),
    Column("created_at", Timestamp, default=time.time),
    Column("last_active_at", Timestamp),
    Column("default_project_id", String(64)),
    Column("description", Text),
    Column("email", String(255)),
    Column("options", Json, nullable=False),
    Column("extra", Json, nullable=False),
    UniqueConstraint("domain_id", "name"),
)
"""`last_active_at`: the last day on which the user logged in. `valid_from`: tokens of this user that were issued earlier are void (password change, disabling)."""

groups = Table(
    "identity_groups",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("domain_id", String(64), nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("extra", Json),
    UniqueConstraint("domain_id", "name"),
)

memberships = Table(
    "identity_memberships",
    metadata,
    Column("group_id", String(64), primary_key=True),
    Column("user_id", String(64), primary_key=True),
    Index("ix_identity_memberships_user_id", "user_id"),
)

former_passwords = Table(
    "identity_former_passwords",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("created_at", Timestamp, primary_key=True),
    Column("password_hash", Text, nullable=False),
)
"""What a user had before, so that it is not taken again: as many as the settings ask for."""
