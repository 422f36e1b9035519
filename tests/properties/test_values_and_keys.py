"""Whatever the type of a column, and whatever odd value is in it: each value that is made of it is right, or has failed
alone and says so. Nothing is ever stuck, and nobody else is hindered.

`make prove` tries many histories with each type on each database.
"""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.properties.conftest import examples
from tests.properties.values.kinds import ON_POSTGRESQL, ON_SQLITE, Kind
from tests.properties.values.world import Event, World, every_value

pytestmark = [
    # SQLAlchemy 2.1 says so of its own types.
    pytest.mark.filterwarnings("ignore:.*operator_classes attribute"),
    # So it does of a key that is None, which a pickled one may be.
    pytest.mark.filterwarnings("ignore:Column .* is marked as a member of the primary key"),
]

KINDS = [
    pytest.param(dialect, kind, id=f"{dialect}-{kind.name}")
    for dialect, kinds in (("sqlite", ON_SQLITE), ("postgresql", ON_POSTGRESQL))
    for kind in kinds
]

tables = st.sampled_from(["holder", "child", "root", "pair"])
numbers = st.integers(0, 30)
EVENTS = st.one_of(
    st.tuples(st.just("insert"), tables, numbers),
    st.tuples(st.just("change"), tables, numbers),
    st.tuples(st.just("delete"), tables, numbers),
    st.sampled_from([("raise amounts", "", 0), ("overwrite", "", 0), ("fill", "", 0), ("run", "", 0)]),
)


@pytest.fixture
def world(engine: Engine, kind: Kind) -> World:
    """Afterwork, installed over the tables of a kind."""
    return World(engine, kind)


@pytest.mark.parametrize(("url", "kind"), KINDS, indirect=["url"])
def test_each_value_is_right_or_has_failed_alone(world: World) -> None:
    happens(world, every_value(world.kind))
    if os.environ.get("EXAMPLES"):

        @examples(one_in=100)
        @given(events=st.lists(EVENTS, min_size=1, max_size=30))
        def prove(events: list[Event]) -> None:
            happens(world, events)

        prove()


def happens(world: World, events: list[Event]) -> None:
    """Let all that happen, one after the other, and see at each quiet moment that it is as it must be."""
    world.clear()
    for event in [*events, ("run", "", 0)]:
        world.do(event)
        if event[0] == "run":
            assert world.complaints() == []
