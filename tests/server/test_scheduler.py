"""Who gets the next worker: lanes take assignments, and no kind of work keeps another one from having any."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from afterwork.jobs.source import Assignment, AssignmentKind, OwnWork, Workload
from afterwork.server.capacity import SHORT_RUN_SECONDS
from afterwork.server.lanes import KnownLanes
from afterwork.server.scheduler import MANY_LANES_PER_WORKER, SLICE_SECONDS, MostWith, Scheduler
from afterwork.settings import MAX_REPLACED_PER_WORKER
from afterwork.store.leases import Lease

LIMIT = 60.0
PARALLEL = "parallel"
WORKERS = 2
OWN = OwnWork("derived"), OwnWork("once", is_exclusive=True), OwnWork("prune", is_housekeeping=True)


@dataclass
class Scene:
    """A scheduler for two workers, whose clock is in the test's hand."""

    now: float = 0.0
    lanes: KnownLanes = field(default_factory=lambda: KnownLanes(standby=1.0))

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(WORKERS, LIMIT, self.lanes, lambda: self.now)

    def look(self, *due: Workload) -> None:
        self.scheduler.saw({lane: [0] for lane in due})

    def begin_all(self) -> list[Assignment]:
        """Begin as many assignments as there are workers for."""
        assignments = []
        while (assignment := self.scheduler.next()) is not None:
            assignments.append(assignment)
        return assignments

    def flood(self) -> list[Assignment]:
        """Give parallel runs as many workers as they can have, one with each look."""
        assignments: list[Assignment] = []
        while True:
            self.look(PARALLEL)
            if not (begun := self.begin_all()):
                return assignments
            assignments += begun

    def go_outside(self, *lanes: str) -> list[Assignment]:
        """Begin assignments of lanes whose first tickets are external, as far as that can be had."""
        self.look(*lanes)
        assignments = self.begin_all()
        for assignment in assignments:
            assert self.scheduler.may_run_externally(assignment)
        return assignments


@pytest.fixture
def scene() -> Scene:
    return Scene()


def lanes_of(assignments: Sequence[Assignment]) -> list[Workload]:
    return [assignment.workload for assignment in assignments]


def test_lanes_that_are_always_busy_take_turns(scene: Scene) -> None:
    """Whatever their names, each of five has had as many assignments as any other, or one more."""
    due = ["a", "b", "c", "y", "z"]
    assignments: Counter[Workload] = Counter()
    for _ in range(50):
        scene.look(*due)
        begun = scene.begin_all()
        assignments.update(lanes_of(begun))
        for assignment in begun:
            scene.scheduler.end(assignment)

    assert max(assignments[lane] for lane in due) - min(assignments[lane] for lane in due) <= 1


def test_what_has_come_later_waits_behind_what_waits_already(scene: Scene) -> None:
    scene.look("m", "n", "z")
    begun = scene.begin_all()
    scene.look("a", "m", "n", "z")
    for assignment in begun:
        scene.scheduler.end(assignment)

    assert lanes_of(begun) == ["m", "n"]
    assert lanes_of(scene.begin_all()) == ["z", "a"]


def test_a_lane_has_one_turn_at_a_time(scene: Scene) -> None:
    scene.look("main")
    (assignment,) = scene.begin_all()
    scene.look("main")
    assert scene.begin_all() == []

    scene.scheduler.end(assignment)
    scene.look("main")
    assert lanes_of(scene.begin_all()) == ["main"]


@pytest.mark.parametrize("other", ["main", *OWN])
def test_a_flood_of_parallel_runs_leaves_a_worker_to_each_other_kind(scene: Scene, other: Workload) -> None:
    assert lanes_of(scene.flood()) == [PARALLEL] * WORKERS
    scene.look(PARALLEL, other)
    assert lanes_of(scene.begin_all()) == [other]


