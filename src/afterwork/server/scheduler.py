"""Scheduling: the choice of the work that gets the next worker.

Lanes wait in a queue: a lane that has had an assignment stands behind all others. Short and long runs share the
workers, and neither can take them all: each kind of work may always have one worker of its own.

Which lanes may come into the queue: `Routing`, `JobSource.due`, `Runner.due_in_lanes` and `KnownLanes.may_start`.
Whether a lane can be had: the statements of `store/tickets/claiming.py`. `Loop._try_recent` goes past the queue: a
woken server first tries the lane that had work most recently.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from afterwork.jobs.quarantine import SURVIVED
from afterwork.jobs.source import Assignment, AssignmentKind, OwnWork, Workload
from afterwork.model.lane import PARALLEL
from afterwork.server.capacity import SHORT_RUN_SECONDS, Capacity
from afterwork.server.lanes import KnownLanes
from afterwork.store.leases import Lease

SLICE_SECONDS = 0.1
"""An assignment ends after this long if others wait for a worker."""

MANY_LANES_PER_WORKER = 4
"""From this many waiting lanes per worker on, an assignment begins with several lanes."""

MostWith = Callable[[str], int]
"""Returns how many lanes may share a transaction with a lane, itself included."""


class Scheduler:
    """Hands out assignments. Shared by the loop and its workers.

    `workers` short and long assignments run at a time; a kind of which none runs may always begin one more. After
    `limit` seconds with one run, the worker of an assignment is replaced. `clock` reads monotonic seconds. While
    `is_alone` returns true, a run in quarantine has the process for itself. Up to `async_runs` async runs go on,
    which take no worker."""

    def __init__(
        self,
        workers: int,
        limit: float,
        lanes: KnownLanes,
        clock: Callable[[], float] = time.monotonic,
        is_alone: Callable[[], bool] = lambda: False,
        async_runs: int = 200,
    ) -> None:
        self._is_alone = is_alone
        self._max_async_runs = async_runs
        self._workers = workers
        self._capacity = Capacity(workers, limit)
        self._lanes = lanes
        self._clock = clock
        self._lock = threading.RLock()
        self._running: list[Assignment] = []
        self._queue: dict[Workload, int | None] = {}
        self._leases: deque[Lease] = deque()
        self._external: dict[Workload, int | None] = {}
        """Lanes whose first ticket is external and could not begin, with the priority that came first."""
        self._full: dict[Workload, int | None] = {}
        """Lanes whose first ticket is to be awaited and had no place, with the priority that came first."""
        self._numbers = itertools.count(1)
        self._last: dict[Workload, int] = {}
        """The number of the last assignment of each lane that is still busy."""

    # Waiting work.

    def saw(self, due: Mapping[Workload, Sequence[int]]) -> None:
        """Queue the workloads found due, each with its priorities. Those that waited already keep their place."""
        with self._lock:
            active = self._active()
            self._external = {lane: first for lane, first in self._external.items() if lane in due}
            self._full = {lane: first for lane, first in self._full.items() if lane in due}
            self._last = {lane: number for lane, number in self._last.items() if lane in due or lane in active}
            waiting = [lane for lane in due if self._may_wait(lane, active)]
            waiting.sort(key=lambda lane: self._last.get(lane, 0))  # of those that return, the longest waiting first
            new: dict[Workload, int | None] = {lane: due[lane][0] for lane in waiting}
            self._queue = {lane: new[lane] for lane in self._queue if lane in new} | new

    def add(self, lease: Lease) -> None:
        """Queue a run that was taken over, to be resumed as soon as a worker is free."""
        with self._lock:
            self._leases.append(lease)

    def is_busy_with(self, own: OwnWork) -> bool:
        """Return whether a worker does the own work of a source, and another would not help."""
        with self._lock:
            return own in self._active() and not self._has_room(own)

    def _may_wait(self, workload: Workload, active: set[Workload]) -> bool:
        if workload in active and workload != PARALLEL:
            if isinstance(workload, OwnWork):
                return self._has_room(workload)
            if sum(workload in assignment.workloads for assignment in self._running) >= self._lanes.limits.slots(
                workload
            ):
                return False
        return self._lanes.may_start(workload)

    def _active(self) -> set[Workload]:
        return {workload for assignment in self._running for workload in assignment.workloads}

    @property
    def is_waiting(self) -> bool:
        """Return whether due work still waits for a worker."""
        return bool(self._queue or self._leases)

    @property
    def runs(self) -> int:
        """Return the number of busy workers that somebody waits for."""
        with self._lock:
            return sum(
                not (isinstance(assignment.kind, OwnWork) and assignment.kind.is_housekeeping)
                for assignment in self._running
            )

    # Turns.

    def next(self, most_with: MostWith = lambda lane: 1) -> Assignment | None:
        """Begin the next assignment. Return None if no worker is free for waiting work. With far more lanes than
        workers, several share an assignment, at most as many as `most_with` returns."""
        with self._lock:
            if self._leases and self._has_room("long"):
                lease = self._leases.popleft()
                return self._begin(Assignment("long", {lease.lane: None}, self._clock(), lease))
            rooms: dict[AssignmentKind, bool] = {}
            for lane, priority in self._queue.items():
                if self._waits_for_a_place(lane, priority):
                    continue
                kind = self._kind(lane, priority)
                if kind not in rooms:
                    rooms[kind] = self._has_room(kind)
                if rooms[kind]:
                    shares = kind == "short" and len(self._queue) >= MANY_LANES_PER_WORKER * self._workers
                    return self._take(kind, self._next_lanes(most_with) if shares else {lane: priority})
            return None

    def begin(self, workload: Workload) -> Assignment | None:
        """Begin an assignment of a workload that may be due, without a look. None if no worker is free for it."""
        with self._lock:
            kind = self._kind(workload, None)
            can_begin = (
                self._may_wait(workload, self._active())
                and self._has_room(kind)
                and not (workload in self._full and self._places_left() <= 0)
            )
            return self._take(kind, {workload: None}) if can_begin else None

    def _take(self, kind: AssignmentKind, workloads: Mapping[Workload, int | None]) -> Assignment:
        self._leave_queue(workloads)
        return self._begin(Assignment(kind, workloads, self._clock()))

    def _leave_queue(self, workloads: Iterable[Workload]) -> None:
        for lane in workloads:
            self._queue.pop(lane, None)
            self._external.pop(lane, None)
            self._full.pop(lane, None)
            self._last[lane] = next(self._numbers)

    def _begin(self, assignment: Assignment) -> Assignment:
        self._running.append(assignment)
        return assignment

    def end(self, assignment: Assignment) -> None:
        with self._lock:
            self._running.remove(assignment)

    def _kind(self, lane: Workload, priority: int | None) -> AssignmentKind:
        if isinstance(lane, OwnWork):
            return lane
        if lane == PARALLEL:
            return "long"
        # While its first priority stays the same, the first ticket is the external one that could not begin.
        return "long" if lane in self._external and self._external[lane] == priority else "short"

    # Async runs.

    def places(self, assignment: Assignment, lane: str, wanted: int) -> list[Assignment]:
        """Begin the assignments of up to `wanted` runs of a lane that are to be awaited. Without a place for any, the
        lane waits until there is one. `assignment` is that of the worker that begins them."""
        with self._lock:
            room = self._places_left(besides=assignment)
            if room <= 0:
                self._full[lane] = assignment.workloads.get(lane)
            return [self.place(lane) for _ in range(min(room, wanted))]

    def place(self, lane: str) -> Assignment:
        """Begin the assignment of an async run, even if there is no place."""
        with self._lock:
            begun = self._begin(Assignment("async", {lane: None}, self._clock()))
            begun.is_external = True
            return begun

    def has_slot(self, lane: str) -> bool:
        """Return whether a lane that a worker drains may have room for another run beside those that are awaited."""
        with self._lock:
            drained_or_async = sum(lane in assignment.workloads for assignment in self._running)
            return lane == PARALLEL or drained_or_async - 1 < self._lanes.limits.slots(lane)

    def gives_way(self, assignment: Assignment) -> bool:
        """End the assignment of a run that was awaited. Return whether something may have waited for that."""
        with self._lock:
            self.end(assignment)
            may_wait = self._is_alone() or self.is_waiting or bool(self._full)
            return may_wait or PARALLEL not in assignment.workloads

    def _places_left(self, besides: Assignment | None = None) -> int:
        if self._is_alone():
            return int(self._has_survived(besides))
        return self._max_async_runs - sum(assignment.kind == "async" for assignment in self._running)

    def _waits_for_a_place(self, lane: Workload, priority: int | None) -> bool:
        return lane in self._full and self._full[lane] == priority and self._places_left() <= 0

    # Free workers.

    @property
    def _with_workers(self) -> list[Assignment]:
        return [assignment for assignment in self._running if assignment.kind != "async"]

    @property
    def has_leases(self) -> bool:
        """Return whether a run that was taken over waits for a worker."""
        return bool(self._leases)

    @property
    def is_quiet(self) -> bool:
        """Return whether nothing runs or waits to resume, except external runs that have survived for a while."""
        with self._lock:
            return not self._leases and self._has_survived(None)

    def _has_survived(self, besides: Assignment | None) -> bool:
        long_ago = self._clock() - SURVIVED
        return all(
            assignment.is_external and assignment.since < long_ago
            for assignment in self._running
            if assignment is not besides
        )

    def _has_room(self, kind: AssignmentKind, besides: Assignment | None = None) -> bool:
        if self._is_alone() and not self._has_survived(besides):
            return False
        return self._capacity.has_room(
            [assignment for assignment in self._with_workers if assignment is not besides], kind, self._clock()
        )

    # Reports of workers.

    def goes_on(self, assignment: Assignment) -> bool:
        """Note that a transaction or run of an assignment has ended. Return whether it may have another.

        A lane's assignment ends if its slice is over and others wait, a source's own work if the server is in
        quarantine."""
        with self._lock:
            assignment.since, assignment.is_external, assignment.is_reported = self._clock(), False, False
            if isinstance(assignment.kind, OwnWork):
                return not self._is_alone()  # its worker serves nothing else
            return not self.is_waiting or assignment.since - assignment.began < SLICE_SECONDS

    def takes_another(self, assignment: Assignment, most_with: MostWith = lambda lane: 1) -> bool:
        """Continue an assignment of short runs with the next waiting lanes, while its slice lasts. If many lanes have
        little to do, that saves trips through the loop."""
        with self._lock:
            if assignment.kind != "short" or self._clock() - assignment.began >= SLICE_SECONDS:
                return False
            lanes = self._next_lanes(most_with)
            self._leave_queue(lanes)
            assignment.workloads, assignment.since = lanes or assignment.workloads, self._clock()
            return bool(lanes)

    def _next_lanes(self, most_with: MostWith) -> dict[Workload, int | None]:
        """Return the next lane that waits for a short run, and those that may share its transaction. Leave some lanes
        for each of the other workers."""
        lanes: dict[Workload, int | None] = {}
        room = -(-len(self._queue) // self._workers)
        for lane, priority in self._queue.items():
            if len(lanes) >= room:
                break
            if isinstance(lane, OwnWork) or self._kind(lane, priority) != "short":
                continue
            if self._waits_for_a_place(lane, priority):
                continue
            if (most := most_with(lane)) > len(lanes):
                lanes[lane] = priority
                room = min(room, most)
        return lanes

    def give_back(self, assignment: Assignment, lanes: Collection[str]) -> None:
        """Put lanes of an assignment that did not run back into the queue, ahead of all others."""
        with self._lock:
            given_back = {lane: first for lane, first in assignment.workloads.items() if lane in lanes}
            self._queue = given_back | self._queue
            assignment.workloads = {lane: first for lane, first in assignment.workloads.items() if lane not in lanes}

    def may_run_externally(self, assignment: Assignment) -> bool:
        """Return whether the first ticket of an assignment's lane can begin as an external run, which may take long. If
        not, the lane waits until it can."""
        with self._lock:
            if assignment.kind != "long" and not self._becomes_long(assignment):
                self._external[assignment.workload] = assignment.workloads[assignment.workload]
                return False
            assignment.is_external = True
            return True

    def _becomes_long(self, assignment: Assignment) -> bool:
        others_wait = self._leases or any(self._kind(*waiting) == "long" for waiting in self._queue.items())
        if others_wait or not self._has_room("long", besides=assignment):
            return False
        assignment.kind = "long"
        return True

    def waits_to_run_externally(self, lane: str) -> bool:
        """Return whether the first ticket of a lane could not begin because of too many external runs."""
        with self._lock:
            return lane in self._external or lane in self._full

    # For the loop.

    @property
    def is_busy(self) -> bool:
        """Return whether short runs are in progress, which will end soon."""
        with self._lock:
            now = self._clock()
            return any(
                not assignment.is_external and now - assignment.since < SHORT_RUN_SECONDS
                for assignment in self._running
            )

    def newly_held_up(self) -> list[Assignment]:
        """Return the assignments that have been with one run for longer than the limit, each once."""
        with self._lock:
            new = [
                assignment
                for assignment in self._capacity.held_up(self._with_workers, self._clock())
                if not assignment.is_reported
            ]
            for assignment in new:
                assignment.is_reported = True
            return new

    def stuck(self) -> Mapping[AssignmentKind, Sequence[Assignment]]:
        """Return the kinds of work for which no worker is left, each with its assignments, which are all held up."""
        with self._lock:
            return self._capacity.stuck(self._with_workers, self._clock())

    def until_held_up(self) -> float | None:
        """Return the seconds until an assignment has been with one run long enough to be replaced or reported."""
        with self._lock:
            now = self._clock()
            durations = [
                self._capacity.limit + assignment.since - now
                for assignment in self._with_workers
                if not assignment.is_reported
            ]
            if self.is_waiting:
                durations += [
                    self._capacity.patience(assignment) + assignment.since - now for assignment in self._with_workers
                ]
            return min((seconds for seconds in durations if seconds > 0), default=None)
