"""Trees of resource providers, custom traits and classes, and inventories that know what is used of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "placement_custom_classes",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_placement_custom_classes")),
    )
    op.create_table(
        "placement_custom_traits",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_placement_custom_traits")),
    )
    op.create_table(
        "placement_revision",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_placement_revision")),
    )
    with op.batch_alter_table("placement_consumers", schema=None) as batch_op:
        batch_op.alter_column(
            "project_id",
            existing_type=sa.VARCHAR(length=64),
            type_=sa.String(length=255),
            existing_nullable=False,
        )
        batch_op.alter_column(
            "user_id",
            existing_type=sa.VARCHAR(length=64),
            type_=sa.String(length=255),
            existing_nullable=False,
        )

    with op.batch_alter_table("placement_inventories", schema=None) as batch_op:
        batch_op.add_column(sa.Column("used", sa.BigInteger(), nullable=False, server_default="0"))

    with op.batch_alter_table("placement_provider_traits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_placement_provider_traits_trait"), ["trait"], unique=False)

    with op.batch_alter_table("placement_providers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("parent_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("root_id", sa.String(length=36), nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_placement_providers_parent_id"), ["parent_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_placement_providers_root_id"), ["root_id"], unique=False)

    op.execute("UPDATE placement_providers SET root_id = id WHERE root_id = ''")
    op.execute(
        "UPDATE placement_inventories SET used = (SELECT COALESCE(SUM(a.used), 0) FROM placement_allocations a"
        " WHERE a.provider_id = placement_inventories.provider_id"
        " AND a.resource_class = placement_inventories.resource_class)"
    )
    for table, column in (
        ("placement_custom_traits", "trait"),
        ("placement_custom_classes", "resource_class"),
    ):
        source = "placement_provider_traits" if column == "trait" else "placement_inventories"
        op.execute(
            f"INSERT INTO {table} (name, created_at) SELECT DISTINCT {column}, 0.0 FROM {source}"  # noqa: S608
            f" WHERE {column} LIKE 'CUSTOM/_%' ESCAPE '/'"
        )


def downgrade() -> None:
    with op.batch_alter_table("placement_providers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_placement_providers_root_id"))
        batch_op.drop_index(batch_op.f("ix_placement_providers_parent_id"))
        batch_op.drop_column("root_id")
        batch_op.drop_column("parent_id")

    with op.batch_alter_table("placement_provider_traits", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_placement_provider_traits_trait"))

    with op.batch_alter_table("placement_inventories", schema=None) as batch_op:
        batch_op.drop_column("used")

    with op.batch_alter_table("placement_consumers", schema=None) as batch_op:
        batch_op.alter_column(
            "user_id",
            existing_type=sa.String(length=255),
            type_=sa.VARCHAR(length=64),
            existing_nullable=False,
        )
        batch_op.alter_column(
            "project_id",
            existing_type=sa.String(length=255),
            type_=sa.VARCHAR(length=64),
            existing_nullable=False,
        )

    op.drop_table("placement_revision")
    op.drop_table("placement_custom_traits")
    op.drop_table("placement_custom_classes")
