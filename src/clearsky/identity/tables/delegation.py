"""Rights that a user hands on: application credentials, their access rules, trusts."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from clearsky.db.types import Json, Timestamp, metadata

application_credentials = Table(
    "identity_application_credentials",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    Column("secret_hash", Text, nullable=False),
    Column("project_id", String(64), nullable=False, index=True),
    Column("expires_at", Timestamp),
    Column("unrestricted", Boolean, nullable=False),
    UniqueConstraint("user_id", "name"),
)

application_credential_roles = Table(
    "identity_application_credential_roles",
    metadata,
    Column("application_credential_id", String(64), primary_key=True),
    Column("role_id", String(64), primary_key=True),
    Index("ix_identity_application_credential_roles_role_id", "role_id"),
)

access_rules = Table(
    "identity_access_rules",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("service", String(64), nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", String(225), nullable=False),
    UniqueConstraint("user_id", "service", "path", "method"),
)

application_credential_access_rules = Table(
    "identity_application_credential_access_rules",
    metadata,
    Column("application_credential_id", String(64), primary_key=True),
    Column("access_rule_id", String(64), primary_key=True),
    Index("ix_identity_application_credential_access_rules_access_rule_id", "access_rule_id"),
)

trusts = Table(
    "identity_trusts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("trustor_user_id", String(64), nullable=False, index=True),
    Column("trustee_user_id", String(64), nullable=False, index=True),
    Column("project_id", String(64), index=True),
    Column("impersonation", Boolean, nullable=False),
    Column("expires_at", Timestamp),
    Column("remaining_uses", Integer),
    Column("redelegated_trust_id", String(64), index=True),
    Column("redelegation_count", Integer, nullable=False),
    Column("role_ids", Json, nullable=False),
    Column("extra", Json, nullable=False),
)
"""`role_ids`: what the trustee gets, as long as the trustor has it."""
