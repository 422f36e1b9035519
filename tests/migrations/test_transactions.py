"""Rows may be changed before and after an installation in one revision, whose transaction has them all."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.migrations.environment import Migrations, faults
from tests.migrations.releases import begin, check_all_is_right, release

CHANGE_ROWS = 'op.execute("UPDATE orders SET amount = amount + 1")\n'

DROP_COLUMN = "with op.batch_alter_table('orders') as batch:\n    batch.drop_column('discount')\n"

BESIDE = 'with op.get_context().autocommit_block():\n    op.execute("UPDATE orders SET amount = amount + 1")\n'

REVISIONS = {
    "before and after": f"{CHANGE_ROWS}{DROP_COLUMN}{CHANGE_ROWS}op.afterwork_install()\n{CHANGE_ROWS}",
    "outside of the transaction": f"{BESIDE}{DROP_COLUMN}{CHANGE_ROWS}op.afterwork_install()\n",
    "without an installation by hand": f"{CHANGE_ROWS}{DROP_COLUMN}{CHANGE_ROWS}",
}
"""On PostgreSQL, the triggers that compute at commit are about to fire when they are to be changed."""


@pytest.mark.parametrize("name", REVISIONS)
def test_rows_change_while_columns_do(engine: Engine, tmp_path: Path, name: str) -> None:
    begin(engine, has_discount=True)
    newer = release()
    migrations = Migrations(tmp_path, engine, newer.base.metadata, {"transaction_per_migration": True})
    migrations.written(REVISIONS[name])
    migrations.upgrade()

    assert faults(newer.app, engine) == []
    check_all_is_right(newer, engine)


def test_a_revision_that_fails_leaves_triggers_and_tables_as_they_were(engine: Engine, tmp_path: Path) -> None:
    """On SQLite, as Alembic uses it, each change of a table is committed at once; then what is missing is made good."""
    older, newer = begin(engine, has_discount=True), release()
    migrations = Migrations(tmp_path, engine, newer.base.metadata)
    migrations.written(f"{CHANGE_ROWS}{DROP_COLUMN}raise ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        migrations.upgrade()

    with engine.begin() as connection:
        connection.execute(text("UPDATE orders SET amount = amount + 1"))
    left = older if engine.dialect.name == "postgresql" else newer
    if left is newer:
        newer.app.install(engine)
    assert faults(left.app, engine) == []
    check_all_is_right(left, engine)
