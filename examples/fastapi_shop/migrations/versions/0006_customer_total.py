"""Customers have a total, which is made of those of their orders."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("customer", sa.Column("total", sa.Integer(), server_default="0", nullable=False))
    op.afterwork_install()


def downgrade() -> None:
    with op.batch_alter_table("customer") as batch:
        batch.drop_column("total")
    op.afterwork_install()
