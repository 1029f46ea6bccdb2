"""Imports under way and lately finished, as Glance's tasks."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from clearsky.db.types import Json, Timestamp, metadata

tasks = Table(
    "image_tasks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("type", String(30), nullable=False),
    Column("status", String(12), nullable=False),
    Column("image_id", String(36), index=True),
    Column("owner", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("request_id", String(64), nullable=False, default=""),
    Column("input", Json, nullable=False),
    Column("plan", Json, nullable=False),
    Column("result", Json),
    Column("message", Text, nullable=False, default=""),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("deadline_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp),
    Index("ix_image_tasks_owner_created_at", "owner", "created_at"),
)
"""status: pending, processing, success, failure. input: what the client sent. plan: what it means here, written once:
method, stores, all_must_succeed."""
