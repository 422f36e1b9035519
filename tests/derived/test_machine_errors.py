"""Machines that make trouble while they move: what they do is undone, it is said why, and others go on."""

from typing import Any

import pytest
from sqlalchemy import Engine
from statemachine import State, StateChart

import afterwork as aw
from afterwork.errors import EndlessMachine
from tests.support.things import Things, things
from tests.support.world import statements


class Ring(StateChart[Any]):
    """Goes round and round at level 2, and to its end at level 1."""

    idle = State(initial=True)
    left = State()
    right = State()
    done = State()
    again = done.to(idle)
    start = idle.to(left)
    idle.to(done, cond="is_low")
    idle.to(left, cond="is_high")
    left.to(right, cond="is_high")
    right.to(left)

    def is_low(self, model: Any) -> bool:
        return bool(model.level == 1)

    def is_high(self, model: Any) -> bool:
        return bool(model.level == 2)

    def on_enter_left(self, model: Any) -> None:
        model.note += "."


class RingThatTakesErrors(StateChart[Any]):
    """The same, with a way on from errors."""

    idle = State(initial=True)
    left = State()
    right = State()
    broken = State()
    start = idle.to(left)
    error_execution = idle.to(broken)
    mend = broken.to(idle)
    left.to(right)
    right.to(left)


@pytest.mark.parametrize("chart", [Ring, RingThatTakesErrors])
def test_an_endless_ring_is_an_error_with_its_path_for_the_user_who_enters_it(
    engine: Engine, chart: type[StateChart[Any]]
) -> None:
    world = things(engine, chart)
    world.add(1, level=2)

    with world.session() as session:
        thing = session.get_one(world.thing, 1)
        with pytest.raises(EndlessMachine, match=r"machine flow of Thing!1 never comes to rest: left → right → left"):
            thing.flow.start()
        session.rollback()

    assert world.states() == ["idle"]


def test_the_server_stops_at_an_endless_ring_says_its_path_and_goes_on_with_others(engine: Engine) -> None:
    world = things(engine, Ring)
    world.add(1, 2, 3)
    world.run()
    world.sql("UPDATE thing SET level = 1", "UPDATE thing SET level = 2 WHERE id = 2")

    (error,) = world.errors()

    assert "EndlessMachine: the machine flow of Thing!2 never comes to rest: left → right → left" in error
    assert world.states() == ["done", "idle", "done"]
    assert world.run() == []


def test_an_endless_ring_is_left_as_soon_as_what_its_guards_read_has_changed(engine: Engine) -> None:
    world = things(engine, Ring)
    world.add(1, level=2)
    assert len(world.errors()) == 1

    world.sql("UPDATE thing SET level = 1")
    world.run()

    assert world.states() == ["done"]


class Guarded(StateChart[Any]):
    """Its guard raises at level 2, and writes at level 3."""

    idle = State(initial=True)
    done = State(final=True)
    start = idle.to(done, cond="is_fine")
    idle.to(done, cond="is_fine")

    def is_fine(self, model: Any) -> bool:
        if model.level == 2:
            raise ValueError("cannot say")
        if model.level == 3:
            model.note = "was here"
        return bool(model.level)


def test_a_guard_that_raises_fails_alone_and_is_asked_again_when_what_it_read_changes(engine: Engine) -> None:
    world = things(engine, Guarded)
    world.add(1, 2, 3)
    world.run()
    world.sql("UPDATE thing SET level = 1", "UPDATE thing SET level = 2 WHERE id = 2")

    (error,) = world.errors()
    assert "ValueError: cannot say" in error
    assert world.states() == ["done", "idle", "done"]

    world.sql("UPDATE thing SET level = 1")
    world.run()
    assert world.states() == ["done", "done", "done"]


def test_a_guard_that_raises_raises_for_the_user_who_asks(engine: Engine) -> None:
    world = things(engine, Guarded)
    world.add(1, level=2)

    with world.session() as session, pytest.raises(ValueError, match="cannot say"):
        session.get_one(world.thing, 1).flow.start()


def test_a_guard_that_writes_is_refused_by_the_server(engine: Engine) -> None:
    world = things(engine, Guarded)
    world.add(1, 2, 3)
    world.run()
    world.sql("UPDATE thing SET level = 1", "UPDATE thing SET level = 3 WHERE id = 2")

    (error,) = world.errors()

    assert (
        "CalculationWrites: A calculation or a guard must change nothing, but Thing was added, changed or deleted"
        in error
    )
    assert world.states() == ["done", "idle", "done"]


class Acting(StateChart[Any]):
    """Its entry action raises at level 2, after it has written."""

    idle = State(initial=True)
    done = State(final=True)
    start = idle.to(done)
    idle.to(done, cond="is_up")

    def is_up(self, model: Any) -> bool:
        return bool(model.level)

    def on_enter_done(self, model: Any) -> None:
        model.note = "entered"
        aw.session(model).flush()
        if model.level == 2:
            raise ValueError("no room")


def note_of(world: Things, number: int) -> str:
    return str(world.all(world.thing)[number - 1].note)


