"""Tables of the Placement service."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, String, Table

from clearsky.db.types import Timestamp, metadata

providers = Table(
    "placement_providers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("parent_id", String(36), index=True),
    Column("root_id", String(36), nullable=False, index=True),
    Column("generation", BigInteger, nullable=False, default=0),
    Column("updated_at", Timestamp, nullable=False),
)
"""`root_id` is the provider's own id where it has no parent."""

inventories = Table(
    "placement_inventories",
    metadata,
    Column("provider_id", String(36), primary_key=True),
    Column("resource_class", String(255), primary_key=True),
    Column("total", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False, default=0),
    Column("min_unit", BigInteger, nullable=False, default=1),
    Column("max_unit", BigInteger, nullable=False),
    Column("step_size", BigInteger, nullable=False, default=1),
    Column("allocation_ratio", Double, nullable=False, default=1.0),
    Column("used", BigInteger, nullable=False, default=0),
)
"""`used`: the sum of the allocations, written with each change of them, so that nobody has to add them up."""

provider_traits = Table(
    "placement_provider_traits",
    metadata,
    Column("provider_id", String(36), primary_key=True),
    Column("trait", String(255), primary_key=True, index=True),
)

provider_aggregates = Table(
    "placement_provider_aggregates",
    metadata,
    Column("provider_id", String(36), primary_key=True),
    Column("aggregate_id", String(36), primary_key=True, index=True),
)

allocations = Table(
    "placement_allocations",
    metadata,
    Column("consumer_id", String(36), primary_key=True),
    Column("provider_id", String(36), primary_key=True, index=True),
    Column("resource_class", String(255), primary_key=True),
    Column("used", BigInteger, nullable=False),
)

consumers = Table(
    "placement_consumers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(255), nullable=False, index=True),
    Column("user_id", String(255), nullable=False),
    Column("generation", Integer, nullable=False, default=1),
    Column("type", String(255)),
)
"""`type`: null where whoever made it was too old to know of types."""

custom_traits = Table(
    "placement_custom_traits",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("created_at", Timestamp, nullable=False),
)

custom_classes = Table(
    "placement_custom_classes",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("created_at", Timestamp, nullable=False),
)

revision = Table(
    "placement_revision",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("value", String(32), nullable=False),
)
"""One row, a new text at each change of providers, inventories, traits or aggregates: processes keep their picture of
all these under it."""
