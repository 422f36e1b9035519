"""A server's memory of lanes, leases and claims. `scheduler.py` chooses among the lanes."""

import threading
import time
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from afterwork.jobs.source import Workload
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.store import leases
from afterwork.store.lane_limits import LaneLimits
from afterwork.store.leases import Lease

MAX_KNOWN_LANES = 10_000
"""At most this many lanes are known to have a row; then the memory begins anew."""


class KnownLanes:
    """Lanes, leases and claims that one server knows without asking. Shared by the loop and its workers."""

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
        """Return whether a worker should try a workload that is due: it is neither paused nor elsewhere."""
        with self._lock:
            if self._elsewhere.get(lane, 0) <= time.monotonic():
                self._elsewhere.pop(lane, None)
            return lane not in self.paused and lane not in self._elsewhere

    def obtained(self, lane: Workload) -> None:
        """Note that a worker found something to run."""
        with self._lock:
            self.recent = lane
            self._elsewhere.pop(lane, None)

    def note_elsewhere(self, lane: Workload) -> None:
        """Note that another server has a workload that is due. It is tried again after the standby time."""
        with self._lock:
            if isinstance(lane, str):
                self.known.discard(lane)  # or its row is gone, since nobody has used it for a while
            self._elsewhere[lane] = time.monotonic() + self._standby

    def news(self) -> None:
        """Note that new work has come: some of it may be free in the parallel lane."""
        with self._lock:
            self._elsewhere.pop(PARALLEL, None)

    def ensure(self, connection: Connection, *lanes: str) -> None:
        """Create the missing rows of lanes, so that they can be locked."""
        with self._lock:
            new = set(lanes) - self.known
        if new:
            leases.ensure_lanes(connection, new)
            with self._lock:
                self.known = new | (self.known if len(self.known) < MAX_KNOWN_LANES else set())

    def hold(self, lease: Lease, begun: bool) -> None:
        """Note that a worker begins to work on a lease, or has ended. Two may begin with the same one: one of them then
        finds that it can't have it, and the other continues."""
        with self._lock:
            self._held[lease.run] += 1 if begun else -1
            if not self._held[lease.run]:
                del self._held[lease.run]

    def claim(self, claim: str, begun: bool) -> None:
        """Note that a worker begins to recompute the derived values of a claim, or has ended."""
        with self._lock:
            (self._claims.add if begun else self._claims.discard)(claim)

    def claims(self) -> list[str]:
        with self._lock:
            return list(self._claims)

    def runs(self) -> list[str]:
        with self._lock:
            return list(self._held)

    def standby(self, due: Iterable[Workload]) -> float | None:
        """Return the seconds until a due workload that another server had is tried again; None if none is."""
        with self._lock:
            retry_times = [self._elsewhere[lane] for lane in due if lane in self._elsewhere and lane not in self.paused]
        return max(0.0, min(retry_times) - time.monotonic()) if retry_times else None
