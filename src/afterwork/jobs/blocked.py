"""Looks that locks on whole tables keep from reading, or the lack of a right: all other looks go on.

Migrations take such locks.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from afterwork.events import Events, InTheWay, LacksRight
from afterwork.jobs.run import text_of
from afterwork.store.database import Database

Some = TypeVar("Some")
Other = TypeVar("Other")


class BlockedLooks:
    """The looks that are left out for a while, by name, for all threads of one server. `clock` reads monotonic
    seconds."""

    def __init__(self, database: Database, events: Events, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self._until: dict[str, float] = {}
        self.pause: timedelta | None = None
        """The time for which a blocked look is left out. If None, its error is raised."""

    def has(self, name: str) -> bool:
        """Return whether a look is left out now."""
        return self._until.get(name, float("-inf")) > self._clock()

    def again_at(self, now: datetime) -> datetime | None:
        """Return when to look again after a look was blocked; None if blocked looks raise."""
        return None if self.pause is None else now + self.pause

    def unless_blocked(
        self, name: str, connection: Connection, look: Callable[[], Some], otherwise: Other
    ) -> Some | Other:
        """Return the result of a look; while it is blocked, the other one."""
        if self.has(name):
            return otherwise
        try:
            with self.noting(name):
                return look()
        except DBAPIError as error:
            if self.pause is None or not self._will_pass(error):
                raise
            self._database.give_up(connection)
            event = LacksRight if self._database.lacks_right(error) else InTheWay
            self._events.emit(event(text_of(error)))
            return otherwise

    @contextmanager
    def noting(self, name: str) -> Iterator[None]:
        """Leave a look out for a while if others, or the lack of a right, make the block raise."""
        try:
            yield
        except DBAPIError as error:
            if self.pause is not None and self._will_pass(error):
                self._until[name] = self._clock() + self.pause.total_seconds()
            raise

    def _will_pass(self, error: DBAPIError) -> bool:
        return self._database.is_contended(error) or self._database.lacks_right(error)
