"""The private parts of python-statemachine do what machines need. A new version that changes one fails here first."""

from typing import Any

import pytest
from statemachine import State, StateChart
from statemachine.event_data import TriggerData
from statemachine.transition import Transition

from afterwork.compat import statemachine as library


class Door(StateChart[Any]):
    allow_event_without_transition = False
    shut = State(initial=True)
    ajar = State()
    open = State(final=True)
    push = shut.to(ajar, cond="is_free")
    blow = shut.to(open, cond="is_stormy")
    ajar.to(open, cond="is_stormy")


class Doorway:
    def __init__(self, **guards: bool) -> None:
        self.state: Any = None
        self.is_free = guards.get("free", False)
        self.is_stormy = guards.get("stormy", False)


def _door(**guards: bool) -> Door:
    return Door(Doorway(**guards))


def _targets(transitions: Any) -> list[str]:
    return [transition.target.id for transition in transitions]


def test_the_transitions_of_an_event_are_selected_by_their_guards_and_not_taken() -> None:
    door = _door(free=True)

    assert _targets(library.selected(door, "push")) == ["ajar"]
    assert _targets(library.selected(door, "blow")) == []
    assert door.shut.is_active


def test_transitions_without_an_event_are_selected_and_not_taken() -> None:
    door = _door(free=True)
    door.send("push")
    assert _targets(library.selected_eventless(door)) == []

    door.model.is_stormy = True

    assert _targets(library.selected_eventless(door)) == ["open"]
    assert door.ajar.is_active


def test_each_microstep_goes_through_the_wrapper_with_its_transitions() -> None:
    seen: list[list[str]] = []
    door = _door(free=True, stormy=True)

    def wrapper(take: library.Microstep, transitions: Any, trigger: Any) -> Any:
        seen.append(_targets(transitions))
        return take(transitions, trigger)

    library.wrap_microsteps(door, wrapper)
    door.send("push")

    assert seen == [["ajar"], ["open"]]


class Lamp(StateChart[Any]):
    off = State(initial=True)
    on = State(final=True)
    off.to(on, cond="is_dark")

    def is_dark(self) -> bool:
        return True


class Unset:
    """A model that is not asked to begin before it is opened, as the view of an object is."""

    state: Any = object()


def test_the_first_state_can_be_entered_without_going_on() -> None:
    lamp = Lamp(Unset())
    lamp.model.state = None

    with library.only_initial(lamp):
        lamp.activate_initial_state()
    assert lamp.off.is_active

    lamp.activate_initial_state()
    assert lamp.on.is_active


@pytest.mark.parametrize("stormy", [True, False])
def test_guards_have_names_and_can_be_evaluated_alone_and_together(stormy: bool) -> None:
    door = _door(stormy=stormy)
    blow: Transition = next(one for one in Door.shut.transitions if one.target is Door.open)

    ((name, call),) = library.guards_of(door, blow)

    assert name == "is_stormy"
    assert call(machine=door, model=door.model, transition=blow) is stormy
    assert library.guards_hold(door, blow, TriggerData(door, event=None)) is stormy


class Slow(StateChart[Any]):
    here = State(initial=True)
    there = State(final=True)
    go = here.to(there)

    async def on_go(self) -> None: ...


def test_asynchronous_actions_are_found() -> None:
    assert library.has_async_callbacks(Slow(Unset()))
    assert not library.has_async_callbacks(Lamp(Unset()))
