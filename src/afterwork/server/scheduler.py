"""Who gets the next worker.

Lanes wait in a queue: whoever has had a turn stands behind all others. Short runs and long ones share the workers, and
neither can take them all: each kind of work may always have one worker of its own.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from afterwork.jobs.assignment import Assignment, Kind, OwnWork, Workload
from afterwork.jobs.quarantine import SURVIVED
from afterwork.model.lane import PARALLEL
from afterwork.server.lanes import KnownLanes
from afterwork.store.leases import Lease

SLICE = 0.1
"""Seconds after which a turn ends if others wait for a worker."""

SHORT = 1.0
"""Seconds that a run may take in whose place another can wait. After that, its worker is no more counted as one of the
kind's own."""

SHARED: Sequence[Kind] = ("short", "long")
"""The kinds that share the workers."""

MANY = 4
"""Lanes that wait for each worker, from which on a turn begins with several."""

MostWith = Callable[[str], int]
"""Says how many lanes may share a transaction with one, itself included."""

REPLACED = 2
"""So many workers for each that is there by right may be in the place of others which have been with one run for
long."""


def alone(lane: str) -> int:
    """Say that a lane shares its transactions with no other."""
    return 1


class Scheduler:
    """Hands out turns. Shared by the loop and its workers.

    `workers` is how many turns there are at the same time, beside those that a kind has for itself; a turn that has
    been with one run for `limit` seconds has its worker replaced. `clock` reads seconds that never go back. While it
    `is_alone`, what is tried has the process for itself."""

    def __init__(
        self,
        workers: int,
        limit: float,
        lanes: KnownLanes,
        clock: Callable[[], float] = time.monotonic,
        is_alone: Callable[[], bool] = lambda: False,
    ) -> None:
        self._is_alone = is_alone
        self._workers = workers
        self._limit = limit
        self._lanes = lanes
        self._clock = clock
        self._lock = threading.RLock()
        self._running: list[Assignment] = []
        self._queue: dict[Workload, int | None] = {}
        self._leases: deque[Lease] = deque()
        self._external: dict[Workload, int | None] = {}
        """The lanes whose first ticket could not begin outside, with the priority that came first."""
        self._turns = itertools.count(1)
        self._last: dict[Workload, int] = {}
        """The number of the last turn of each lane that is still busy."""

    # What waits.

    def saw(self, due: Mapping[Workload, Sequence[int]]) -> None:
        """Take note of a look: what is due now, each with its priorities. What was due before keeps its place."""
        with self._lock:
            active = self._active()
            self._external = {lane: first for lane, first in self._external.items() if lane in due}
            self._last = {lane: turn for lane, turn in self._last.items() if lane in due or lane in active}
            waiting = [lane for lane in due if self._may_wait(lane, active)]
            waiting.sort(key=lambda lane: self._last.get(lane, 0))  # of those that come again, who has waited longest
            new: dict[Workload, int | None] = {lane: due[lane][0] for lane in waiting}
            self._queue = {lane: new[lane] for lane in self._queue if lane in new} | new

    def add(self, lease: Lease) -> None:
        """Let a run that was taken over go on as soon as there is a worker for it."""
        with self._lock:
            self._leases.append(lease)

    def is_busy_with(self, own: OwnWork) -> bool:
        """Return whether a worker is at the own work of a source, and another would not help."""
        with self._lock:
            return own in self._active() and not self._has_room(own)

    def _may_wait(self, workload: Workload, active: set[Workload]) -> bool:
        if workload in active and workload != PARALLEL:
            if isinstance(workload, OwnWork):
                return self._has_room(workload)
            if sum(workload in turn.workloads for turn in self._running) >= self._lanes.limits.slots(workload):
                return False
        return self._lanes.may_start(workload)

    def _active(self) -> set[Workload]:
        return {workload for turn in self._running for workload in turn.workloads}

    @property
    def is_waiting(self) -> bool:
        """Whether something is due that has no worker."""
        return bool(self._queue or self._leases)

    @property
    def runs(self) -> int:
        """Return the number of workers at work that somebody waits for."""
        with self._lock:
            return sum(not (isinstance(turn.kind, OwnWork) and turn.kind.is_housekeeping) for turn in self._running)

    # Whose turn it is.

    def next(self, most_with: MostWith = alone) -> Assignment | None:
        """Begin the next turn; None if nothing waits that there is a worker for. `most_with` says how many lanes may
        share a transaction with one, itself included, which they do if there are far more than workers."""
        with self._lock:
            if self._leases and self._has_room("long"):
                lease = self._leases.popleft()
                return self._begin(Assignment("long", {lease.lane: None}, self._clock(), lease))
            rooms: dict[Kind, bool] = {}
            for lane, priority in self._queue.items():
                kind = self._kind(lane, priority)
                if kind not in rooms:
                    rooms[kind] = self._has_room(kind)
                if rooms[kind]:
                    few = kind == "short" and len(self._queue) >= MANY * self._workers
                    return self._take(kind, self._next_few(most_with) if few else {lane: priority})
            return None

    def begin(self, workload: Workload) -> Assignment | None:
        """Begin a turn of a workload that may be due, without a look. Return None if no worker is free for it."""
        with self._lock:
            kind = self._kind(workload, None)
            can_begin = self._may_wait(workload, self._active()) and self._has_room(kind)
            return self._take(kind, {workload: None}) if can_begin else None

    def _take(self, kind: Kind, workloads: Mapping[Workload, int | None]) -> Assignment:
        self._leave_queue(workloads)
        return self._begin(Assignment(kind, workloads, self._clock()))

    def _leave_queue(self, workloads: Iterable[Workload]) -> None:
        for lane in workloads:
            self._queue.pop(lane, None)
            self._external.pop(lane, None)
            self._last[lane] = next(self._turns)

    def _begin(self, turn: Assignment) -> Assignment:
        self._running.append(turn)
        return turn

    def end(self, turn: Assignment) -> None:
        """A turn has ended."""
        with self._lock:
            self._running.remove(turn)

    def _kind(self, lane: Workload, priority: int | None) -> Kind:
        if isinstance(lane, OwnWork):
            return lane
        if lane == PARALLEL:
            return "long"
        # As long as the same priority is the first, the first ticket is the one that could not begin outside.
        return "long" if lane in self._external and self._external[lane] == priority else "short"

    # Whether there is a worker.

    @property
    def has_leases(self) -> bool:
        """Whether something that was taken over waits for a worker."""
        return bool(self._leases)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing goes on, or waits to go on, but runs that have survived for a while."""
        with self._lock:
            return not self._leases and self._has_survived(None)

    def _has_survived(self, besides: Assignment | None) -> bool:
        long_ago = self._clock() - SURVIVED
        return all(turn.is_external and turn.since < long_ago for turn in self._running if turn is not besides)

    def _has_room(self, kind: Kind, besides: Assignment | None = None) -> bool:
        if self._is_alone() and not self._has_survived(besides):
            return False
        replaced = self._replaced()
        busy = [turn.kind for turn in self._running if turn is not besides and turn not in replaced]
        if kind not in busy:
            return True  # its own
        return kind in SHARED and sum(map(busy.count, SHARED)) < self._workers

    def _replaced(self) -> Sequence[Assignment]:
        """Return the turns whose workers are replaced: those that have been held up longest, within a bound."""
        now = self._clock()
        held = [turn for turn in self._running if now - turn.since >= self._patience(turn)]
        return sorted(held, key=lambda turn: turn.since)[: REPLACED * self._workers]

    def _patience(self, turn: Assignment) -> float:
        return self._limit if turn.kind == "long" else min(SHORT, self._limit)

    # What turns say of themselves.

    def goes_on(self, turn: Assignment) -> bool:
        """A transaction or run of a turn has ended. Whether it may have another one: not if others have waited while it
        had its slice."""
        with self._lock:
            turn.since, turn.is_external, turn.is_reported = self._clock(), False, False
            if isinstance(turn.kind, OwnWork):
                return not self._is_alone()  # its worker is for it alone
            return not self.is_waiting or turn.since - turn.began < SLICE

    def takes_another(self, turn: Assignment, most_with: MostWith = alone) -> bool:
        """Let a turn of short runs whose lane has nothing more go on with the next that wait, while its slice lasts.
        Where many lanes have little to do, that saves their way through the loop."""
        with self._lock:
            if turn.kind != "short" or self._clock() - turn.began >= SLICE:
                return False
            found = self._next_few(most_with)
            self._leave_queue(found)
            turn.workloads, turn.since = found or turn.workloads, self._clock()
            return bool(found)

    def _next_few(self, most_with: MostWith) -> dict[Workload, int | None]:
        """Return the next lane that waits for a short run, and those that may share its transaction. Something is left
        for each of the other workers."""
        found: dict[Workload, int | None] = {}
        room = -(-len(self._queue) // self._workers)
        for lane, priority in self._queue.items():
            if len(found) >= room:
                break
            if isinstance(lane, OwnWork) or self._kind(lane, priority) != "short":
                continue
            if (most := most_with(lane)) > len(found):
                found[lane] = priority
                room = min(room, most)
        return found

    def give_back(self, turn: Assignment, lanes: Collection[str]) -> None:
        """Let lanes of a turn that have not run wait again, in front of all others."""
        with self._lock:
            given_back = {lane: first for lane, first in turn.workloads.items() if lane in lanes}
            self._queue = given_back | self._queue
            turn.workloads = {lane: first for lane, first in turn.workloads.items() if lane not in lanes}

    def may_go_outside(self, turn: Assignment) -> bool:
        """Whether the first ticket of a turn's lane can begin outside of a transaction, which may take long. If not,
        the lane waits until it can."""
        with self._lock:
            if turn.kind != "long" and not self._makes_long(turn):
                self._external[turn.workload] = turn.workloads[turn.workload]
                return False
            turn.is_external = True
            return True

    def _makes_long(self, turn: Assignment) -> bool:
        others_wait = self._leases or any(self._kind(*waiting) == "long" for waiting in self._queue.items())
        if others_wait or not self._has_room("long", besides=turn):
            return False
        turn.kind = "long"
        return True

    def waits_for_outside(self, lane: str) -> bool:
        """Whether the first ticket of a lane could not begin, because too many runs outside go on."""
        with self._lock:
            return lane in self._external

    # What the loop asks.

    @property
    def is_busy(self) -> bool:
        """Whether short runs go on, which end soon."""
        with self._lock:
            now = self._clock()
            return any(not turn.is_external and now - turn.since < SHORT for turn in self._running)

    def held(self) -> list[Assignment]:
        """Return the turns that have been with one run for longer than the limit, each once."""
        with self._lock:
            now = self._clock()
            held = [turn for turn in self._running if not turn.is_reported and now - turn.since >= self._limit]
            for turn in held:
                turn.is_reported = True
            return held

    def until_held(self) -> float | None:
        """Seconds until a turn has been with one run for so long that there may be another worker in its place, or that
        it is to be told; None if none will."""
        with self._lock:
            now = self._clock()
            spans = [self._limit + turn.since - now for turn in self._running if not turn.is_reported]
            if self.is_waiting:
                spans += [self._patience(turn) + turn.since - now for turn in self._running]
            return min((span for span in spans if span > 0), default=None)
