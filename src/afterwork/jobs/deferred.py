"""Tickets deferred for longer each time: others have locked what they need, or they can't be written."""

from datetime import timedelta
from typing import Any

FIRST, LONGEST = timedelta(milliseconds=200), timedelta(minutes=1)

MAX_REMEMBERED = 10_000
"""Tickets whose pauses are remembered. Beyond that, all begin again with the first pause."""


class DeferredTickets:
    """The pauses of the tickets that one server has deferred, for any of its threads."""

    def __init__(self) -> None:
        self._pauses: dict[Any, timedelta] = {}
        self._told: set[Any] = set()

    def pause(self, key: Any) -> timedelta:
        """Return the next pause of a ticket, twice as long as its last one."""
        pause = min(LONGEST, self._pauses.pop(key, FIRST / 2) * 2)
        if len(self._pauses) >= MAX_REMEMBERED:
            self._pauses.clear()
        self._pauses[key] = pause
        return pause

    def is_news(self, key: Any) -> bool:
        """Return True the first time that a ticket proves unwritable, so that it is logged once."""
        if len(self._told) >= MAX_REMEMBERED:
            self._told.clear()
        is_news = key not in self._told
        self._told.add(key)
        return is_news

    def forget(self, key: Any) -> None:
        self._pauses.pop(key, None)

    def __bool__(self) -> bool:
        return bool(self._pauses)
