"""Share networks' objects by RBAC; pools, scopes, address groups, templates"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

import clearsky.db.types

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "address_groups",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", clearsky.db.types.Json(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("addresses", clearsky.db.types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_groups")),
    )
    with op.batch_alter_table("address_groups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_address_groups_project_id"), ["project_id"], unique=False)

    op.create_table(
        "address_scopes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", clearsky.db.types.Json(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("ip_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_scopes")),
    )
    with op.batch_alter_table("address_scopes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_address_scopes_project_id"), ["project_id"], unique=False)

    op.create_table(
        "auto_allocated_topologies",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("router_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_auto_allocated_topologies")),
    )
    op.create_table(
        "network_rbac",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("object_type", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("target_project", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_rbac")),
        sa.UniqueConstraint(
            "object_id",
            "action",
            "target_project",
            name=op.f("uq_network_rbac_object_id_action_target_project"),
        ),
    )
    with op.batch_alter_table("network_rbac", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_network_rbac_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_network_rbac_target_project"), ["target_project"], unique=False)

    op.create_table(
        "security_group_default_rules",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("direction", sa.String(length=7), nullable=False),
        sa.Column("ethertype", sa.String(length=4), nullable=False),
        sa.Column("protocol", sa.String(length=40), nullable=True),
        sa.Column("port_range_min", sa.Integer(), nullable=True),
        sa.Column("port_range_max", sa.Integer(), nullable=True),
        sa.Column("remote_ip_prefix", sa.String(length=64), nullable=True),
        sa.Column("remote_group_id", sa.String(length=36), nullable=True),
        sa.Column("remote_address_group_id", sa.String(length=36), nullable=True),
        sa.Column("used_in_default_sg", sa.Boolean(), nullable=False),
        sa.Column("used_in_non_default_sg", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_group_default_rules")),
    )
    op.create_table(
        "subnetpools",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", clearsky.db.types.Json(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("ip_version", sa.Integer(), nullable=False),
        sa.Column("prefixes", clearsky.db.types.Json(), nullable=False),
        sa.Column("default_prefixlen", sa.Integer(), nullable=False),
        sa.Column("min_prefixlen", sa.Integer(), nullable=False),
        sa.Column("max_prefixlen", sa.Integer(), nullable=False),
        sa.Column("default_quota", sa.BigInteger(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("address_scope_id", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnetpools")),
    )
    with op.batch_alter_table("subnetpools", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_subnetpools_address_scope_id"), ["address_scope_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_subnetpools_project_id"), ["project_id"], unique=False)

    with op.batch_alter_table("floating_ips", schema=None) as batch_op:
        batch_op.add_column(sa.Column("dns_name", sa.String(length=255), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("dns_domain", sa.String(length=255), nullable=False, server_default=""))

    _grant_what_was_shared()
    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("vlan_transparent", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(
            sa.Column(
                "availability_zone_hints", clearsky.db.types.Json(), nullable=False, server_default="[]"
            )
        )
        batch_op.drop_column("shared")

    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.add_column(sa.Column("dns_name", sa.String(length=255), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("dns_domain", sa.String(length=255), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("data_plane_status", sa.String(length=16), nullable=True))

    with op.batch_alter_table("routers", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "availability_zone_hints", clearsky.db.types.Json(), nullable=False, server_default="[]"
            )
        )

    with op.batch_alter_table("security_group_rules", schema=None) as batch_op:
        batch_op.add_column(sa.Column("remote_address_group_id", sa.String(length=36), nullable=True))

    with op.batch_alter_table("subnets", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("service_types", clearsky.db.types.Json(), nullable=False, server_default="[]")
        )
        batch_op.add_column(sa.Column("subnetpool_id", sa.String(length=36), nullable=True))
        batch_op.add_column(
            sa.Column("dns_publish_fixed_ip", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.create_index(batch_op.f("ix_subnets_subnetpool_id"), ["subnetpool_id"], unique=False)


def _grant_what_was_shared() -> None:
    """Turn the marks of shared and external networks into rights of every project."""
    networks = sa.table("networks", *map(sa.column, ("id", "project_id", "shared", "external")))
    rbac = sa.table(
        "network_rbac",
        *map(sa.column, ("id", "project_id", "object_type", "object_id", "action", "target_project")),
    )
    connection = op.get_bind()
    for mark, action in (("shared", "access_as_shared"), ("external", "access_as_external")):
        marked = sa.select(networks.c.id, networks.c.project_id).where(networks.c[mark] == sa.true())
        for id, project_id in connection.execute(marked).all():
            values = {"id": str(uuid.uuid4()), "project_id": project_id, "object_type": "network"}
            values |= {"object_id": id, "action": action, "target_project": "*"}
            connection.execute(rbac.insert().values(**values))
