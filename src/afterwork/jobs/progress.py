"""`aw.progress`, by which a run reports how far it is, and learns that it was cancelled."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime, timedelta

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.errors import BadRequest, Cancelled, shown
from afterwork.jobs.timeouts import TimedRun
from afterwork.store import progress as store
from afterwork.store.database import Database

PAUSE = timedelta(seconds=1)
"""The minimum time between two reports that a run writes."""

MAX_COUNT = 2**63 - 1

Errand = Callable[[Connection], None]
"""Something short that needs a connection, done by a thread that has one."""


class Reporter:
    """Writes the progress of one run, on its own connection: the run's transaction shows nothing before it ends.
    Reports that can't be written at once are left out."""

    def __init__(self, database: Database, clock: Clock, ticket: str, in_transaction: bool) -> None:
        self._database = database
        self._clock = clock
        self._ticket = ticket
        self._in_transaction = in_transaction
        self._connection: Connection | None = None
        self._wrote: datetime | None = None
        self._cancelled = False
        self.watched: TimedRun | None = None
        """The time-out of the run, if it has one."""

    def report(self, done: int, total: int | None) -> None:
        """Write the progress, unless that has just been done. Raises `Cancelled` if the run was asked to stop."""
        self.check()
        now = self._clock.now()
        if self._wrote is None or abs(now - self._wrote) >= PAUSE:
            self._wrote = now
            with nullcontext() if self.watched is None else self.watched.undisturbed():
                self._write(done, total, now)
            self.check()

    def check(self) -> None:
        """Raise `TimedOut` if the run has taken too long. Raise `Cancelled` if it has learnt that it was asked to stop,
        whatever its code made of that."""
        if self.watched is not None:
            self.watched.check()
        if self._cancelled:
            raise Cancelled()

    def end(self) -> None:
        if self._connection is None:
            return
        try:
            store.forget(self._connection, self._ticket)
        except Exception as error:
            if not self._database.is_its_own(error):
                raise
        finally:
            self._database.discard(self._connection)

    def _write(self, done: int, total: int | None, now: datetime) -> None:
        if not self._database.can_note_beside(self._in_transaction):
            return
        try:
            self._connection = self._connection or self._database.connect_beside()
            self._cancelled = store.note(self._connection, self._ticket, done, total, now)
            self._connection.commit()
        except Exception as error:
            # Others are writing now, or the database is lost, which the run will find out by itself.
            if not self._database.is_its_own(error):
                raise
            self._database.discard(self._connection)
            self._connection = None


class AsyncReporter(Reporter):
    """Writes the progress of an async run. `hand` gives what needs a connection to a thread that has one."""

    def __init__(self, database: Database, clock: Clock, ticket: str, hand: Callable[[Errand], None]) -> None:
        super().__init__(database, clock, ticket, in_transaction=False)
        self._hand = hand
        self._lock = threading.Lock()
        self._has_ended = False

    def ask_to_stop(self) -> None:
        """Note that the run was asked to stop, which it learns by being cancelled."""
        self._cancelled = True

    def forget(self, connection: Connection) -> None:
        """Forget the progress of the run, which has ended."""
        with self._lock:
            self._has_ended = True
            if self._wrote is not None:
                store.forget(connection, self._ticket)
                connection.commit()

    def end(self) -> None:
        pass  # its settlement forgets

    def _write(self, done: int, total: int | None, now: datetime) -> None:
        if self._database.can_note_beside(in_transaction=False):
            self._hand(lambda connection: self._note(connection, done, total, now))

    def _note(self, connection: Connection, done: int, total: int | None, now: datetime) -> None:
        with self._lock:
            if self._has_ended:
                return
            try:
                self._cancelled |= store.note(connection, self._ticket, done, total, now)
                connection.commit()
            except Exception as error:
                if self._database.has_lost(connection, error) or not self._database.is_contended(error):
                    raise
                self._database.give_up(connection)


_reporter: ContextVar[Reporter | None] = ContextVar("afterwork_reporter", default=None)


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Let `progress` use a reporter while the block lasts. Raises `Cancelled` if the run was asked to stop."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)
        reporter.end()
    reporter.check()


def progress(done: int, total: int | None = None) -> None:
    """Report the progress of the current run: `aw.progress(400, 1000)`, or without a total if none is known.

    It is written at most once a second, for `afterwork timers` to show. Where it can't be written beside the run (in a
    transaction on SQLite), and outside runs, nothing is done. Raises `Cancelled` if the run was cancelled, and
    `TimedOut` if it has taken too long; let these pass. Raises `BadRequest` if an argument is not a count.
    """
    if not all(isinstance(count, int) and 0 <= count <= MAX_COUNT for count in (done, 0 if total is None else total)):
        raise BadRequest(f"aw.progress({shown(done)}, {shown(total)}): it takes whole numbers from 0 on.")
    reporter = _reporter.get()
    if reporter is not None:
        reporter.report(done, total)
