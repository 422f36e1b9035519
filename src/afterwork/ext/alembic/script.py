"""Offline mode (`--sql`): Afterwork's part of a script is found out where the script so far has run.

That is an empty database, which is gone afterwards: one in memory for SQLite, a new one on a server for PostgreSQL. The
database that the script is for is not looked at.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, inspect, make_url

from afterwork.compat.alembic_internals import at_end_of_run, pass_output_through, url_given
from afterwork.derived.capture.install import look
from afterwork.errors import NotRehearsed
from afterwork.ext.alembic.rehearsal import Rehearsal, rehearsal_on
from afterwork.installation import NOTING_MARKS
from afterwork.store.recorded_sql import recorded
from afterwork.store.tables import installation

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

MEMO = "afterwork.script"


@dataclass
class Script:
    """The script that a run of migrations writes. `waiting` is what has still to be run in the rehearsal."""

    context: "MigrationContext"
    waiting: list[str] = field(default_factory=list)
    is_installed: bool = False
    """True if a database has Afterwork's tables when the script so far has run."""

    _problem: NotRehearsed | None = None

    def __post_init__(self) -> None:
        if self.context.impl.transactional_ddl:
            self.waiting.append("BEGIN;")  # it was written before anybody could be told
        self._write = pass_output_through(self.context, self._note)
        self._until_the_end = ExitStack()
        at_end_of_run(self.context, self._until_the_end.close)

    def _note(self, text: str) -> None:
        """Write a piece of Alembic's, and remember it."""
        if self._version_table not in text:  # nobody but Alembic looks at it
            self.waiting.append(text)
        self._write(text)

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """Provide a database on which the script so far has run. What the block writes there is added to it.

        Raises `NotRehearsed` where there can be none.
        """
        if self._problem is not None:
            raise self._problem
        try:
            rehearsal = self._rehearsal
            self._rehearse(rehearsal)
        except NotRehearsed as problem:
            self._problem = problem
            raise
        with rehearsal.transaction() as frame, recorded(rehearsal.connection, [NOTING_MARKS]) as statements:
            yield rehearsal.connection
        if statements:
            for statement in frame.around(rehearsal.portable(statements)):
                self._write(statement)
            self.is_installed = has_tables(rehearsal.connection)
            self._look(rehearsal)

    @cached_property
    def _rehearsal(self) -> Rehearsal:
        begins_at = self.context.opts.get("starting_rev")
        if begins_at is not None and begins_at != "base":
            raise NotRehearsed(f"It begins at revision {begins_at}, and it depends on what is installed there.")
        return self._until_the_end.enter_context(rehearsal_on(self.context.dialect, self._server))

    def _rehearse(self, rehearsal: Rehearsal) -> None:
        while self.waiting:
            text = self.waiting.pop(0)
            try:
                rehearsal.run(text)
            except rehearsal.Error as error:
                raise NotRehearsed(f"On an empty database, {text!r} fails: {error}".replace("\n", " ")) from error

    def _look(self, rehearsal: Rehearsal) -> None:
        """Note what is captured, as the first server does: a later gap is told from this."""
        if self.is_installed:
            look(rehearsal.connection)

    @property
    def _server(self) -> URL | None:
        """Return the URL of a server for rehearsals: what env.py says, or else that of its database."""
        given = self.context.opts.get("afterwork_rehearsal")
        return url_given(self.context) if given is None else make_url(given)

    @property
    def _version_table(self) -> str:
        return str(self.context.opts.get("version_table", "alembic_version"))


def script_of(context: "MigrationContext") -> Script:
    """Return the script of a run of migrations in offline mode."""
    memo = context.impl.memo
    if MEMO not in memo:
        memo[MEMO] = Script(context)
    script: Script = memo[MEMO]
    return script


@contextmanager
def database_of(context: "MigrationContext") -> Iterator[Connection]:
    """Provide the database of a migration, or a rehearsal's. All that is written there becomes a part of the script.

    Raises `NotRehearsed` if the script can't be run anywhere.
    """
    if not context.as_sql:
        assert context.connection is not None
        yield context.connection
        return
    with script_of(context).database() as connection:
        yield connection


def has_tables(connection: Connection | None) -> bool:
    """Return whether a database has Afterwork's tables."""
    return connection is not None and inspect(connection).has_table(installation.name)
