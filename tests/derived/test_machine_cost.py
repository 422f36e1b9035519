"""What it costs that many objects wait: a change that lets one of them move evaluates that one, and no other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, insert
from statemachine import State, StateChart

import afterwork as aw
from tests.support.things import Things, thing_with, things
from tests.support.world import statements, works

MANY = 1000


class Waiting(StateChart[Any]):
    """Waits for a level, then for a note."""

    idle = State(initial=True)
    ready = State()
    done = State(final=True)
    idle.to(ready, cond="is_up")
    ready.to(done, cond="is_noted")

    asked: list[tuple[str, int]] = []

    def is_up(self, model: Any) -> bool:
        self.asked.append(("is_up", model.id))
        return bool(model.level)

    def is_noted(self, model: Any) -> bool:
        self.asked.append(("is_noted", model.id))
        return bool(model.note)


@pytest.fixture
def asked() -> Iterator[list[tuple[str, int]]]:
    """The guards that were asked, each with the key of the thing."""
    Waiting.asked.clear()
    yield Waiting.asked
    Waiting.asked.clear()


def waiting(engine: Engine, count: int) -> Things:
    """So many things, of which the server has seen that they can't move."""
    world = things(engine, Waiting, first=partial(add_and_look, range(1, count + 1)))
    Waiting.asked.clear()
    return world


def add_and_look(numbers: Sequence[int], engine: Engine) -> None:
    add(engine, numbers)
    aw.Afterwork(thing_with(Waiting).registry).run_until_idle(engine)


def add(engine: Engine, numbers: Sequence[int]) -> None:
    with engine.begin() as connection:
        rows = [{"id": number, "state": "idle", "level": 0, "note": ""} for number in numbers]
        connection.execute(insert(thing_with(Waiting)), rows)


@contextmanager
def asks(asked: list[tuple[str, int]]) -> Iterator[set[tuple[str, int]]]:
    """What is asked in the block."""
    asked.clear()
    asks: set[tuple[str, int]] = set()
    yield asks
    asks.update(asked)


def test_a_change_that_lets_one_of_many_move_evaluates_that_one_and_no_other(
    engine: Engine, asked: list[tuple[str, int]]
) -> None:
    world = waiting(engine, MANY)

    with asks(asked) as found:
        world.sql("UPDATE thing SET level = 1 WHERE id = 77")
        ended = world.run()

    assert works(ended) == [("Thing.flow", "Thing!77")]
    assert found == {("is_up", 77), ("is_noted", 77)}
    assert [state for state in world.states() if state != "idle"] == ["ready"]


def test_a_change_that_no_guard_reads_or_that_changes_nothing_evaluates_nothing(
    engine: Engine, asked: list[tuple[str, int]]
) -> None:
    world = waiting(engine, MANY)

    with asks(asked) as found:
        world.sql("UPDATE thing SET level = 0 WHERE id < 900", "UPDATE thing SET note = 'x' WHERE id < 900")
        assert world.run() == []

    assert found == set()


def sent_for_one(engine: Engine, world: Things, number: int) -> int:
    """How many statements it takes to move one."""
    world.sql(f"UPDATE thing SET level = 1 WHERE id = {number}")
    with statements(engine) as sent:
        assert len(world.run()) == 1
    return len(sent)


def test_to_move_one_takes_as_many_statements_among_many_as_among_few(engine: Engine) -> None:
    world = waiting(engine, 20)
    sent_for_one(engine, world, 1)
    few = sent_for_one(engine, world, 2)
    add(engine, range(101, MANY))
    world.run()

    assert sent_for_one(engine, world, 700) <= few


def steps_for_one(engine: Engine, world: Things, number: int) -> int:
    """How many steps SQLite's machine makes until one has moved."""
    world.sql(f"UPDATE thing SET level = 1 WHERE id = {number}")
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    counted = create_engine(engine.url, poolclass=NullPool)
    event.listen(counted, "connect", lambda raw, _: raw.set_progress_handler(count, 1))
    assert len(world.app.run_until_idle(counted)) == 1
    return steps


def test_to_move_one_takes_sqlite_as_many_steps_among_many_as_among_few(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("benchmarks/machines.py counts the rows that PostgreSQL reads")
    world = waiting(engine, 50)
    world.sql("ANALYZE")
    steps_for_one(engine, world, 1)
    few = steps_for_one(engine, world, 2)
    add(engine, range(101, 501))
    world.run()
    world.sql("ANALYZE")

    assert steps_for_one(engine, world, 400) < few + 400  # less than a step for each


def test_what_the_guards_of_earlier_states_have_read_is_forgotten(engine: Engine, asked: list[tuple[str, int]]) -> None:
    world = waiting(engine, 20)
    world.sql("UPDATE thing SET level = 1 WHERE id = 7")
    world.run()

    with asks(asked) as found:
        world.sql("UPDATE thing SET level = 2 WHERE id = 7")
        assert world.run() == []
    assert found == set()

    world.sql("UPDATE thing SET note = 'x' WHERE id = 7")
    assert works(world.run()) == [("Thing.flow", "Thing!7")]
    with asks(asked) as found:
        world.sql("UPDATE thing SET note = 'y', level = 3 WHERE id = 7")
        assert world.run() == []
    assert found == set()


def test_a_move_of_the_server_is_no_reason_to_look_again(engine: Engine, asked: list[tuple[str, int]]) -> None:
    world = waiting(engine, 20)
    world.sql("UPDATE thing SET level = 1, note = 'x' WHERE id = 7")
    assert len(world.run()) == 1

    assert world.run() == []
