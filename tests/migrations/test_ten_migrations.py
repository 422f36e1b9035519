"""The commonest migrations, by real Alembic: afterwards all is right, and after the downgrade, too."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Numeric

from tests.migrations.environment import Migrations, faults
from tests.migrations.releases import begin, check_all_is_right, release, write


@dataclass(frozen=True)
class Migration:
    """A migration from one release to the next. Without statements, Alembic writes them itself."""

    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    upgrade: str | None = None
    downgrade: str = "pass"


ROWS = "op.execute(\"UPDATE orders SET amount = amount {} 100 WHERE note = 'old'\")"

COPY = """
# On PostgreSQL, a table that is copied loses its sequence.
how = 'always' if op.get_bind().dialect.name == 'sqlite' else 'auto'
with op.batch_alter_table('{}', recreate=how) as batch_op:
    pass
"""

MIGRATIONS = {
    "add a column": Migration({}, {"has_discount": True}),
    "drop a column": Migration({"has_discount": True}, {}),
    "rename a column": Migration(
        {},
        {"amount_name": "price"},
        "op.alter_column('orders', 'amount', new_column_name='price')",
        "op.alter_column('orders', 'price', new_column_name='amount')",
    ),
    "rename a column in a batch": Migration(
        {},
        {"amount_name": "price"},
        "with op.batch_alter_table('orders') as batch:\n    batch.alter_column('amount', new_column_name='price')",
        "with op.batch_alter_table('orders') as batch:\n    batch.alter_column('price', new_column_name='amount')",
    ),
    "drop a column without a copy": Migration(
        {"has_discount": True},
        {},
        "op.drop_column('orders', 'discount')",
        "op.add_column('orders', sa.Column('discount', sa.Integer, nullable=False, server_default='0'))",
    ),
    "change a type": Migration({}, {"amount_type": Numeric(12, 2)}),
    "add a table": Migration({}, {"has_payments": True}),
    "drop a table": Migration({"has_payments": True}, {}),
    "rename a table": Migration(
        {},
        {"orders_name": "purchases"},
        "op.rename_table('orders', 'purchases')",
        "op.rename_table('purchases', 'orders')",
    ),
    "add a unique index": Migration({}, {"unique_names": True}),
    "make a column required, with a default": Migration({}, {"is_note_needed": True}),
    "change rows": Migration({}, {}, ROWS.format("+"), ROWS.format("-")),
    "add a column to the tickets": Migration({}, {"is_traced": True}),
    "drop a column of the tickets": Migration({"is_traced": True}, {}),
    "copy tables": Migration(
        {},
        {},
        COPY.format("sys_async_ticket"),
        COPY.format("orders"),
    ),
}


@pytest.mark.parametrize("name", MIGRATIONS)
def test_after_a_migration_and_after_its_downgrade_all_is_right(engine: Engine, tmp_path: Path, name: str) -> None:
    migration = MIGRATIONS[name]
    old, new = begin(engine, **migration.before), release(**migration.after)
    # As it is recommended for SQLite, which can change only little of a table.
    migrations = Migrations(tmp_path, engine, new.base.metadata, {"render_as_batch": True})
    if migration.upgrade is None:
        migrations.revision()
    else:
        migrations.written(migration.upgrade, migration.downgrade)
    migrations.upgrade()
    assert faults(new.app, engine) == []
    write(new, engine)
    check_all_is_right(new, engine)

    migrations.downgrade()
    old.app.install(engine)  # as with each release: the one that downgraded does not know what this one needs
    assert faults(old.app, engine) == []
    write(old, engine)
    check_all_is_right(old, engine)
