"""Ranges of segments"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import clearsky.db.types

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "network_segment_ranges",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", clearsky.db.types.Json(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("is_first", sa.Boolean(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("network_type", sa.String(length=16), nullable=False),
        sa.Column("physical_network", sa.String(length=64), nullable=True),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("maximum", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_segment_ranges")),
    )
    with op.batch_alter_table("network_segment_ranges", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_network_segment_ranges_project_id"), ["project_id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("network_segment_ranges", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_network_segment_ranges_project_id"))

    op.drop_table("network_segment_ranges")
