"""Servers that are rescued, resized, shelved and in groups; aggregates; migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import clearsky.db.types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "aggregate_hosts",
        sa.Column("aggregate_id", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("aggregate_id", "host", name=op.f("pk_aggregate_hosts")),
    )
    op.create_table(
        "aggregates",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("metadata", clearsky.db.types.Json(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aggregates")),
        sa.UniqueConstraint("name", name=op.f("uq_aggregates_name")),
    )
    op.create_table(
        "compute_host_statistics",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("servers", clearsky.db.types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_compute_host_statistics")),
    )
    op.create_table(
        "compute_migrations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("server_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("old_flavor_id", sa.String(length=255), nullable=False),
        sa.Column("new_flavor_id", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compute_migrations")),
    )
    with op.batch_alter_table("compute_migrations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_compute_migrations_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_compute_migrations_server_id"), ["server_id"], unique=False)

    op.create_table(
        "placement_provider_aggregates",
        sa.Column("provider_id", sa.String(length=36), nullable=False),
        sa.Column("aggregate_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "aggregate_id", name=op.f("pk_placement_provider_aggregates")),
    )
    with op.batch_alter_table("placement_provider_aggregates", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_placement_provider_aggregates_aggregate_id"), ["aggregate_id"], unique=False
        )

    op.create_table(
        "server_groups",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("policy", sa.String(length=24), nullable=False),
        sa.Column("rules", clearsky.db.types.Json(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_groups")),
    )
    with op.batch_alter_table("server_groups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_server_groups_project_id"), ["project_id"], unique=False)

    with op.batch_alter_table("placement_consumers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("type", sa.String(length=255), nullable=True))

    with op.batch_alter_table("servers", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("disk_config", sa.String(length=6), nullable=False, server_default="MANUAL")
        )
        batch_op.add_column(sa.Column("zone", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("group_id", sa.String(length=36), nullable=True))
        batch_op.add_column(
            sa.Column("scheduler_hints", clearsky.db.types.Json(), nullable=False, server_default="{}")
        )
        batch_op.add_column(
            sa.Column("image_properties", clearsky.db.types.Json(), nullable=False, server_default="{}")
        )
        batch_op.add_column(sa.Column("password", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("wish", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("disk", clearsky.db.types.Json(), nullable=True))
        batch_op.add_column(sa.Column("rescue", clearsky.db.types.Json(), nullable=True))
        batch_op.add_column(sa.Column("snapshot", clearsky.db.types.Json(), nullable=True))
        batch_op.add_column(sa.Column("shelf", clearsky.db.types.Json(), nullable=True))
        batch_op.add_column(sa.Column("resize", clearsky.db.types.Json(), nullable=True))
        batch_op.add_column(
            sa.Column("detaching", clearsky.db.types.Json(), nullable=False, server_default="[]")
        )
        batch_op.add_column(sa.Column("reached", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("snapshot_done", sa.Text(), nullable=False, server_default=""))
        batch_op.alter_column("vm_state", existing_type=sa.String(length=12), type_=sa.String(length=20))
        batch_op.create_index(batch_op.f("ix_servers_group_id"), ["group_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("servers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_servers_group_id"))
        batch_op.alter_column("vm_state", existing_type=sa.String(length=20), type_=sa.String(length=12))
        batch_op.drop_column("snapshot_done")
        batch_op.drop_column("reached")
        batch_op.drop_column("detaching")
        batch_op.drop_column("resize")
        batch_op.drop_column("shelf")
        batch_op.drop_column("snapshot")
        batch_op.drop_column("rescue")
        batch_op.drop_column("disk")
        batch_op.drop_column("wish")
        batch_op.drop_column("password")
        batch_op.drop_column("image_properties")
        batch_op.drop_column("scheduler_hints")
        batch_op.drop_column("group_id")
        batch_op.drop_column("zone")
        batch_op.drop_column("disk_config")

    with op.batch_alter_table("placement_consumers", schema=None) as batch_op:
        batch_op.drop_column("type")

    with op.batch_alter_table("server_groups", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_server_groups_project_id"))

    op.drop_table("server_groups")
    with op.batch_alter_table("placement_provider_aggregates", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_placement_provider_aggregates_aggregate_id"))

    op.drop_table("placement_provider_aggregates")
    with op.batch_alter_table("compute_migrations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_compute_migrations_server_id"))
        batch_op.drop_index(batch_op.f("ix_compute_migrations_created_at"))

    op.drop_table("compute_migrations")
    op.drop_table("compute_host_statistics")
    op.drop_table("aggregates")
    op.drop_table("aggregate_hosts")
