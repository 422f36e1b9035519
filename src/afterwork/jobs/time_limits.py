"""Limits on the time that the application's code takes: of runs, calculations, criteria and hooks.

Code that goes on after its time is abandoned, and what it was doing is settled on another connection, since its own
is cut.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from afterwork.boundary import CONTAINED
from afterwork.errors import TimedOut
from afterwork.events import Abandoned, Broken, Events
from afterwork.jobs.run import Raised, Run, text_of, trace_of
from afterwork.jobs.timeouts import TimedAsyncRun, TimedRun, Timeouts
from afterwork.model.timeout import NO_TIMEOUT
from afterwork.store.database import Database

PAUSES_BETWEEN_ATTEMPTS = (0.1, 0.5, 1.0, 5.0, 5.0, None)
"""The seconds after each failed attempt to settle something abandoned; None after the last."""

Settle = Callable[[Connection, TimedOut], object]
"""Settles something abandoned, on a fresh connection."""

DisownRun = Callable[[], Callable[[], None]]

TellTimedOut = Callable[[Connection, TimedOut, Raised], object]
"""The same, for a run that has raised, whose outcome is known."""


def leave_it(connection: Connection, error: TimedOut) -> None:
    """Settle nothing: the transaction that was cut has undone everything, and another one begins it again."""


@dataclass(frozen=True)
class TimeLimits:
    """Limits code on the connections of one server."""

    database: Database
    events: Events
    timeouts: Timeouts

    @classmethod
    def of(cls, database: Database, events: Events) -> "TimeLimits":
        return cls(database, events, Timeouts(database.settings.abandon_after))

    def of_run(self, declared: timedelta | None) -> timedelta | None:
        """Return the time-out of a run: the declared one, or the one of the settings; None if it has none."""
        timeout = self.database.settings.timeout if declared is None else declared
        return None if timeout == NO_TIMEOUT else timeout

    def of_calculation(self, declared: timedelta | None) -> timedelta | None:
        """Return the time-out of code that holds up more than itself. Without one, it is `inside_limit`."""
        timeout = self.database.settings.timeout if declared is None else declared
        return self.database.settings.inside_limit if timeout is None else self.of_run(timeout)

    def of_hook(self, declared: timedelta | None) -> timedelta:
        """Return the time-out of a hook of a run, which always has one."""
        return self.of_run(declared) or self.database.settings.inside_limit

    def over(
        self, connection: Connection, run: Run, timeout: timedelta | None, settle: Settle | None
    ) -> AbstractContextManager[object]:
        """Return a context manager that ends the code of its block when its time is over, by `TimedOut`.

        Code that can't be interrupted is abandoned, and settled by `settle`; never, without that."""
        if timeout is None:
            return nullcontext()
        return self.timeouts.over(self.inside(connection, run, timeout, settle))

    def inside(self, connection: Connection, run: Run, timeout: timedelta, settle: Settle | None) -> TimedRun:
        """Return the time limit of code that may be interrupted anywhere, since its transaction is undone then."""
        watched, driver = self.outside(connection, run, timeout, settle), _driver(connection)
        watched.interrupt = partial(self.database.interrupt, driver)
        watched.absorb = partial(self.database.absorb, connection, driver)
        return watched

    def outside(self, connection: Connection, run: Run, timeout: timedelta, settle: Settle | None) -> TimedRun:
        """Return the time limit of code that is only asked to stop."""
        if settle is None or self.database.shares_one_connection:
            return TimedRun(timeout)
        cut = partial(self.database.cut, _driver(connection))
        return TimedRun(timeout, cut=cut, give_up=partial(self._give_up, run, TimedOut(timeout), settle))

    def async_run(
        self,
        run: Run,
        timeout: timedelta,
        settle: Settle,
        interrupt: Callable[[], None],
        disown: DisownRun,
        cut: Callable[[], None],
    ) -> TimedRun:
        """Return the time limit of code that is awaited. `interrupt` cancels it. `disown` lets an abandoned run report
        nothing more, and returns what frees its place; `cut` ends the connection on which it reads."""

        def cancel() -> bool:
            interrupt()
            return False

        if self.database.shares_one_connection:
            return TimedAsyncRun(timeout, cancel)
        give_up = partial(self._give_up, run, TimedOut(timeout), settle)
        return TimedAsyncRun(timeout, cancel, cut=cut, give_up=give_up, disown=disown)

    def in_words(
        self,
        connection: Connection,
        run: Run,
        error: Exception,
        seconds: float,
        timeout: timedelta,
        settle: TellTimedOut,
    ) -> Raised:
        """Return the outcome of a run that raised after some seconds. An exception has code of its own for its text,
        which may hang: then its name stands for it, and `settle` gets that if even this has to be done elsewhere."""
        by_name = Raised(f"{type(error).__name__}: (its text can't be had: it took too long)", None, seconds)
        try:
            with self.over(connection, run, timeout, lambda fresh, hung: settle(fresh, hung, by_name)):
                return Raised(text_of(error), None, seconds, trace_of(error))
        except TimedOut:
            return by_name

    def _give_up(self, run: Run, error: TimedOut, settle: Settle) -> None:
        """Settle an abandoned run, with retries. Report the last error if none succeeds."""
        self.events.emit(Abandoned(run.work, run.root_id, str(run.id)))
        for pause in PAUSES_BETWEEN_ATTEMPTS:
            try:
                with CONTAINED, closing(self.database.connect()) as connection:
                    settle(connection, error)
            except Exception as failure:
                if pause is None:
                    self.events.emit(Broken("giving up a run", failure))
                else:
                    time.sleep(pause)
            else:
                return


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection
