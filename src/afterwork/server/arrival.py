"""Arrival of a server before its database: it waits as long as the database may still come up."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from afterwork.errors import DatabaseRefuses
from afterwork.events import DatabaseBack, DatabaseLost, Events
from afterwork.store.database import Database

Some = TypeVar("Some")

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.1, 5.0
"""The first and the longest pause between attempts to reach a database."""

MAX_REFUSALS = 2
"""Refusals after which the database is not waited for. One that has just come up may refuse an earlier request."""


class Arrival:
    """Waits for a database until it can be reached, or until any thread calls `stop`."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events
        self._stopped: Future[None] = Future()

    def stop(self) -> None:
        """Wait no more."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    def at_last(self, attempt: Callable[[], Some]) -> Some | None:
        """Repeat an attempt until the database can be reached, and return its result; None if told to stop before.

        Raises `DatabaseRefuses` for errors that will not pass with time."""
        began, pause, refusals, is_told = time.monotonic(), FIRST_RETRY_SECONDS, 0, False
        while not self._stopped.done():
            try:
                found = self._attempt(attempt)
            except Exception as error:
                if not self._database.is_lost(error):
                    raise
                refusals = refusals + 1 if self._database.refuses(error) else 0
                if refusals == MAX_REFUSALS:
                    raise DatabaseRefuses(str(self._database), _said(error)) from error
                if not (refusals or is_told):
                    self._events.emit(DatabaseLost(_said(error)))
                    is_told = True
            else:
                if is_told and found is not None:
                    self._events.emit(DatabaseBack(time.monotonic() - began))
                return found
            wait([self._stopped], timeout=pause)
            pause = min(pause * 2, MAX_RETRY_SECONDS)
        return None

    def _attempt(self, attempt: Callable[[], Some]) -> Some | None:
        """Make an attempt, without waiting for its end if told to stop: a host may not answer for long."""
        if self._database.shares_one_connection:
            return attempt()
        made: Future[Some] = Future()
        threading.Thread(target=_make, args=[made, attempt], name="afterwork-arrival", daemon=True).start()
        either: list[Future[Any]] = [made, self._stopped]
        wait(either, return_when=FIRST_COMPLETED)
        return made.result() if made.done() else None


def _make(made: "Future[Some]", attempt: Callable[[], Some]) -> None:
    try:
        made.set_result(attempt())
    except BaseException as error:
        made.set_exception(error)


def _said(error: Exception) -> str:
    """Return the driver's message in one line."""
    told = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(told).split())
