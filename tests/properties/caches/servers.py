"""The servers of this world: they live in the test's own thread and die where it says so."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

import afterwork as aw
from afterwork.app import Ended
from afterwork.events import Event, Reached
from afterwork.jobs.run import apart
from afterwork.jobs.runner import Runner
from afterwork.server.until_idle import run_until_idle
from afterwork.store.database import Database
from tests.properties.caches.model import EPOCH, Base
from tests.support.death import Death


class Killed(Death):
    """The end of a server that can't do anything about it."""


class Hours:
    """A clock that a test sets to the hour."""

    def __init__(self) -> None:
        self.hour = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(hours=self.hour)


class LongLived(aw.Afterwork):
    """Runs as a server that has been there for long: it knows what it has met."""

    _known: Runner | None = None

    def runner(self, database: Database, connection: Connection) -> Runner:
        self._known = self._known or super().runner(database, connection)
        return self._known

    def begin_anew(self) -> None:
        """Know nothing, as a process that has just started."""
        self._known = None


class Resident(LongLived):
    """The same with one connection that is always there: to open one takes PostgreSQL longer than most runs."""

    _kept: Connection | None = None

    def run_until_idle(self, engine: Engine) -> list[aw.Ended]:
        database = self.database(engine)
        if self._kept is None:
            self._kept = database.connect()
        connection = self._kept
        if database.dialect == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")  # the life of the last run's server
        ran = run_until_idle(self.runner(database, connection), connection)
        try:
            return [Ended(*alone) for batch in ran for together in batch for alone in apart(*together)]
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


class ServerAtHand:
    """An application object with an engine of its own, as another process would have."""

    def __init__(self, url: URL, clock: Hours, app: type[LongLived], settings: aw.Settings, base: Any = Base) -> None:
        self.engine = create_engine(url, connect_args=arguments(url))
        self.is_dead = False
        self.has_claimed = False
        self._raw: list[Any] = []
        self.gone: list[int] = []
        """The numbers that PostgreSQL has for the connections of servers that have died."""
        self.at_points: Callable[[Reached], None] | None = None
        event.listen(self.engine, "connect", lambda connection, _: self._raw.append(connection))
        self.app = app(base, clock=clock, settings=settings, on_event=self._listen)

    def _listen(self, event: Event) -> None:
        if not isinstance(event, Reached) or self.is_dead:
            return
        self.has_claimed = event.point == "claimed" or (self.has_claimed and event.point != "after commit")
        if self.at_points is not None:
            self.at_points(event)

    def run(self) -> list[aw.Ended]:
        self.is_dead = False
        return self.app.run_until_idle(self.engine)

    def close(self) -> None:
        if isinstance(self.app, Resident):
            self.app.let_go()
        self.engine.dispose()

    def die(self) -> None:
        """As a process that is killed: its connections are closed, and whatever it does then reaches nobody."""
        self.is_dead = True
        for connection in self._raw:
            if self.engine.dialect.name == "postgresql" and not connection.closed:
                self.gone.append(connection.info.backend_pid)
            connection.close()
        self._raw.clear()
        self.app.begin_anew()
        raise Killed()


def arguments(url: URL) -> dict[str, Any]:
    return {"timeout": 1.0, "check_same_thread": False} if url.get_backend_name() == "sqlite" else {}


def prepare_sqlite(connection: Any, _: Any) -> None:
    """For connections of users: no death here is one of the machine."""
    connection.isolation_level = None
    for setting in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = OFF"):
        connection.execute(f"PRAGMA {setting}")


def prepare_postgresql(connection: Any, _: Any) -> None:
    """For connections of users: they wait for nobody, in the one thread that all share."""
    connection.execute("SET lock_timeout = '20ms'")
    connection.execute("SET synchronous_commit = off")
    connection.commit()
