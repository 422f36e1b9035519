"""Orders have a total, which servers fill in."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("total", sa.Integer(), server_default="0", nullable=False))
    op.afterwork_install()


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.drop_column("total")
    op.afterwork_install()
