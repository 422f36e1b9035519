"""Mail is called email."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    rename("mail", "email")


def downgrade() -> None:
    rename("email", "mail")


def rename(old: str, new: str) -> None:
    with op.batch_alter_table("customer") as batch:
        batch.drop_constraint(op.f(f"uq_customer_{old}"), type_="unique")
        batch.alter_column(old, new_column_name=new, existing_type=sa.String(length=200), existing_nullable=False)
    with op.batch_alter_table("customer") as batch:
        batch.create_unique_constraint(op.f(f"uq_customer_{new}"), [new])