@pytest.mark.parametrize("other", ["main", *OWN])
def test_runs_outside_leave_a_worker_to_each_other_kind(scene: Scene, other: Workload) -> None:
    assert len(scene.go_outside("a", "b")) == WORKERS
    scene.look("a", "b", other)
    assert lanes_of(scene.begin_all()) == [other]


def test_short_runs_leave_a_worker_to_those_that_take_long(scene: Scene) -> None:
    scene.look("a", "b", "c")
    assert lanes_of(scene.begin_all()) == ["a", "b"]
    scene.look("a", "b", "c", PARALLEL)
    assert lanes_of(scene.begin_all()) == [PARALLEL]


def test_one_who_takes_over_a_run_has_a_worker_as_soon_as_there_is_one(scene: Scene) -> None:
    busy = scene.go_outside("a", "b")
    lease = Lease("run", "1", "c", 1, epoch=2)
    scene.scheduler.add(lease)
    assert scene.begin_all() == []

    scene.scheduler.end(busy[0])
    (assignment,) = scene.begin_all()
    assert assignment.lease is lease


def test_a_lane_whose_first_ticket_can_not_go_outside_waits_until_it_can(scene: Scene) -> None:
    busy = scene.go_outside("a", "b")
    scene.look("c")
    (assignment,) = scene.begin_all()
    assert not scene.scheduler.may_run_externally(assignment)
    scene.scheduler.end(assignment)
    scene.look("c")
    assert scene.begin_all() == []

    scene.scheduler.end(busy[0])
    (assignment,) = scene.begin_all()
    assert assignment.workload == "c"
    assert scene.scheduler.may_run_externally(assignment)


def test_a_more_urgent_ticket_does_not_wait_behind_one_that_can_not_go_outside(scene: Scene) -> None:
    scene.go_outside("a", "b")
    scene.look("c")
    (assignment,) = scene.begin_all()
    scene.scheduler.may_run_externally(assignment)
    scene.scheduler.end(assignment)

    scene.scheduler.saw({"c": [-1, 0]})
    assert lanes_of(scene.begin_all()) == ["c"]


def test_nobody_goes_outside_before_those_that_wait_for_it(scene: Scene) -> None:
    busy = scene.go_outside("a", "b")
    scene.look(PARALLEL, "c")
    (assignment,) = scene.begin_all()
    scene.scheduler.end(busy[0])

    assert assignment.workload == "c"
    assert not scene.scheduler.may_run_externally(assignment)


def test_a_turn_is_over_after_a_slice_if_others_wait(scene: Scene) -> None:
    scene.look("a", "b", "c")
    assignment, _ = scene.begin_all()
    assert scene.scheduler.goes_on(assignment)
    scene.now = SLICE_SECONDS
    assert not scene.scheduler.goes_on(assignment)


def test_a_turn_goes_on_if_nobody_waits(scene: Scene) -> None:
    scene.look("a", "b")
    assignment, _ = scene.begin_all()
    scene.now = 100 * SLICE_SECONDS
    assert scene.scheduler.goes_on(assignment)


def test_short_runs_that_hang_have_their_workers_replaced(scene: Scene) -> None:
    hanging = [f"hangs {number}" for number in range(10 * WORKERS)]
    begun: list[Assignment] = []
    while True:
        scene.look(*hanging)
        if not (more := scene.begin_all()):
            break
        begun += more
        scene.now += SHORT_RUN_SECONDS

    assert len(begun) == WORKERS + MAX_REPLACED_PER_WORKER * WORKERS


def test_runs_that_take_long_have_their_workers_replaced_after_the_limit(scene: Scene) -> None:
    scene.flood()
    scene.now += LIMIT - 1
    assert scene.flood() == []
    scene.now += 1
    assert len(scene.flood()) == WORKERS


def test_a_run_that_hangs_is_told_once(scene: Scene) -> None:
    scene.look("a", PARALLEL)
    begun = scene.begin_all()
    scene.now += LIMIT - 1
    assert scene.scheduler.newly_held_up() == []
    assert scene.scheduler.until_held_up() == 1

    scene.now += 1
    assert scene.scheduler.newly_held_up() == begun
    assert scene.scheduler.newly_held_up() == []
    assert scene.scheduler.until_held_up() is None


