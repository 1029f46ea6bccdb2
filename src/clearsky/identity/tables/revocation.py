"""What voids tokens."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from clearsky.db.types import Timestamp, metadata

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
