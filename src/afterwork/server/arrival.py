"""Arrival: a server waits for its database as long as that may still come up."""

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
"""Refusals after which waiting ends. A database that has just come up may refuse an earlier request."""


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
        """Repeat an attempt until the database can be reached. Return its result; None if stopped first.

        Raises `DatabaseRefuses` for errors that will not pass with time."""
        began, pause, refusals, is_told = time.monotonic(), FIRST_RETRY_SECONDS, 0, False
        while not self._stopped.done():
            try:
                result = self._attempt(attempt)
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
                if is_told and result is not None:
                    self._events.emit(DatabaseBack(time.monotonic() - began))
                return result
            wait([self._stopped], timeout=pause)
            pause = min(pause * 2, MAX_RETRY_SECONDS)
        return None

    def _attempt(self, attempt: Callable[[], Some]) -> Some | None:
        """Make an attempt. If told to stop, don't wait for its end: a host may not answer for long."""
        if self._database.shares_one_connection:
            return attempt()
        result: Future[Some] = Future()
        threading.Thread(target=_make, args=[result, attempt], name="afterwork-arrival", daemon=True).start()
        futures: list[Future[Any]] = [result, self._stopped]
        wait(futures, return_when=FIRST_COMPLETED)
        return result.result() if result.done() else None


def _make(result: "Future[Some]", attempt: Callable[[], Some]) -> None:
    try:
        result.set_result(attempt())
    except BaseException as error:
        result.set_exception(error)


def _said(error: Exception) -> str:
    """Return the driver's message in one line."""
    reported = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(reported).split())
