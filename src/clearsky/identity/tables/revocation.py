"""What voids tokens."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from clearsky.db.types import Json, Timestamp, metadata

revocations = Table(
    "identity_revocations",
    metadata,
    Column("audit_id", String(32), primary_key=True),
    Column("expires_at", Timestamp, nullable=False, index=True),
)
"""Tokens that were revoked one by one, until they would have expired."""

revocation_events = Table(
    "identity_revocation_events",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("revoked_at", Timestamp, nullable=False, index=True),
    Column("issued_before", Timestamp, nullable=False),
    Column("subject", Json, nullable=False),
)
"""What OS-REVOKE tells: which tokens are void, by the attributes in `subject`. Kept as long as such tokens could live."""

revision = Table(
    "identity_revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""Row 1: bumped by every change that may take rights away; caches of validated tokens hang on it. Row 0: failed log-ins
of nobody, counted only so that they cost what those of users do."""
