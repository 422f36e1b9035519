"""Whatever is written by whomever, committed in any order or rolled back, while servers run, die and get in each
other's way: at each quiet moment every value is what a calculation from scratch gives, no cache has run without a
reason, and nothing is left over.

`make prove` tries it with 10,000 histories on each database. Many tests share them there: each has its own database and
its own random numbers, so that all processors have something to do.
"""

import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import URL

from afterwork.events import Reached
from tests.properties.caches.object_writes import NAMES, ON_OBJECTS
from tests.properties.caches.rows import Writing
from tests.properties.caches.world import World
from tests.properties.conftest import examples

small = st.integers(1, 4)
writing = st.tuples(st.sampled_from(NAMES), small, small, small)
writings = st.lists(writing, min_size=1, max_size=4)
EVERYTHING: list[Writing] = [("everything", 1, 1, 1)]
in_between = st.just(EVERYTHING) | writings
places = st.sampled_from(["ran", "claimed", "calculating", "after commit"])
servers = st.sampled_from([0, 0, 1, 2, 2])
FEW = 3
"""Transactions that are open at once."""

FIRST: list[list[Writing]] = [
    [],
    [("insert a group", 1, 1, 1), ("insert a group", 2, 1, 1), ("insert a tag", 1, 3, 0), ("insert a tag", 2, 4, 0)]
    + [("insert an item", n, 1 + n % 2, n) for n in (1, 2, 3)]
    + [("insert a part", n, 1 + n % 3, n) for n in (1, 2, 3, 4)]
    + [("tag all items", 1, 0, 0), ("tag an item", 2, 2, 0)],
    [("insert a node", n, n - 1, n) for n in (1, 2, 3, 4)]
    + [("a branch of the tree", 2, 2, 2), ("insert a group", 1, 1, 1), ("insert an item", 1, 1, 3)],
    [(f"insert {one}", n, n, n) for one in ("a person", "an employee", "an owner") for n in (1, 2, 3)]
    + [("make a boss", 1, 2, 0), ("make a boss", 3, 2, 0)]
    + [("insert a task", n, 1, n) for n in (1, 2, 3, 4)]
    + [("insert a place", n, m, n) for n in (1, 2, 4) for m in (1, 4)]
    + [("insert a visit", n, 1, n) for n in (1, 2, 4)],
]


class CachesMachine(RuleBasedStateMachine):
    """Users and servers, on one database."""

    world: World

    @initialize(first=st.sampled_from(FIRST))
    def begin(self, first: list[Writing]) -> None:
        self.world.clear()
        if first:
            self.world.write(first)

    # Users.

    @rule(writings=writings, commits=st.sampled_from([True, True, True, False]))
    def write(self, writings: list[Writing], commits: bool) -> None:
        self.world.write(writings, commits)

    @precondition(lambda self: not self.world.on_sqlite and len(self.world.open) < FEW)
    @rule(writings=writings, isolation=st.sampled_from(["READ COMMITTED", "REPEATABLE READ"]))
    def begin_a_transaction(self, writings: list[Writing], isolation: str) -> None:
        number = 1 + max(self.world.open, default=0)
        self.world.begin(number, isolation)
        self.world.act(number, writings)

    @precondition(lambda self: self.world.open)
    @rule(which=servers, writings=writings, taken_back=st.booleans())
    def go_on_in_a_transaction(self, which: int, writings: list[Writing], taken_back: bool) -> None:
        number = self._open(which)
        if taken_back:
            self.world.savepoint(number, writings)
        else:
            self.world.act(number, writings)

    @precondition(lambda self: self.world.open)
    @rule(which=servers, commits=st.sampled_from([True, True, False]))
    def end_a_transaction(self, which: int, commits: bool) -> None:
        self.world.end(self._open(which), commits)

    def _open(self, which: int) -> int:
        return sorted(self.world.open)[which % len(self.world.open)]

    @rule(hours=st.integers(1, 6))
    def wait(self, hours: int) -> None:
        self.world.wait(hours)

    # Servers.

    @rule(server=servers)
    def run(self, server: int) -> None:
        self.world.run(server)

    @rule(server=servers, at=st.integers(0, 25))
    def run_and_die(self, server: int, at: int) -> None:
        points = itertools.count()

        def die(point: Reached | None) -> None:
            if point is not None and next(points) == at:
                self.world.disturbed += 1
                self.world.servers[server].die()

        self.world.run(server, die)

    @rule(server=servers, place=places, nth=st.integers(0, 5), first=in_between, then=in_between, dies=st.booleans())
    def run_while_others_write(
        self, server: int, place: str, nth: int, first: list[Writing], then: list[Writing], dies: bool
    ) -> None:
        self.world.write(first)
        times = itertools.count()

        def disturb(point: Reached | None) -> None:
            if self._is_at(server, place, point) and next(times) == nth:
                self.world.disturbed += 1
                self.world.write(then)
                if dies and point is not None:
                    self.world.servers[server].die()

        self.world.run(server, disturb)

    @rule(server=servers, place=places, nth=st.integers(0, 5), then=in_between, more=st.booleans())
    def run_while_another_server_runs(self, server: int, place: str, nth: int, then: list[Writing], more: bool) -> None:
        """The other one takes out of the journal what this one has not seen, and does what else there is to do."""
        self.world.write(EVERYTHING)
        times = itertools.count()

        def disturb(point: Reached | None) -> None:
            if self._is_at(server, place, point) and next(times) == nth:
                self.world.disturbed += 1
                self.world.write(then)
                self.world.let_other_run(server)
                if more:
                    self.world.write(then)

        self.world.run(server, disturb)

    def _is_at(self, server: int, place: str, point: Reached | None) -> bool:
        if self._holds_locks(server, point):
            return False
        return place == "calculating" if point is None else place == point.point and point.work != "journal"

    def _holds_locks(self, server: int, point: Reached | None) -> bool:
        """Whether the server has a transaction open in which it has written: others wait, and this is one thread. What
        is calculated at once locks no rows meanwhile, but all of a file."""
        at_once = not self.world.servers[server].has_claimed
        if point is None:
            return at_once and self.world.on_sqlite
        if point.point == "ran":
            return point.work == "Badging" or (at_once and self.world.on_sqlite)
        return point.point == "before commit"

    @rule()
    def settle(self) -> None:
        self.world.settle()

    def teardown(self) -> None:
        try:
            self.world.settle()
        finally:
            self.world.abandon()


@pytest.fixture
def world(url: URL) -> Iterator[World]:
    found = World(url)
    yield found
    found.close()


SHARES = max(1, min(20, int(os.environ.get("EXAMPLES") or 0) // 500))


@pytest.mark.parametrize("share", range(SHARES))
def test_values_are_right_and_nothing_runs_in_vain_whatever_happens(world: World, share: int) -> None:
    machine = type("Machine", (CachesMachine,), {"world": world})
    run_state_machine_as_test(machine, settings=examples(one_in=SHARES))


def test_each_act_alone_makes_all_values_right_and_runs_nothing_in_vain(world: World) -> None:
    rows = [*FIRST[1], *FIRST[2][:-2]]
    for first, acts in ((rows, [name for name in NAMES if name not in ON_OBJECTS]), (FIRST[3], ON_OBJECTS)):
        world.clear()
        world.write(first)
        world.settle()
        world.keep()
        for name in acts:
            world.go_back()
            world.write([(name, 2, 1, 4)])
            try:
                world.settle()
            except AssertionError as error:
                error.add_note(f"after {name!r}")
                raise
