"""What a server knows of lanes without asking: which it drains, what it has leased, and which it can't have now."""

import threading
import time
from collections import Counter
from collections.abc import Iterable

from afterwork.model.lane import MAIN, PARALLEL
from afterwork.store.leases import Lease


class Lanes:
    """Shared by the loop and its workers."""

    def __init__(self, standby: float, first: str = MAIN) -> None:
        self._lock = threading.Lock()
        self._standby = standby
        self._active: dict[str, int] = {}
        self._held: Counter[str] = Counter()
        self._claims: set[str] = set()
        self._elsewhere: dict[str, float] = {}
        self.recent = first
        self.known: set[str] = set()
        self.paused: set[str] = set()

    def may_start(self, lane: str) -> bool:
        """Whether a worker should try to get a lane that has something due."""
        with self._lock:
            if lane in self.paused or time.monotonic() < self._elsewhere.get(lane, 0):
                return False
            return lane == PARALLEL or lane not in self._active

    def begin(self, lane: str) -> None:
        """A worker is going to drain a lane."""
        with self._lock:
            self._active[lane] = self._active.get(lane, 0) + 1

    def end(self, lane: str) -> None:
        """A worker has drained a lane as far as it could."""
        with self._lock:
            self._active[lane] -= 1
            if not self._active[lane]:
                del self._active[lane]

    def obtained(self, lane: str) -> None:
        """A worker got something to run in a lane."""
        with self._lock:
            self.recent = lane
            self._elsewhere.pop(lane, None)

    def is_elsewhere(self, lane: str) -> None:
        """A worker got nothing of a lane though something is due: somebody else has it."""
        with self._lock:
            self._elsewhere[lane] = time.monotonic() + self._standby

    def news(self) -> None:
        """New work has come: in the parallel lane, some of it may be free."""
        with self._lock:
            self._elsewhere.pop(PARALLEL, None)

    def hold(self, lease: Lease, begun: bool) -> None:
        """A worker begins, or has ended, to work on a lease. Two may begin with the same one: one finds out then that
        it can't have it, and the other goes on."""
        with self._lock:
            self._held[lease.run] += 1 if begun else -1
            if not self._held[lease.run]:
                del self._held[lease.run]

    def claim(self, claim: str, begun: bool) -> None:
        """A worker begins, or has ended, to run the caches of a claim."""
        with self._lock:
            (self._claims.add if begun else self._claims.discard)(claim)

    def claims(self) -> list[str]:
        """The claims of caches that this server is working on."""
        with self._lock:
            return list(self._claims)

    def runs(self) -> list[str]:
        """The leased runs that this server is working on."""
        with self._lock:
            return list(self._held)

    @property
    def draining(self) -> bool:
        """Whether short runs go on, which end soon. Leased runs may go on for long."""
        with self._lock:
            return sum(self._active.values()) > self._held.total()

    def standby(self, due: Iterable[str]) -> float | None:
        """Seconds until one of the lanes that are due, and that somebody else had, should be tried again; or None."""
        with self._lock:
            moments = [self._elsewhere[lane] for lane in due if lane in self._elsewhere and lane not in self.paused]
        return max(0.0, min(moments) - time.monotonic()) if moments else None