@pytest.mark.parametrize("kind", ["long", "short", *OWN])
def test_a_kind_of_work_is_stuck_once_all_workers_that_it_can_have_hang(scene: Scene, kind: AssignmentKind) -> None:
    """Other kinds still have theirs. It is so until one of the runs ends."""
    most = WORKERS + MAX_REPLACED_PER_WORKER * WORKERS
    if isinstance(kind, OwnWork):
        most = 1 + MAX_REPLACED_PER_WORKER * WORKERS
    begun: list[Assignment] = []
    while True:
        scene.look(*([PARALLEL] if kind == "long" else [kind] if isinstance(kind, OwnWork) else map(str, range(most))))
        if not (more := scene.begin_all()):
            break
        begun += more
        assert scene.scheduler.stuck() == {}
        scene.now += LIMIT

    assert len(begun) == most
    assert scene.scheduler.stuck() == {kind: begun}
    others: dict[AssignmentKind, Workload] = {"long": PARALLEL, "short": "other", **{own: own for own in OWN}}
    for other in others.keys() - {kind}:
        assert scene.scheduler.begin(others[other]) is not None
    assert scene.scheduler.stuck() == {kind: begun}
    scene.scheduler.end(begun[0])
    assert scene.scheduler.stuck() == {}


@pytest.mark.parametrize("other", OWN)
def test_what_stands_beside_lanes_has_one_turn_unless_that_hangs(scene: Scene, other: Workload) -> None:
    scene.look(other)
    assert lanes_of(scene.begin_all()) == [other]
    scene.look(other)
    assert scene.begin_all() == []

    scene.now += SHORT_RUN_SECONDS
    scene.look(other)
    assert lanes_of(scene.begin_all()) == [other]


def test_a_lane_that_is_paused_or_elsewhere_does_not_wait_for_a_worker(scene: Scene) -> None:
    scene.lanes.paused.add("paused")
    scene.lanes.note_elsewhere("elsewhere")
    scene.look("paused", "elsewhere")

    assert scene.begin_all() == []
    assert not scene.scheduler.is_waiting


def test_a_turn_goes_on_with_the_next_lanes_while_its_slice_lasts(scene: Scene) -> None:
    scene.look("a", "b", "c", "d", PARALLEL)
    assignment, *_ = scene.begin_all()
    taken = []
    while scene.scheduler.takes_another(assignment):
        taken.append(assignment.workload)
        scene.now += SLICE_SECONDS / 2

    assert taken == ["c", "d"]
    scene.look("a", "b", "c", "d")
    assert list(scene.scheduler._queue) == ["a", "c"]  # b and d are being drained


def names(count: int) -> list[str]:
    return [f"lane {number:03}" for number in range(count)]


def begun(scene: Scene, most_with: MostWith) -> Assignment:
    assignment = scene.scheduler.next(most_with)
    assert assignment is not None
    return assignment


def test_if_there_are_far_more_lanes_than_workers_each_turn_has_its_share(scene: Scene) -> None:
    lanes = names(MANY_LANES_PER_WORKER * WORKERS)
    scene.look(*lanes)
    first, second = begun(scene, lambda lane: 100), begun(scene, lambda lane: 100)

    assert [*first.lanes] == lanes[:4]
    assert [*second.lanes] == lanes[4:5]  # fewer wait by now, so it is one first
    assert scene.scheduler.takes_another(second, lambda lane: 100)
    assert [*second.lanes] == lanes[5:7]  # half of them, since there is another worker


