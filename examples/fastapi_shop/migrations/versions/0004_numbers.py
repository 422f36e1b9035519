"""Orders have numbers without gaps. Older ones get theirs by tickets, which SQL can save as well."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "number_series",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("last", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_number_series")),
    )
    op.execute("INSERT INTO number_series (name) VALUES ('order')")
    with op.batch_alter_table("orders") as batch:
        batch.add_column(sa.Column("number", sa.Integer(), nullable=True))
        batch.create_unique_constraint(op.f("uq_orders_number"), ["number"])
    op.execute(
        "INSERT INTO sys_async_ticket (view_model, root_id) SELECT 'Order.assign_number', 'Order!' || id FROM orders"
    )


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.drop_constraint(op.f("uq_orders_number"), type_="unique")
        batch.drop_column("number")
    op.drop_table("number_series")
