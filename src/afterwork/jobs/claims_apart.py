"""The claims that a server runs apart: hooks that they shared took too long, and nobody knows whose fault that was."""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

from afterwork.jobs.source import Claim

MAX_REMEMBERED = 10_000
"""Claims to remember, at most: those that another server has run since are never forgotten."""


class ClaimsApart:
    """The claims of one server that get a transaction each, by key, for any of its threads."""

    def __init__(self) -> None:
        self._keys: set[Any] = set()

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def note(self, claims: Iterable[Claim]) -> None:
        if len(self._keys) >= MAX_REMEMBERED:
            self._keys.clear()
        self._keys.update(claim.key for claim in claims)

    def forget(self, key: Any) -> None:
        self._keys.discard(key)

    def first(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Return the first of some claims that may share a transaction."""
        if not self._keys or not claims:
            return claims
        if claims[0].key in self._keys:
            return claims[:1]
        return list(takewhile(lambda claim: claim.key not in self._keys, claims))
