"""Whatever becomes of an installation over the years: at each quiet moment every value is what a calculation from
scratch gives, or `check` says so and installing again heals it.

`make prove` tries it with 1,000 histories on each database.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import URL

from tests.properties.conftest import examples
from tests.properties.installation import migrations, switches, writes
from tests.properties.installation.releases import CACHES
from tests.properties.installation.world import World, Writing

small = st.integers(1, 4)
writings = st.lists(st.tuples(st.sampled_from(writes.NAMES), small, small, small), min_size=1, max_size=4)
applications = st.sampled_from(sorted(CACHES))
years = st.integers(1, 3)

FIRST: list[Writing] = [
    *(("insert a customer", n, 0, 0) for n in (1, 2, 3)),
    *(("insert a bill", n, n, 0) for n in (1, 2)),
    *(("insert an order", n, 1 + n % 2, n) for n in (1, 2, 3, 4)),
]


class InstallationMachine(RuleBasedStateMachine):
    """Users, operators and servers, on one database."""

    world: World

    @initialize(kind=st.sampled_from(["plain", "partitioned", "inherited"]))
    def begin(self, kind: str) -> None:
        self.world.begin(kind)
        self.world.write(FIRST)

    # Users.

    @rule(writings=writings, commits=st.sampled_from([True, True, True, False]))
    def write(self, writings: list[Writing], commits: bool) -> None:
        self.world.write(writings, commits)

    @rule(a=small, b=small, c=small)
    def write_by_objects(self, a: int, b: int, c: int) -> None:
        self.world.write_by_objects(a, b, c)

    # Operators.

    @rule(name=st.sampled_from(migrations.NAMES), year=years)
    def migrate(self, name: str, year: int) -> None:
        self.world.migrate(name, year)

    @rule(name=st.sampled_from(migrations.NAMES), year=years, application=applications)
    def migrate_and_install(self, name: str, year: int, application: str) -> None:
        self.world.migrate(name, year)
        self.world.install(application, CACHES[application])

    @rule(application=applications, parts=st.booleans())
    def install(self, application: str, parts: bool) -> None:
        self.world.install(application, CACHES[application], maps_parts=parts)

    @rule(application=applications, left=st.sets(st.sampled_from(sorted(CACHES["shop"] | CACHES["billing"]))),
          watches=st.sampled_from([True, True, False]))  # fmt: skip
    def install_an_older_release(self, application: str, left: set[str], watches: bool) -> None:
        self.world.install(application, CACHES[application] - left, watches)

    @rule(how=st.sampled_from(switches.NAMES), writings=writings)
    def write_unseen(self, how: str, writings: list[Writing]) -> None:
        self.world.write_unseen(how, writings)

    @rule()
    def save(self) -> None:
        self.world.save()

    @rule()
    def restore(self) -> None:
        self.world.restore()

    # Servers.

    @rule(application=applications)
    def run(self, application: str) -> None:
        self.world.run(application)

    @rule(application=applications, at=st.none() | st.integers(0, 25))
    def run_an_old_one(self, application: str, at: int | None) -> None:
        self.world.run_an_old_one(application, at)

    @rule(application=applications, writings=writings)
    def serve(self, application: str, writings: list[Writing]) -> None:
        self.world.serve(application, writings)

    # Quiet moments.

    @rule()
    def look(self) -> None:
        self.world.look()

    @rule()
    def settle(self) -> None:
        self.world.settle()

    def teardown(self) -> None:
        if self.world.deployed:
            self.world.settle()


@pytest.fixture
def world(url: URL, tmp_path: Path) -> Iterator[World]:
    found = World(url, tmp_path)
    yield found
    found.close()


def test_values_are_right_whatever_becomes_of_the_installation(world: World) -> None:
    machine = type("Machine", (InstallationMachine,), {"world": world})
    run_state_machine_as_test(machine, settings=settings(examples(one_in=10), stateful_step_count=10))
