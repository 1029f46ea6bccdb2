"""Who vouches for users from elsewhere, how their claims become users and groups, and who was vouched for."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from clearsky.db.types import Json, Timestamp, metadata

identity_providers = Table(
    "identity_identity_providers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("domain_id", String(64), nullable=False, index=True),
    Column("enabled", Boolean, nullable=False),
    Column("description", Text),
    Column("authorization_ttl", Integer),
)
"""`authorization_ttl`: minutes for which memberships that claims led to outlive the token."""

remote_ids = Table(
    "identity_remote_ids",
    metadata,
    Column("remote_id", String(255), primary_key=True),
    Column("provider_id", String(64), nullable=False, index=True),
)

protocols = Table(
    "identity_protocols",
    metadata,
    Column("provider_id", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("mapping_id", String(64), nullable=False, index=True),
    Column("remote_id_attribute", String(64)),
)

mappings = Table(
    "identity_mappings",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("rules", Json, nullable=False),
    Column("schema_version", String(5), nullable=False),
)

service_providers = Table(
    "identity_service_providers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("auth_url", String(256), nullable=False),
    Column("sp_url", String(256), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("description", Text),
    Column("relay_state_prefix", String(256), nullable=False),
)

federated_users = Table(
    "identity_federated_users",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("provider_id", String(64), primary_key=True),
    Column("protocol_id", String(64), primary_key=True),
    Column("unique_id", String(255), nullable=False),
    Column("display_name", String(255)),
    UniqueConstraint("provider_id", "protocol_id", "unique_id"),
)

expiring_memberships = Table(
    "identity_expiring_memberships",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("group_id", String(64), primary_key=True),
    Column("provider_id", String(64), primary_key=True),
    Column("expires_at", Timestamp, nullable=False),
    Index("ix_identity_expiring_memberships_group_id", "group_id"),
)
