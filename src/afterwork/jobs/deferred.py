"""Tickets that are put aside, since somebody else has locked what they need, or nothing can be written of them: for
longer each time."""

from datetime import timedelta
from typing import Any

FIRST, LONGEST = timedelta(milliseconds=200), timedelta(minutes=1)

MOST = 10_000
"""Tickets whose pauses are remembered. Of the others, the next pause is a first one again."""


class DeferredTickets:
    """Remembers how often tickets were put aside by one server, from any of its threads."""

    def __init__(self) -> None:
        self._pauses: dict[Any, timedelta] = {}
        self._told: set[Any] = set()

    def pause(self, key: Any) -> timedelta:
        """Return how long a ticket waits now: twice as long as the last time."""
        pause = min(LONGEST, self._pauses.pop(key, FIRST / 2) * 2)
        if len(self._pauses) >= MOST:
            self._pauses.clear()
        self._pauses[key] = pause
        return pause

    def is_news(self, key: Any) -> bool:
        """Return whether it is to be said of a ticket that nothing can be written of it. It is said once."""
        if len(self._told) >= MOST:
            self._told.clear()
        is_news = key not in self._told
        self._told.add(key)
        return is_news

    def forget(self, key: Any) -> None:
        """A ticket has run."""
        self._pauses.pop(key, None)

    def __bool__(self) -> bool:
        return bool(self._pauses)
