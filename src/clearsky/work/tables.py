"""Work rows (one for each resource that may need a visit), steps, and the revision of each host's desired state."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from clearsky.db.types import Timestamp, metadata

work = Table(
    "work",
    metadata,
    Column("kind", String(40), primary_key=True),
    Column("resource_id", String(64), primary_key=True),
    Column("request_id", String(64), nullable=False, default=""),
    Column("due_at", Timestamp, nullable=False),
    Column("generation", BigInteger, nullable=False, default=1),
    Column("token", BigInteger, nullable=False, default=0),
    Column("attempt", Integer, nullable=False, default=0),
    Column("error", Text, nullable=False, default=""),
    Column("leased_until", Timestamp, nullable=False, default=0.0),
    Column("holder", String(255), nullable=False, default=""),
    Index("ix_work_due_at", "due_at"),
)

steps = Table(
    "steps",
    metadata,
    Column("id", Integer().with_variant(BigInteger(), "postgresql"), primary_key=True, autoincrement=True),
    Column("request_id", String(64), nullable=False, default="", index=True),
    Column("kind", String(40), nullable=False),
    Column("resource_id", String(64), nullable=False),
    Column("step", String(80), nullable=False),
    Column("host", String(255), nullable=False, default=""),
    Column("started_at", Timestamp, nullable=False),
    Column("duration_s", Timestamp, nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Index("ix_steps_resource_id_started_at", "resource_id", "started_at"),
)

host_revisions = Table(
    "host_revisions",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("revision", BigInteger, nullable=False, default=1),
)
