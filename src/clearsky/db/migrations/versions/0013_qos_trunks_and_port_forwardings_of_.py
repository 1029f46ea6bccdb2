"""QoS, trunks and port forwardings of networks"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import clearsky.db.types

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "port_forwardings",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("floating_ip_id", sa.String(length=36), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("protocol", sa.String(length=8), nullable=False),
        sa.Column("external_first", sa.Integer(), nullable=False),
        sa.Column("external_last", sa.Integer(), nullable=False),
        sa.Column("internal_first", sa.Integer(), nullable=False),
        sa.Column("internal_last", sa.Integer(), nullable=False),
        sa.Column("internal_port_id", sa.String(length=36), nullable=False),
        sa.Column("internal_ip_address", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_port_forwardings")),
    )
    with op.batch_alter_table("port_forwardings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_port_forwardings_floating_ip_id"), ["floating_ip_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_port_forwardings_internal_port_id"), ["internal_port_id"], unique=False
        )

    op.create_table(
        "qos_policies",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", clearsky.db.types.Json(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qos_policies")),
    )
    with op.batch_alter_table("qos_policies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_qos_policies_project_id"), ["project_id"], unique=False)

    op.create_table(
        "qos_rules",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("policy_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=7), nullable=False),
        sa.Column("max_kbps", sa.Integer(), nullable=True),
        sa.Column("max_burst_kbps", sa.Integer(), nullable=True),
        sa.Column("dscp_mark", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_qos_rules")),
        sa.UniqueConstraint(
            "policy_id", "kind", "direction", name=op.f("uq_qos_rules_policy_id_kind_direction")
        ),
    )
    with op.batch_alter_table("qos_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_qos_rules_policy_id"), ["policy_id"], unique=False)

    op.create_table(
        "trunk_sub_ports",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("trunk_id", sa.String(length=36), nullable=False),
        sa.Column("segmentation_type", sa.String(length=16), nullable=False),
        sa.Column("segmentation_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("port_id", name=op.f("pk_trunk_sub_ports")),
        sa.UniqueConstraint(
            "trunk_id",
            "segmentation_type",
            "segmentation_id",
            name=op.f("uq_trunk_sub_ports_trunk_id_segmentation_type_segmentation_id"),
        ),
    )
    op.create_table(
        "trunks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", clearsky.db.types.Json(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trunks")),
        sa.UniqueConstraint("port_id", name=op.f("uq_trunks_port_id")),
    )
    with op.batch_alter_table("trunks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trunks_project_id"), ["project_id"], unique=False)

    with op.batch_alter_table("floating_ips", schema=None) as batch_op:
        batch_op.add_column(sa.Column("qos_policy_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_floating_ips_qos_policy_id"), ["qos_policy_id"], unique=False)

    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("qos_policy_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_networks_qos_policy_id"), ["qos_policy_id"], unique=False)

    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.add_column(sa.Column("qos_policy_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_ports_qos_policy_id"), ["qos_policy_id"], unique=False)

    with op.batch_alter_table("routers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("qos_policy_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_routers_qos_policy_id"), ["qos_policy_id"], unique=False)
