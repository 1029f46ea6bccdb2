"""A user may have several identities at one provider, one for each protocol"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
_NAME = "pk_identity_federated_users"


def _replace(columns: list[str]) -> None:
    with op.batch_alter_table("identity_federated_users", schema=None) as batch_op:
        batch_op.drop_constraint(_NAME, type_="primary")
        batch_op.create_primary_key(_NAME, columns)


def upgrade() -> None:
    _replace(["user_id", "provider_id", "protocol_id"])


def downgrade() -> None:
    _replace(["user_id", "provider_id"])
