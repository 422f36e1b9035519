"""Orders have a state, and enter the first one when a server sees them; bookkeeping is told of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.add_column(sa.Column("state", sa.String(length=40), nullable=True))
        batch.add_column(sa.Column("exported", sa.DateTime(timezone=True), nullable=True))
        batch.create_index(op.f("ix_orders_state"), ["state"])
    op.afterwork_install()


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.drop_index(op.f("ix_orders_state"))
        batch.drop_column("exported")
        batch.drop_column("state")
    op.afterwork_install()
