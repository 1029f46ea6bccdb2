"""Secrets that users store: EC2 keys, TOTP seeds, certificates."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from clearsky.db.types import Json, metadata

credentials = Table(
    "identity_credentials",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False, index=True),
    Column("project_id", String(64), index=True),
    Column("type", String(255), nullable=False),
    Column("encrypted_blob", Text, nullable=False),
    Column("used_step", BigInteger),
    Column("extra", Json, nullable=False),
)
"""`encrypted_blob`: by the keys in the state directory's `credential-keys`. `used_step`: the newest time step whose
one-time password was accepted (RFC 6238: never the same one twice)."""
