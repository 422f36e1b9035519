"""A server that comes before its database: it waits as long as that may still come, and for nothing else."""

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

FIRST_RETRY, LONGEST_RETRY = 0.1, 5.0
"""Seconds between attempts to reach a database."""

REFUSALS = 2
"""A database that has just begun to answer may refuse once what it was asked before."""


class Arrival:
    """Waits for a database until it can be reached, or until somebody calls `stop`, from any thread."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events
        self._stopped: Future[None] = Future()

    def stop(self) -> None:
        """Wait no more."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    def at_last(self, attempt: Callable[[], Some]) -> Some | None:
        """Return what an attempt gives, made again and again until the database can be reached; None if told to stop
        before. Raises `DatabaseRefuses` for what will not pass with time."""
        began, pause, refusals, is_told = time.monotonic(), FIRST_RETRY, 0, False
        while not self._stopped.done():
            try:
                found = self._attempt(attempt)
            except Exception as error:
                if not self._database.is_lost(error):
                    raise
                refusals = refusals + 1 if self._database.refuses(error) else 0
                if refusals == REFUSALS:
                    raise DatabaseRefuses(str(self._database), _said(error)) from error
                if not (refusals or is_told):
                    self._events.emit(DatabaseLost(_said(error)))
                    is_told = True
            else:
                if is_told and found is not None:
                    self._events.emit(DatabaseBack(time.monotonic() - began))
                return found
            wait([self._stopped], timeout=pause)
            pause = min(pause * 2, LONGEST_RETRY)
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
    """What the driver has said, in one line."""
    told = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(told).split())
