"""The streams of open pages: how many there may be, and whose they are."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

MOST = 50
"""The most streams that are open at once."""


@dataclass(eq=False)
class StreamPlace:
    """One stream's place. `is_taken` is set when another client gets it, which has fewer."""

    client: str
    is_taken: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The places of all streams, the oldest first. As long as there are some left, anybody may have any number."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._places: dict[StreamPlace, None] = {}

    def enter(self, client: str) -> StreamPlace | None:
        """Return a place for a client, or None. If all are taken, the client that has most gives one to others."""
        if len(self._places) >= self._most and not self._make_room(client):
            return None
        place = StreamPlace(client)
        self._places[place] = None
        return place

    def leave(self, place: StreamPlace) -> None:
        self._places.pop(place, None)

    def _make_room(self, client: str) -> bool:
        counts = Counter(place.client for place in self._places)
        greediest, most = max(counts.items(), key=lambda item: item[1])
        if most <= counts[client] + 1:
            return False
        oldest = next(place for place in self._places if place.client == greediest)
        self.leave(oldest)
        oldest.is_taken.set()
        return True
