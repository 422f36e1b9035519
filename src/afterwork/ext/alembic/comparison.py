"""Autogenerate: leave out what is Afterwork's own, and add an installation if the model needs one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from alembic.util import PriorityDispatchResult
from sqlalchemy import Connection, Table

from afterwork.app import Afterwork
from afterwork.compat.alembic_internals import add_filters
from afterwork.ext.alembic.applications import application_of
from afterwork.ext.alembic.filters import be_quiet_about_indexes, include_name, include_object, render_item
from afterwork.ext.alembic.operations import InstallOp, NothingOp, UninstallOp
from afterwork.ext.alembic.script import has_tables
from afterwork.ext.alembic.upkeep import LOG
from afterwork.store.journal.capture import captured_tables

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

CHANGES_OF_COLUMNS = (ops.AddColumnOp, ops.DropColumnOp, ops.AlterColumnOp)


def leave_out_own(context: "AutogenContext", upgrade: ops.UpgradeOps) -> PriorityDispatchResult:
    """Leave out of the comparison what is Afterwork's own, and write its column types as SQLAlchemy's."""
    be_quiet_about_indexes()
    add_filters(context, include_name, include_object)
    of_env = context.opts.get("render_item")

    def render(type_: str, object_: Any, autogen_context: Any) -> Any:
        rendered = of_env(type_, object_, autogen_context) if of_env else False
        return render_item(type_, object_, autogen_context) if rendered is False else rendered

    context.opts = {**context.opts, "render_item": render}
    return PriorityDispatchResult.CONTINUE


def add_installation(context: "AutogenContext", upgrade: ops.UpgradeOps) -> PriorityDispatchResult:
    """Add an installation to a revision after which the model needs something else of Afterwork than is installed."""
    app, connection = application_of(context.migration_context), context.connection
    reason = None if app is None or connection is None else _reason(app, connection, upgrade)
    if connection is None or reason is None:
        return PriorityDispatchResult.CONTINUE
    LOG.info("Detected needs of Afterwork: %s", reason)
    if has_tables(connection):
        upgrade.ops.insert(0, NothingOp(undo=InstallOp()))  # the last operation of the downgrade
        upgrade.ops.append(InstallOp())
    else:
        upgrade.ops.append(InstallOp(undo=UninstallOp()))
    return PriorityDispatchResult.CONTINUE


def _reason(app: Afterwork, connection: Connection, upgrade: ops.UpgradeOps) -> str | None:
    """Return why the model needs an installation, now or after these operations; None if it needs none."""
    if wrong := app.to_install(connection):
        return wrong[0].what
    tables = {_name(table) for table in _needed_tables(app)}
    if has_tables(connection):
        tables |= captured_tables(connection).keys()
    return next((f"the table {name} changes" for name in _changed_tables(upgrade) if name in tables), None)


def _needed_tables(app: Afterwork) -> list[Table]:
    """Return the tables on which a model has triggers or indexes."""
    model = app.model
    return [model.contract.table, *(model.tables if model.derivations else [])]


def _changed_tables(upgrade: ops.UpgradeOps) -> Iterator[str]:
    for operation in upgrade.ops:
        match operation:
            case ops.CreateTableOp() | ops.DropTableOp():
                yield _full_name(operation.schema, operation.table_name)
            case ops.ModifyTableOps() if any(isinstance(each, CHANGES_OF_COLUMNS) for each in operation.ops):
                yield _full_name(operation.schema, operation.table_name)
            case _:
                pass


def _name(table: Table) -> str:
    return _full_name(table.schema, table.name)


def _full_name(schema: str | None, name: str) -> str:
    return f"{schema}.{name}" if schema else name
