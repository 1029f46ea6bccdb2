"""OAuth 1.0: consumers, what they were allowed, and which of their requests were seen."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from clearsky.db.types import Json, Timestamp, metadata

consumers = Table(
    "identity_consumers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("description", Text),
    Column("encrypted_secret", Text, nullable=False),
    Column("extra", Json, nullable=False),
)
"""Secrets of all three kinds are encrypted by the keys in the state directory's `credential-keys`."""

request_tokens = Table(
    "identity_request_tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("consumer_id", String(64), nullable=False, index=True),
    Column("encrypted_secret", Text, nullable=False),
    Column("project_id", String(64), nullable=False, index=True),
    Column("expires_at", Timestamp),
    Column("authorizing_user_id", String(64), index=True),
    Column("role_ids", Json),
    Column("verifier_hash", String(64)),
)
"""What a consumer asks for; the last three columns are empty until a user has said yes."""

access_tokens = Table(
    "identity_access_tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("consumer_id", String(64), nullable=False, index=True),
    Column("encrypted_secret", Text, nullable=False),
    Column("project_id", String(64), nullable=False, index=True),
    Column("authorizing_user_id", String(64), nullable=False, index=True),
    Column("role_ids", Json, nullable=False),
    Column("expires_at", Timestamp),
)

nonces = Table(
    "identity_nonces",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", Timestamp, nullable=False, index=True),
)
"""Requests that were served, as long as their timestamps would be accepted."""
