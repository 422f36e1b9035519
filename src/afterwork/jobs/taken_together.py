"""The tickets that a server has taken together: they are so only once, and as many as fit into the time of a batch."""

from collections.abc import Iterable
from typing import Any

MAX_REMEMBERED = 10_000
"""Tickets to remember, at most: those of batches that were undone and that another server has run since."""


class TakenTogether:
    """The tickets that one server has taken together and that have not ended since, for any of its threads.

    A ticket is noted before anything of it is done, so whatever undoes its batch, it is run by itself the next time.
    """

    def __init__(self) -> None:
        self._keys: set[Any] = set()
        self._seconds: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def note(self, keys: Iterable[Any]) -> None:
        if len(self._keys) >= MAX_REMEMBERED:
            self._keys.clear()
        self._keys.update(keys)

    def forget(self, key: Any) -> None:
        self._keys.discard(key)

    def took(self, work: str, seconds: float) -> None:
        """Note how long the last call of a work took for each of its roots."""
        self._seconds[work] = seconds

    def limit(self, work: str, seconds: float) -> int | None:
        """Return how many roots a call of a work may be given to end within `seconds`: two at least; None for all."""
        each = self._seconds.get(work)
        return max(2, int(seconds / each)) if each else None
