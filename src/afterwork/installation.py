"""Installing and uninstalling: Afterwork's part of one database, for one model."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.derived.capture import requirements as caches
from afterwork.errors import StillNeeded, StillServed
from afterwork.insight.servers import living
from afterwork.model.inspection import ModelInfo
from afterwork.store import removal, schema
from afterwork.store.database import Database
from afterwork.store.dialects import entries_of
from afterwork.store.journal.capture import captured_tables
from afterwork.store.postgresql import rights
from afterwork.store.recorded_sql import recorded
from afterwork.store.tables import SCHEMA_VERSION

NOTING_MARKS = "UPDATE afterwork_tracked_table SET marks="
"""The beginning of the statements that a script lacks: they have numbers of the catalog. Servers write them."""


@dataclass(frozen=True)
class Grants:
    """The roles of PostgreSQL that are given rights: those that serve, and those that only write."""

    to_servers: Sequence[str] = ()
    to_writers: Sequence[str] = ()


@dataclass(frozen=True)
class Installation:
    """Afterwork's part of one database, as one model needs it."""

    database: Database
    model: ModelInfo
    clock: Clock

    @property
    def application(self) -> str:
        """Return the name that tells this application from others on the same database: its ticket table's."""
        return self.model.contract.table.fullname

    def install(self, grants: Grants) -> list[str]:
        """Create or update what is needed, in transactions of its own. Return a line for each step taken."""
        self._check_can_grant(grants)
        done = schema.install(self.database, self.model.contract)
        with self._transaction(entries_of(self.database.dialect).to_install) as connection:
            done += self._capture(connection)
        with self._transaction() as connection:
            return done + self._granted(connection, grants)

    def install_within(self, connection: Connection, grants: Grants) -> list[str]:
        """Create or update what is needed in a connection's open transaction, which sees its uncommitted tables."""
        self._check_can_grant(grants)
        done = list(self.database.join(connection))
        done += schema.install_within(self.database, connection, self.model.contract)
        for statement in entries_of(self.database.dialect).to_install:
            connection.exec_driver_sql(statement)
        return done + self._capture(connection) + self._granted(connection, grants)

    def script(self, grants: Grants) -> str:
        """Return the SQL of an installation as a script. Everything is done to find it out, and undone."""
        with closing(self.database.connect()) as connection:
            self.database.execute_begin(connection)
            try:
                with recorded(connection, [NOTING_MARKS]) as statements:
                    done = self.install_within(connection, grants)
            finally:
                self.database.give_up(connection)
        return "\n\n".join([self.database.begin_script, *statements, "COMMIT;"]) if done else ""

    def repair(self) -> list[str]:
        """Let all caches run again. Return a line for each step taken."""
        return caches.run_all_again(self.database, self.clock.now())

    def _capture(self, connection: Connection) -> list[str]:
        return caches.install(self.database, connection, self.application, self.model, self.clock.now())

    def _check_can_grant(self, grants: Grants) -> None:
        rights.check_can_grant(self.database.dialect, [*grants.to_servers, *grants.to_writers])

    def _granted(self, connection: Connection, grants: Grants) -> list[str]:
        done: list[str] = []
        for role in grants.to_servers:
            done += rights.grant(connection, role, rights.of_servers(self.model))
        for role in grants.to_writers:
            done += rights.grant(connection, role, rights.of_writers(self.model))
        return done

    @contextmanager
    def _transaction(self, first: Sequence[str] = ()) -> Iterator[Connection]:
        with closing(self.database.connect()) as connection, self.database.transaction(connection, first):
            yield connection


@dataclass(frozen=True)
class Removal:
    """The removal of all that Afterwork has made in a database, with or without regard to who still needs it."""

    database: Database
    clock: Clock
    application: str | None = None
    """The application that is to go, by its ticket table; None for the only one."""

    def remove(self, *, force: bool) -> list[str]:
        """Remove everything in a transaction of its own. Return a line for each step taken."""
        locks = self.database.lock_installation
        with closing(self.database.connect()) as connection, self.database.transaction(connection, locks):
            return self._removed(connection, force)

    def remove_within(self, connection: Connection, *, force: bool) -> list[str]:
        """Remove everything in a connection's open transaction."""
        done = list(self.database.join(connection))
        for statement in self.database.lock_installation:
            connection.exec_driver_sql(statement)
        return [*done, *self._removed(connection, force)]

    def _removed(self, connection: Connection, force: bool) -> list[str]:
        if not force and schema.version(connection) == SCHEMA_VERSION:
            self._check_unused(connection)
        return list(removal.remove(connection))

    def _check_unused(self, connection: Connection) -> None:
        """Raise `StillServed` or `StillNeeded` if anybody would miss it."""
        if servers := living(self.database, connection, self.clock.now()):
            raise StillServed(str(self.database), servers)
        applications = _applications(connection)
        others = applications - {self.application} if self.application else applications
        if len(others) > (0 if self.application else 1):
            raise StillNeeded(str(self.database), sorted(others))


def _applications(connection: Connection) -> set[str]:
    """Return the applications that have tables captured, by the names of their ticket tables."""
    known: Iterable[Iterable[str]] = (captured.wanted for captured in captured_tables(connection).values())
    return {application for wanted in known for application in wanted}
