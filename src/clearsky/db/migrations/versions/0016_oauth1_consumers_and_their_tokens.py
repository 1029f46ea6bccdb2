"""OAuth1: consumers and their tokens"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import clearsky.db.types

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None
_INDEXED = {
    "identity_access_tokens": ("authorizing_user_id", "consumer_id", "project_id"),
    "identity_nonces": ("expires_at",),
    "identity_request_tokens": ("authorizing_user_id", "consumer_id", "project_id"),
}


def upgrade() -> None:
    op.create_table(
        "identity_consumers",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("encrypted_secret", sa.Text(), nullable=False),
        sa.Column("extra", clearsky.db.types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_consumers")),
    )
    op.create_table(
        "identity_request_tokens",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("consumer_id", sa.String(64), nullable=False),
        sa.Column("encrypted_secret", sa.Text(), nullable=False),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("authorizing_user_id", sa.String(64)),
        sa.Column("role_ids", clearsky.db.types.Json()),
        sa.Column("verifier_hash", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_request_tokens")),
    )
    op.create_table(
        "identity_access_tokens",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("consumer_id", sa.String(64), nullable=False),
        sa.Column("encrypted_secret", sa.Text(), nullable=False),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("authorizing_user_id", sa.String(64), nullable=False),
        sa.Column("role_ids", clearsky.db.types.Json(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_access_tokens")),
    )
    op.create_table(
        "identity_nonces",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_identity_nonces")),
    )
    for table, columns in _INDEXED.items():
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    for table in (*_INDEXED, "identity_consumers"):
        op.drop_table(table)
