"""Tickets that one server leaves where they are: those of works that others know, and those that can't be written."""

import threading
from collections.abc import Collection
from datetime import datetime
from typing import Any

from afterwork.store.tickets.statements import Tickets, TicketsBut

MAX_SKIPPED_TICKETS = 10_000
"""Tickets that are left until a moment. Of more, the ones that wait no longer than others are tried again sooner."""


class SkippedTickets:
    """What is left by one server, from any of its threads. `rest` are the queries for all other tickets."""

    def __init__(self, tickets: Tickets) -> None:
        self._all = tickets
        self._lock = threading.Lock()
        self._until: dict[Any, datetime] = {}
        self.works: frozenset[str] = frozenset()
        """Works that the model doesn't know, and that are left to servers which do."""
        self.rest = tickets

    def leave_works(self, works: Collection[str]) -> None:
        """Leave the tickets of these works, and of no others."""
        with self._lock:
            self.works = frozenset(works)
            self._rebuild()

    def leave(self, key: Any, until: datetime) -> None:
        """Leave one ticket until a moment."""
        with self._lock:
            self._until[key] = until
            if len(self._until) > MAX_SKIPPED_TICKETS:
                del self._until[min(self._until, key=lambda one: self._until[one])]
            self._rebuild()

    def next_moment(self, now: datetime) -> datetime | None:
        """Leave no ticket any more whose moment has come. Returns that of the next one."""
        if not self._until:
            return None
        with self._lock:
            until = {key: moment for key, moment in self._until.items() if moment > now}
            if len(until) < len(self._until):
                self._until = until
                self._rebuild()
            return min(until.values(), default=None)

    def _rebuild(self) -> None:
        kept = self.works or self._until
        tickets = self._all
        self.rest = TicketsBut(tickets.contract, tickets.dialect, self.works, list(self._until)) if kept else tickets