def test_a_lane_that_shares_with_few_or_with_none_is_not_in_the_way_of_others(scene: Scene) -> None:
    lanes = names(20)
    most = {lanes[1]: 1, lanes[2]: 3, lanes[4]: 2}
    scene.look(*lanes)
    shares = []
    for _ in range(3):
        assignment = begun(scene, lambda lane: most.get(lane, 100))
        shares.append([*assignment.lanes])
        scene.scheduler.end(assignment)

    assert shares[0] == [lanes[0], lanes[2], lanes[3]]
    assert shares[1] == [lanes[1]]
    assert shares[2] == [lanes[4], lanes[5]]


def test_lanes_that_have_not_run_wait_in_front_of_all_others_in_their_order(scene: Scene) -> None:
    lanes = names(20)
    scene.look(*lanes)
    assignment = begun(scene, lambda lane: 100)
    assert len(assignment.lanes) == 10

    scene.scheduler.give_back(assignment, [lanes[7], lanes[2]])

    assert [*assignment.lanes] == [lane for lane in lanes[:10] if lane not in (lanes[2], lanes[7])]
    assert [*scene.scheduler._queue] == [lanes[2], lanes[7], *lanes[10:]]


def test_a_turn_that_takes_long_takes_no_other_lane(scene: Scene) -> None:
    (assignment, _) = scene.go_outside("a", "b")
    scene.look("a", "b", "c")
    assert not scene.scheduler.takes_another(assignment)


def test_async_runs_take_no_worker_and_count_in_their_lane(scene: Scene) -> None:
    scene.look("main")
    (drained,) = scene.begin_all()
    (place,) = scene.scheduler.places(drained, "main", 5)[:1]
    scene.scheduler.end(drained)

    scene.look("main", "mail", PARALLEL)
    assert [assignment.workload for assignment in scene.begin_all()] == ["mail", PARALLEL]
    assert scene.scheduler.gives_way(place)


def test_a_lane_without_a_place_for_a_run_waits_until_there_is_one() -> None:
    scene = Scene()
    scene.scheduler = Scheduler(WORKERS, LIMIT, scene.lanes, lambda: scene.now, async_runs=1)
    scene.look(PARALLEL)
    (drained,) = scene.begin_all()
    (place,) = scene.scheduler.places(drained, PARALLEL, 5)
    assert scene.scheduler.places(drained, PARALLEL, 5) == []
    scene.scheduler.end(drained)

    scene.look(PARALLEL, "mail")
    assert [assignment.workload for assignment in scene.begin_all()] == ["mail"]
    assert scene.scheduler.begin(PARALLEL) is None
    assert scene.scheduler.gives_way(place)
    scene.look(PARALLEL)
    assert [assignment.workload for assignment in scene.begin_all()] == [PARALLEL]


def test_the_end_of_an_async_run_is_what_a_taken_over_run_waits_for_in_quarantine(scene: Scene) -> None:
    """The server sleeps until something ends; nothing else would wake it."""
    scene.scheduler = Scheduler(WORKERS, LIMIT, scene.lanes, lambda: scene.now, is_alone=lambda: True)
    first = scene.scheduler.place(PARALLEL)
    scene.scheduler.add(Lease("run", "2", PARALLEL, server=1, epoch=2))
    assert scene.begin_all() == []
    assert scene.scheduler.gives_way(first)
    assert lanes_of(scene.begin_all()) == [PARALLEL]


def test_the_end_of_an_async_run_in_quarantine_lets_others_be_taken_over(scene: Scene) -> None:
    scene.scheduler = Scheduler(WORKERS, LIMIT, scene.lanes, lambda: scene.now, is_alone=lambda: True)
    assert scene.scheduler.gives_way(scene.scheduler.place(PARALLEL))


def test_the_end_of_an_async_parallel_run_wakes_nobody_for_nothing(scene: Scene) -> None:
    assert not scene.scheduler.gives_way(scene.scheduler.place(PARALLEL))


def test_a_long_async_run_holds_up_no_worker(scene: Scene) -> None:
    scene.scheduler.place("main")
    scene.now += 2 * LIMIT

    assert scene.scheduler.newly_held_up() == []
    assert scene.scheduler.until_held_up() is None
    assert scene.scheduler.stuck() == {}
