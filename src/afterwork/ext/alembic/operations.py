"""The operations `op.afterwork_install()` and `op.afterwork_uninstall()`."""

from typing import Any

from alembic.autogenerate.render import renderers
from alembic.operations import Operations
from alembic.operations.ops import MigrateOperation
from sqlalchemy import Connection

from afterwork.app import Afterwork
from afterwork.clock import SystemClock
from afterwork.errors import NotRehearsed
from afterwork.ext.alembic.applications import application_of, needed_application
from afterwork.ext.alembic.script import database_of
from afterwork.ext.alembic.upkeep import LOG, bring_in_line
from afterwork.installation import Removal
from afterwork.settings import Settings
from afterwork.store.dialects import database_behind


class InstallOp(MigrateOperation):
    """Brings Afterwork's part of a database in line with the model."""

    def __init__(self, app: str | None = None, undo: MigrateOperation | None = None) -> None:
        self.app = app
        self.undo = undo or NothingOp()

    @classmethod
    def afterwork_install(cls, operations: Operations, app: str | None = None) -> None:
        """Bring Afterwork's part of the database in line with the model, in the migration's own transaction.

        That is the model as it is when the revision runs. What the database lacks of it is left to later revisions.
        `app` is its `MODULE:APP`, if it is not that of the target_metadata.
        """
        operations.invoke(cls(app))

    def reverse(self) -> MigrateOperation:
        return self.undo

    def to_diff_tuple(self) -> tuple[str]:
        return ("afterwork_install",)


class UninstallOp(MigrateOperation):
    """Removes everything that Afterwork has made in a database."""

    def __init__(self, force: bool = False) -> None:
        self.force = force

    @classmethod
    def afterwork_uninstall(cls, operations: Operations, force: bool = False) -> None:
        """Remove everything that Afterwork has made in the database, in the migration's own transaction.

        Raises `StillServed` or `StillNeeded` while servers run or other applications need it, unless forced.
        """
        operations.invoke(cls(force))

    def reverse(self) -> MigrateOperation:
        return InstallOp(undo=self)

    def to_diff_tuple(self) -> tuple[str]:
        return ("afterwork_uninstall",)


class NothingOp(MigrateOperation):
    """Does nothing, and is not written; a downgrade has another operation in its place."""

    def __init__(self, undo: MigrateOperation | None = None) -> None:
        self.undo = undo

    def reverse(self) -> MigrateOperation:
        return self.undo or self

    def to_diff_tuple(self) -> tuple[str]:
        return ("afterwork_install",)


TO_UNINSTALL = """\
-- Afterwork's part of the script is missing here. {problem}
-- Run before this script, once no server runs any more:
--     afterwork uninstall MODULE:APP --database URL"""


def register() -> None:
    """Make the operations known to Alembic."""
    for operation, name in ((InstallOp, "afterwork_install"), (UninstallOp, "afterwork_uninstall")):
        Operations.register_operation(name)(operation)
    Operations.implementation_for(InstallOp)(_install)
    Operations.implementation_for(UninstallOp)(_uninstall)
    Operations.implementation_for(NothingOp)(lambda operations, operation: None)
    renderers.dispatch_for(InstallOp)(lambda context, operation: f"{_prefix(context)}afterwork_install()")
    renderers.dispatch_for(UninstallOp)(lambda context, operation: f"{_prefix(context)}afterwork_uninstall()")
    renderers.dispatch_for(NothingOp)(lambda context, operation: [])


def _prefix(autogen_context: Any) -> str:
    return autogen_context.opts["alembic_module_prefix"] or ""


def _install(operations: Operations, operation: InstallOp) -> None:
    context = operations.migration_context
    where = {} if operation.app is None else {"address": operation.app}
    bring_in_line(context, needed_application(context, operation.app), **where)


def _uninstall(operations: Operations, operation: UninstallOp) -> None:
    context = operations.migration_context
    app = application_of(context)
    try:
        with database_of(context) as connection:
            lines = _uninstalled(connection, app, operation.force)
    except NotRehearsed as error:
        context.impl.static_output(TO_UNINSTALL.format(problem=error))
    else:
        for line in lines:
            LOG.info(line)


def _uninstalled(connection: Connection, app: Afterwork | None, force: bool) -> list[str]:
    if app is not None:
        return app.uninstall(connection, force=force)
    with database_behind(connection, Settings()) as database:
        return Removal(database, SystemClock()).remove_within(connection, force=force)
