"""Upkeep: at the end of each revision that has changed tables, Afterwork's part is in line again."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect

from afterwork.app import Afterwork
from afterwork.errors import NotRehearsed
from afterwork.ext.alembic.applications import application_of
from afterwork.ext.alembic.script import database_of, has_tables, script_of

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

LOG = logging.getLogger("alembic.afterwork")
"""Below Alembic's own logger, so that alembic.ini shows what is done."""

MEMO = "afterwork.upkeep"


@dataclass
class Upkeep:
    """Brings Afterwork's part in line when a revision that has changed tables ends."""

    context: "MigrationContext"
    is_due: bool = False

    def __call__(self, **_: Any) -> None:
        """Do what is due. Alembic calls this in the transaction of each revision, once the revision has run."""
        if not self.is_due:
            return
        self.is_due = False
        app = application_of(self.context)
        if not is_installed(self.context):
            return
        if app is None:
            LOG.warning("Afterwork may not capture all changes now. Run: afterwork install MODULE:APP --database URL")
            return
        bring_in_line(self.context, app)


def upkeep_of(context: "MigrationContext") -> Upkeep:
    """Return the upkeep of a run of migrations, which calls it at the end of each revision from now on."""
    memo = context.impl.memo
    if MEMO not in memo:
        memo[MEMO] = Upkeep(context)
        context.on_version_apply_callbacks = (*context.on_version_apply_callbacks, memo[MEMO])
    upkeep: Upkeep = memo[MEMO]
    return upkeep


def is_installed(context: "MigrationContext") -> bool:
    """Return whether the migrated database has Afterwork's tables by now."""
    if context.as_sql:
        return script_of(context).is_installed
    return has_tables(context.connection)


INSTALL_BY_HAND = """\
-- Afterwork's part of the script is missing here. {problem}
-- Run this script, and then, on its database:
--     afterwork install {address} --database URL
-- With --sql, it prints the SQL instead."""


def bring_in_line(context: "MigrationContext", app: Afterwork, address: str = "MODULE:APP") -> None:
    """Install what the model needs, or leave it to a later revision that completes the ticket table.

    A script in which nobody can know it gets a comment that names the application by its address.
    """
    try:
        with database_of(context) as connection:
            if missing := _missing_of_tickets(connection, app):
                LOG.info("Afterwork is left to a later revision: the database has no %s yet", missing)
                return
            for line in app.install(connection, **_grants(context)):
                LOG.info(line)
    except NotRehearsed as problem:
        context.impl.static_output(INSTALL_BY_HAND.format(problem=problem, address=address))


def _grants(context: "MigrationContext") -> dict[str, Sequence[str]]:
    """Return the roles that env.py has rights granted to. SQLite, on which it may run as well, has none."""
    given = {"grant_to": "afterwork_grant_to", "grant_to_writers": "afterwork_grant_to_writers"}
    is_sqlite = context.dialect.name == "sqlite"
    return {} if is_sqlite else {name: context.opts.get(option, ()) for name, option in given.items()}


def _missing_of_tickets(connection: Connection, app: Afterwork) -> str | None:
    """Return the ticket table, or the columns that it lacks, in words; None if the database has all of it.

    A migration adds columns to it; Afterwork would add one itself where there is none, and so be in its way.
    """
    table = app.model.contract.table
    inspector = inspect(connection)
    if not inspector.has_table(table.name, schema=table.schema):
        return f"table {table.fullname}"
    present = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
    missing = [column.name for column in table.columns if column.name not in present]
    return f"{table.fullname}.{', '.join(missing)}" if missing else None
