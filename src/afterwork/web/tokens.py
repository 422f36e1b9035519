"""Tokens that visitors show, whether in a form or in a header: wrong ones are counted by client, and logged."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from afterwork.errors import TooManyWrongTokens
from afterwork.events import Events, WrongToken
from afterwork.web.access import Access, Identity
from afterwork.web.clients import client_of

TRIES, WITHIN = 5, 60.0
"""The most wrong tokens of one client within that many seconds."""

REMEMBERED = 10_000
"""The most clients that are remembered."""


@dataclass(frozen=True)
class WrongTokens:
    """Wrong tokens by client. Times are in seconds of a monotonic clock."""

    now: Callable[[], float] = time.monotonic
    _seen: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)

    def are_too_many(self, client: str) -> bool:
        return self._recent(client) >= TRIES

    def note(self, client: str) -> int:
        """Note one, and return how many there were lately."""
        self._seen[client] = [*self._seen.pop(client, [])[1 - TRIES :], self.now()]
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return self._recent(client)

    def _recent(self, client: str) -> int:
        return sum(moment > self.now() - WITHIN for moment in self._seen.get(client, ()))


@dataclass(frozen=True)
class TokenCheck:
    """Finds out whose a token is."""

    access: Access
    events: Events
    wrong: WrongTokens = field(default_factory=WrongTokens)

    async def identity(self, connection: HTTPConnection, shown: str, place: str) -> Identity | None:
        """Return the identity of a token that was shown in a place, None for a wrong one.

        Raises `TooManyWrongTokens` without looking at it if the client has shown too many.
        """
        client = client_of(connection)
        if self.wrong.are_too_many(client):
            raise TooManyWrongTokens(WITHIN)
        identity = self.access.by_token(shown)
        if identity is None:
            count = self.wrong.note(client)
            wrong = WrongToken(client, place, count, is_last=count >= TRIES)
            await run_in_threadpool(self.events.emit, wrong)
        return identity
