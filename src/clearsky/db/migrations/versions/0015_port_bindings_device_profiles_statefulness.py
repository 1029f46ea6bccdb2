"""Port bindings, device profiles and default statefulness"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import clearsky.db.types

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "port_spare_bindings",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("vnic_type", sa.String(length=20), nullable=False),
        sa.Column("profile", clearsky.db.types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("port_id", "host", name=op.f("pk_port_spare_bindings")),
    )
    op.create_table(
        "security_group_default_statefulness",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("stateful", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_group_default_statefulness")),
        sa.UniqueConstraint("project_id", name=op.f("uq_security_group_default_statefulness_project_id")),
    )
    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.add_column(sa.Column("device_profile", sa.String(length=255), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.drop_column("device_profile")

    op.drop_table("security_group_default_statefulness")
    op.drop_table("port_spare_bindings")
