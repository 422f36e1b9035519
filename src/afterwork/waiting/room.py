"""The waiting room: one thread and one connection of a program for all who wait for tickets in one database."""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import closing, suppress
from typing import Any

from sqlalchemy import Connection

from afterwork.model.contract import Contract
from afterwork.model.key import key_text
from afterwork.store.database import Database
from afterwork.store.end_watch import EndWatch
from afterwork.store.tickets.ends import EndsOfTickets, TicketEnd

LINGER_SECONDS = 30.0
"""The time for which a room without anybody in it keeps its connection, for the next to come."""

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.1, 5.0
"""The first and the longest pause between attempts to reach a lost database."""

MAX_REFUSALS = 2
"""Refusals in a row after which waiting ends. A database that has just come up may refuse an earlier request."""

LOOKED_AT = 1000
"""The maximum number of tickets of one look."""

KnownEnd = TicketEnd | None
"""The end of a ticket; None if there is no such ticket, or none that others can see."""


class WaitingRoom:
    """Waits for the ends of tickets. `open_database` returns the database, and raises what it can't be used for."""

    def __init__(self, open_database: Callable[[], Database], contract: Contract) -> None:
        self._open_database = open_database
        self._contract = contract
        self.process = os.getpid()
        self._lock = threading.Lock()
        self._waiting: defaultdict[Any, set[Future[KnownEnd]]] = defaultdict(set)
        """All who are in the room, by the key of their ticket."""
        self._new: set[Any] = set()
        """The keys that the thread has still to look at."""
        self._left: set[Any] = set()
        """The keys that nobody waits for any more, though the watch still does."""
        self._thread: threading.Thread | None = None
        self._watch: EndWatch | None = None
        self._woken = threading.Event()
        """Wakes the thread while it has no watch, since it can't reach its database."""
        self._lingers_until = 0.0

    def enter(self, key: Any) -> Future[KnownEnd]:
        """Wait for the end of the ticket with this key. The future is cancelled by `leave` alone."""
        future: Future[KnownEnd] = Future()
        with self._lock:
            self._waiting[key].add(future)
            self._new.add(key)
            self._left.discard(key)
            self._lingers_until = time.monotonic() + LINGER_SECONDS
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="afterwork waiting room", daemon=True)
                self._thread.start()
            self._wake()
        return future

    def leave(self, key: Any, future: Future[KnownEnd]) -> None:
        """Wait no more."""
        future.cancel()
        with self._lock:
            if key in self._waiting and future in self._waiting[key]:
                self._take(key, future)
                self._wake()

    def close(self) -> None:
        """End the thread and its connection, unless somebody is still waiting."""
        with self._lock:
            self._lingers_until = 0.0
            thread = None if self._waiting else self._thread
            self._wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(MAX_RETRY_SECONDS)

    def _take(self, key: Any, future: Future[KnownEnd]) -> None:
        self._waiting[key].discard(future)
        if not self._waiting[key]:
            del self._waiting[key]
            self._new.discard(key)
            self._left.add(key)
            self._lingers_until = time.monotonic() + LINGER_SECONDS

    def _wake(self) -> None:
        self._woken.set()
        if self._watch is not None:
            self._watch.wake()

    # What follows is for the thread.

    def _run(self) -> None:
        pause, refusals = FIRST_RETRY_SECONDS, 0
        while not self._is_over():
            database = None
            try:
                database = self._open_database()
                self._serve(database)
            except Exception as error:
                refusals = refusals + 1 if database is not None and database.refuses(error) else 0
                if database is None or refusals == MAX_REFUSALS or not database.is_its_own(error):
                    self._fail(error)
                    continue
                self._woken.clear()
                self._woken.wait(pause)
                pause = min(2 * pause, MAX_RETRY_SECONDS)
            else:
                pause = FIRST_RETRY_SECONDS

    def _is_over(self) -> bool:
        """Return whether nobody has come for a while. Whoever comes after that starts another thread."""
        with self._lock:
            if self._waiting or time.monotonic() < self._lingers_until:
                return False
            self._thread = None
            return True

    def _serve(self, database: Database) -> None:
        """Look at tickets, on one connection, until nobody has come for a while."""
        tickets = EndsOfTickets(self._contract, database.dialect)
        connection = database.connect()
        try:
            with closing(database.end_watch(connection, self._contract)) as watch:
                self._begin(watch)
                safety, woken = database.settings.safety_poll.total_seconds(), False
                while (seconds := self._seconds(safety)) > 0:
                    self._look_once(tickets, connection, watch, everybody=woken)
                    database.check_in_place(connection)
                    began = time.monotonic()
                    woken = watch.wait(seconds) or time.monotonic() - began >= seconds
        finally:
            with self._lock:
                self._watch = None
            database.discard(connection)

    def _begin(self, watch: EndWatch) -> None:
        with self._lock:
            self._watch = watch
            self._new, self._left = set(self._waiting), set()

    def _seconds(self, safety: float) -> float:
        """Return the longest time to wait; 0 if the thread has to end."""
        with self._lock:
            return safety if self._waiting else max(0.0, self._lingers_until - time.monotonic())

    def _look_once(self, tickets: EndsOfTickets, connection: Connection, watch: EndWatch, everybody: bool) -> None:
        """Look at the tickets of those who have come, or of everybody. Let go of those that nobody waits for."""
        with self._lock:
            new, self._new = self._new, set()
            wanted = list(self._waiting if everybody else new)
        if new:
            watch.add([key_text(key) for key in new])
        for start in range(0, len(wanted), LOOKED_AT):
            self._look(tickets, connection, wanted[start : start + LOOKED_AT])
        with self._lock:
            left, self._left = self._left, set()
        if left:
            watch.remove([key_text(key) for key in left])

    def _look(self, tickets: EndsOfTickets, connection: Connection, keys: Sequence[Any]) -> None:
        ends = tickets.ends(connection, keys)
        connection.commit()
        for key in keys:
            end = ends.get(key)
            if end is not None or key not in ends:
                for future in self._all_of(key):
                    with suppress(InvalidStateError):  # who has left meanwhile is told nothing
                        future.set_result(end)

    def _all_of(self, key: Any) -> Collection[Future[KnownEnd]]:
        """Let everybody out who waits for a ticket."""
        with self._lock:
            out = list(self._waiting.get(key, ()))
            for future in out:
                self._take(key, future)
        return out

    def _fail(self, error: Exception) -> None:
        """Let everybody out with an error that no other attempt would mend."""
        with self._lock:
            out = [future for futures in self._waiting.values() for future in futures]
            self._waiting.clear()
            self._lingers_until = 0.0
        for future in out:
            with suppress(InvalidStateError):
                future.set_exception(error)
