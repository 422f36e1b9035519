"""Tickets that this server skips: their job is unknown here, or their row can't be written."""

import threading
from collections.abc import Collection
from datetime import datetime
from typing import Any

from afterwork.store.tickets.statements import Tickets, TicketsBut

MAX_SKIPPED_TICKETS = 10_000
"""The maximum number of tickets that are skipped for a time. Beyond it, those due first are retried early."""


class SkippedTickets:
    """The tickets that one server skips, for all of its threads. `rest` are the queries for all other tickets."""

    def __init__(self, tickets: Tickets) -> None:
        self._all = tickets
        self._lock = threading.Lock()
        self._until: dict[Any, datetime] = {}
        self.works: frozenset[str] = frozenset()
        """The works that the model doesn't know, left to servers that do."""
        self.rest = tickets

    def skip_works(self, works: Collection[str]) -> None:
        with self._lock:
            self.works = frozenset(works)
            self._rebuild()

    def skip(self, key: Any, until: datetime) -> None:
        with self._lock:
            self._until[key] = until
            if len(self._until) > MAX_SKIPPED_TICKETS:
                del self._until[min(self._until, key=lambda key: self._until[key])]
            self._rebuild()

    def next_due(self, now: datetime) -> datetime | None:
        """Stop skipping tickets whose time has come. Return the time of the next one."""
        if not self._until:
            return None
        with self._lock:
            until = {key: due for key, due in self._until.items() if due > now}
            if len(until) < len(self._until):
                self._until = until
                self._rebuild()
            return min(until.values(), default=None)

    def _rebuild(self) -> None:
        kept = self.works or self._until
        tickets = self._all
        self.rest = TicketsBut(tickets.contract, tickets.dialect, self.works, list(self._until)) if kept else tickets
