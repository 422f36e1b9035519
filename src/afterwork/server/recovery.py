"""Recovery: opening a server's connection, and opening it again after the database was lost.

A server waits for its database as long as that may still come up.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from afterwork.boundary import failure_of
from afterwork.errors import AnotherDatabase, DatabaseRefuses
from afterwork.events import Broken, DatabaseBack, DatabaseLost, Events, InTheWay, LacksRight
from afterwork.jobs.run import text_of
from afterwork.jobs.runner import Runner
from afterwork.server.health import ITERATION_SECONDS, Pulse
from afterwork.server.losses import Losses
from afterwork.server.server_connection import ServerConnection
from afterwork.server.workers import Workers
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


class Recovery:
    """Brings one server's loop back after errors. `opening` opens the loop's connection."""

    def __init__(
        self,
        runner: Runner,
        link: ServerConnection,
        losses: Losses,
        pulse: Pulse,
        stopping: threading.Event,
        opening: Callable[[], None],
    ) -> None:
        self._database, self._events = runner.database, runner.events
        self._lease_seconds = runner.settings.lease.total_seconds()
        self._link = link
        self._losses = losses
        self._pulse = pulse
        self._stopping = stopping
        self._open = opening
        self._no_crashes_until = float("-inf")

    @property
    def can_tell_crashes(self) -> bool:
        """Return whether servers that are gone must have crashed. Soon after a loss of the database, they may have lost
        it, too, and be about to return."""
        return time.monotonic() >= self._no_crashes_until

    def open_first(self, workers: Workers) -> bool:
        """Open, waiting for the database and for others in the way. Return False if told to stop meanwhile."""
        while not self._stopping.is_set():
            try:
                self._open()
            except AnotherDatabase:
                raise
            except Exception as error:
                if self._database.is_lost(error):
                    self._events.emit(DatabaseLost(text_of(error)))
                    return self._come_back(workers)
                if not self._database.is_contended(error):
                    raise
                self._events.emit(InTheWay(text_of(error)))
            else:
                return True
        return False

    def recover(self, error: Exception, workers: Workers) -> None:
        """Let the loop continue after an error: soon if others were in the way, after a while if it lacks a right, else
        with a new connection."""
        if self._database.is_contended(error):
            self._database.give_up(self._link.connection)  # its transaction takes no more statements
            self._events.emit(InTheWay(text_of(error)))
            self._stopping.wait(FIRST_RETRY_SECONDS)
            return
        if self._database.lacks_right(error):
            self._database.give_up(self._link.connection)
            self._events.emit(LacksRight(text_of(error)))
            self._pulse.promise(MAX_RETRY_SECONDS + ITERATION_SECONDS)
            self._stopping.wait(MAX_RETRY_SECONDS)
            return
        if self._database.is_lost(error):
            self._events.emit(DatabaseLost(text_of(error)))
        else:
            self._events.emit(Broken("the server's loop", error))
        self._come_back(workers)

    def _come_back(self, workers: Workers) -> bool:
        """Wait for the database, and continue. Return False if told to stop meanwhile."""
        began = time.monotonic()
        self._no_crashes_until = began + self._lease_seconds
        if not self._open_again(workers.generation):
            return False
        workers.reconnect()
        self._events.emit(DatabaseBack(time.monotonic() - began))
        return True

    def _open_again(self, generation: int) -> bool:
        """Wait silently until the database is back, and note if it crashed. Return False if told to stop meanwhile."""
        was_told = self._link.was_told_of_crash()
        self._link.close()
        pause = FIRST_RETRY_SECONDS
        while not self._stopping.wait(pause):
            pause = min(pause * 2, MAX_RETRY_SECONDS)
            self._pulse.promise(pause + ITERATION_SECONDS)
            try:
                self._open()
                # The connection that crashed is told nothing, and that may have been the loop's.
                if was_told or self._link.crashed_before_opening:
                    self._losses.database_crashed(generation)
            except AnotherDatabase:
                self._link.close()
                raise
            except BaseException as error:
                self._link.close()
                if not self._database.is_its_own(error):
                    self._events.emit(Broken("connecting again", failure_of(error)))
            else:
                return True
        return False
