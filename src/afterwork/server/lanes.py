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
        self._held: Counter[tuple[threading.Thread, Lease]] = Counter()
        self._claims: dict[str, threading.Thread] = {}
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

    def hold(self, lease: Lease, begun: bool, thread: threading.Thread | None = None) -> None:
        """Note that a worker begins to work on a lease, or has ended. Two may begin with the same one: one of them then
        finds that it can't have it, and the other continues. `thread` is that of another worker than the current."""
        mine = thread or threading.current_thread(), lease
        with self._lock:
            if begun:
                self._held[mine] += 1
                return
            if mine not in self._held:  # the loop has taken it over for a worker
                mine = next(held for held in self._held if held[1] == lease)
            self._held[mine] -= 1
            if not self._held[mine]:
                del self._held[mine]

    def claim(self, claim: str, begun: bool) -> None:
        """Note that a worker begins to recompute the derived values of a claim, or has ended."""
        with self._lock:
            if begun:
                self._claims[claim] = threading.current_thread()
            else:
                self._claims.pop(claim, None)

    def claims(self) -> list[str]:
        with self._lock:
            return list(self._claims)

    def runs(self) -> list[str]:
        with self._lock:
            return [lease.run for _, lease in self._held]

    def let_go(self, thread: threading.Thread) -> tuple[list[Lease], list[str]]:
        """Forget the leases and claims of a thread that is gone, and return them."""
        with self._lock:
            held = [lease for holder, lease in self._held if holder is thread]
            claims = [claim for claim, holder in self._claims.items() if holder is thread]
            self._held = Counter({held: times for held, times in self._held.items() if held[0] is not thread})
            self._claims = {claim: holder for claim, holder in self._claims.items() if holder is not thread}
        return held, claims

    def standby(self, due: Iterable[Workload]) -> float | None:
        """Return the seconds until a due workload that another server had is tried again; None if none is."""
        with self._lock:
            retry_times = [self._elsewhere[lane] for lane in due if lane in self._elsewhere and lane not in self.paused]
        return max(0.0, min(retry_times) - time.monotonic()) if retry_times else None
