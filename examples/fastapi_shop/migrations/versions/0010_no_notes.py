"""Nobody has ever read the notes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.drop_column("note")


def downgrade() -> None:
    op.add_column("orders", sa.Column("note", sa.Text(), nullable=True))
