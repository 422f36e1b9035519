"""Alembic's own operations on tables, which make way for triggers and note that upkeep is due."""

from collections.abc import Callable
from typing import Any

from alembic.operations import BatchOperations, Operations, ops, toimpl

from afterwork.compat.alembic_internals import before_batches
from afterwork.ext.alembic.filters import be_quiet_about_indexes
from afterwork.ext.alembic.script import database_of
from afterwork.ext.alembic.upkeep import is_installed, upkeep_of
from afterwork.store.sqlite.removal import make_way

Implementation = Callable[[Any, Any], Any]

IN_THE_WAY = (ops.DropColumnOp, ops.AlterColumnOp)
"""The operations that SQLite refuses while triggers name what they change."""

ORIGINALS: dict[type, Implementation] = {
    ops.CreateTableOp: toimpl.create_table,
    ops.DropTableOp: toimpl.drop_table,
    ops.RenameTableOp: toimpl.rename_table,
    ops.AddColumnOp: toimpl.add_column,
    ops.AlterColumnOp: toimpl.alter_column,
    ops.DropColumnOp: toimpl.drop_column,
    ops.AddConstraintOp: toimpl.create_constraint,
    ops.DropConstraintOp: toimpl.drop_constraint,
    ops.CreateIndexOp: toimpl.create_index,
    ops.DropIndexOp: toimpl.drop_index,
    ops.ExecuteSQLOp: toimpl.execute_sql,
}
"""The operations after which the triggers may have to be others, each with its implementation by Alembic."""


def register() -> None:
    """Have Alembic's operations see to Afterwork before they do what they always do."""
    for operation, original in ORIGINALS.items():
        Operations.implementation_for(operation, replace=True)(_with_upkeep(original))
    before_batches(Operations, _begin_batch)


def _with_upkeep(original: Implementation) -> Implementation:
    def changed(operations: Any, operation: Any) -> Any:
        is_alone = not isinstance(operations, BatchOperations)
        if is_alone and _note_change(operations) and isinstance(operation, IN_THE_WAY):
            _make_way(operations, operation.table_name)
        return original(operations, operation)

    return changed


def _begin_batch(batch: Any, copies: bool) -> None:
    if _note_change(batch) and copies:
        _make_way(batch, batch.impl.table_name)


def _note_change(operations: Any) -> bool:
    """Note that upkeep is due at the end of the revision. Return False in a database without Afterwork."""
    context = operations.migration_context
    if not is_installed(context):
        return False
    upkeep_of(context).is_due = True
    return True


def _make_way(operations: Any, table: str) -> None:
    context = operations.migration_context
    if context.dialect.name == "sqlite":
        be_quiet_about_indexes()  # a table is reflected before it is copied
        with database_of(context) as connection:
            make_way(connection, table)
