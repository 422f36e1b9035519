"""What a server knows of lanes without asking: what it has leased, and which lanes it can't have now."""

import threading
import time
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from afterwork.jobs.assignment import Workload
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.store import leases
from afterwork.store.lane_limits import LaneLimits
from afterwork.store.leases import Lease

MOST_KNOWN = 10_000
"""Lanes that are known to have a row, at most; then that is asked again."""


class KnownLanes:
    """Shared by the loop and its workers."""

    def __init__(self, standby: float, first: Workload = MAIN, limits: LaneLimits | None = None) -> None:
        self._lock = threading.Lock()
        self._standby = standby
        self.limits = limits or LaneLimits()
        self._held: Counter[str] = Counter()
        self._claims: set[str] = set()
        self._elsewhere: dict[Workload, float] = {}
        self.recent = first
        self.known: set[str] = set()
        self.paused: set[str] = set()

    def may_start(self, lane: Workload) -> bool:
        """Whether a worker should try to get a lane that has something due. Forgets what it has known for long."""
        with self._lock:
            if self._elsewhere.get(lane, 0) <= time.monotonic():
                self._elsewhere.pop(lane, None)
            return lane not in self.paused and lane not in self._elsewhere

    def obtained(self, lane: Workload) -> None:
        """A worker got something to run in a lane."""
        with self._lock:
            self.recent = lane
            self._elsewhere.pop(lane, None)

    def is_elsewhere(self, lane: Workload) -> None:
        """A worker got nothing of a lane though something is due: somebody else has it."""
        with self._lock:
            if isinstance(lane, str):
                self.known.discard(lane)  # or its row is gone, since nobody has used it for a while
            self._elsewhere[lane] = time.monotonic() + self._standby

    def news(self) -> None:
        """New work has come: in the parallel lane, some of it may be free."""
        with self._lock:
            self._elsewhere.pop(PARALLEL, None)

    def ensure(self, connection: Connection, *lanes: str) -> None:
        """Have a row for each lane, so that it can be locked."""
        with self._lock:
            new = set(lanes) - self.known
        if new:
            leases.ensure_lanes(connection, new)
            with self._lock:
                self.known = new | (self.known if len(self.known) < MOST_KNOWN else set())

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

    def standby(self, due: Iterable[Workload]) -> float | None:
        """Seconds until one of the lanes that are due, and that somebody else had, should be tried again; or None."""
        with self._lock:
            moments = [self._elsewhere[lane] for lane in due if lane in self._elsewhere and lane not in self.paused]
        return max(0.0, min(moments) - time.monotonic()) if moments else None