def test_an_entry_action_that_raises_undoes_the_move_and_others_go_on(engine: Engine) -> None:
    world = things(engine, Acting)
    world.add(1, 2, 3)
    world.run()
    world.sql("UPDATE thing SET level = 1", "UPDATE thing SET level = 2 WHERE id = 2")

    (error,) = world.errors()
    assert "ValueError: no room" in error
    assert world.states() == ["done", "idle", "done"]
    assert note_of(world, 2) == ""

    world.sql("UPDATE thing SET level = 1")
    world.run()
    assert world.states() == ["done", "done", "done"]
    assert note_of(world, 2) == "entered"


def test_an_entry_action_that_raises_leaves_the_user_in_the_state_before(engine: Engine) -> None:
    world = things(engine, Acting)
    world.add(1)
    with world.session() as session, session.begin():
        thing = session.get_one(world.thing, 1)
        thing.level = 2
        session.flush()
        with pytest.raises(ValueError, match="no room"):
            thing.flow.start()
        assert thing.flow.state == "idle"
        thing.note, thing.level = "", 0

    assert world.states() == ["idle"]


class Fork(StateChart[Any]):
    """Both ways are possible from level 1 on."""

    idle = State(initial=True)
    first = State(final=True)
    second = State(final=True)
    idle.to(first, cond="is_up")
    idle.to(second, cond="is_up")

    def is_up(self, model: Any) -> bool:
        return bool(model.level)


class ForkWithAnEvent(StateChart[Any]):
    """The same, behind an event."""

    idle = State(initial=True)
    begun = State()
    first = State(final=True)
    second = State(final=True)
    start = idle.to(begun)
    begun.to(first, cond="is_up")
    begun.to(second, cond="is_up")

    def is_up(self, model: Any) -> bool:
        return bool(model.level)


class Fearful(StateChart[Any]):
    """The guard of the second way raises."""

    idle = State(initial=True)
    first = State(final=True)
    second = State(final=True)
    idle.to(first, cond="is_up")
    idle.to(second, cond="is_fine")

    def is_up(self, model: Any) -> bool:
        return bool(model.level)

    def is_fine(self, model: Any) -> bool:
        if model.level:
            raise ValueError("cannot say")
        return False


def test_of_two_transitions_that_are_possible_the_first_that_is_declared_is_taken(engine: Engine) -> None:
    world = things(engine, Fork)
    world.add(1)
    world.run()
    world.sql("UPDATE thing SET level = 1")
    world.run()

    assert world.states() == ["first"]


def findings(world: Things) -> list[tuple[str, str]]:
    """What `check` has to say of transitions that were possible at once."""
    found = world.app.insight(world.engine).check()
    return [(one.what, one.advice) for one in found if "at once" in one.what]


def test_that_two_were_possible_is_kept_once_and_told_by_check(engine: Engine) -> None:
    world = things(engine, Fork)
    world.add(1, 2)
    world.run()
    assert findings(world) == []

    world.sql("UPDATE thing SET level = 1")
    world.run()

    ((what, advice),) = findings(world)
    assert what == "Thing.flow: in idle, two transitions were possible at once"
    assert advice.startswith("[is_up] → first was taken, and [is_up] → second was not: first by Thing!1, at ")


def test_it_is_kept_for_moves_of_users_too_and_not_told_of_transitions_that_are_gone(engine: Engine) -> None:
    world = things(engine, ForkWithAnEvent)
    world.add(1, level=1)
    with world.session() as session, session.begin():
        session.get_one(world.thing, 1).flow.start()
    assert world.states() == ["first"]
    assert len(findings(world)) == 1

    assert findings(things(engine, Fork)) == []


def test_where_one_transition_is_possible_nothing_is_kept(engine: Engine) -> None:
    world = things(engine, Ring)
    world.add(1)
    world.run()
    world.sql("UPDATE thing SET level = 1")
    with statements(engine) as sent:
        world.run()

    assert world.states() == ["done"]
    assert [one for one in sent if "afterwork_conflict" in one] == []
    assert findings(world) == []


def test_a_guard_that_raises_fails_no_move_that_does_not_need_it(engine: Engine) -> None:
    world = things(engine, Fearful)
    world.add(1)
    world.run()
    world.sql("UPDATE thing SET level = 1")

    assert world.errors() == []
    assert world.states() == ["first"]
    assert findings(world) == []


def test_things_that_stand_in_states_that_are_gone_are_errors_and_go_on_when_they_are_put_right(
    engine: Engine,
) -> None:
    before = things(engine, Ring)
    before.add(1, 2)
    before.sql("UPDATE thing SET state = 'left' WHERE id = 2")
    before.run()
    after = things(engine, Acting)

    errors = after.errors()
    assert ["has no state 'left'. It has: idle, done" in error for error in errors] == [True]
    after.sql("UPDATE thing SET level = 1")
    after.run()
    assert after.states() == ["done", "left"]

    after.sql("UPDATE thing SET state = 'idle' WHERE id = 2")
    after.run()
    assert after.states() == ["done", "done"]


def test_a_chart_that_changes_lets_things_move_that_stand_there_already(engine: Engine) -> None:
    class Stuck(StateChart[Any]):
        idle = State(initial=True)
        done = State(final=True)
        start = idle.to(done)
        idle.to(done, cond="is_up")

        def is_up(self, model: Any) -> bool:
            return bool(model.level > 5)

    before = things(engine, Stuck)
    before.add(1, level=1)
    before.run()
    assert before.states() == ["idle"]

    after = things(engine, Acting)
    after.run()

    assert after.states() == ["done"]
