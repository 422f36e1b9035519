"""Charts that can't be stored in a database are refused when they are declared, with the reason."""

from typing import Any

import pytest
from sqlalchemy.orm import Mapped, mapped_column
from statemachine import Event, HistoryState, State, StateChart

import afterwork as aw
from afterwork.errors import BadDeclaration, ModelError
from tests.support.machine_model import Flow, a_base, an_order


def test_a_class_that_is_no_chart_is_refused() -> None:
    with pytest.raises(BadDeclaration, match=r"derives from statemachine.StateChart"):
        aw.machine(int, state="state")  # type: ignore[arg-type]


def test_a_chart_without_states_is_refused() -> None:
    class Empty(StateChart[Any]): ...

    with pytest.raises(BadDeclaration, match=r"Empty has no states"):
        aw.machine(Empty, state="state")


def test_a_history_state_is_refused_since_what_it_remembers_would_be_lost() -> None:
    class Remembering(StateChart[Any]):
        class work(State.Compound):
            one = State(initial=True)
            two = State()
            one.to(two)
            before = HistoryState()

        rest = State()
        stop = work.to(rest)
        go_on = rest.to(work.before)

    with pytest.raises(BadDeclaration, match=r"Remembering.before is a history state"):
        aw.machine(Remembering, state="state")


def test_a_state_that_invokes_something_is_refused() -> None:
    class Calling(StateChart[Any]):
        first = State(initial=True, invoke=lambda: None)
        last = State(final=True)
        first.to(last)

    with pytest.raises(BadDeclaration, match=r"Calling.first invokes .* aw.while_in"):
        aw.machine(Calling, state="state")


def test_an_event_with_a_delay_is_refused() -> None:
    class Slow(StateChart[Any]):
        first = State(initial=True)
        last = State(final=True)
        end = Event(first.to(last), delay=1000)

    with pytest.raises(BadDeclaration, match=r"Slow.end has a delay.*aw.while_in"):
        aw.machine(Slow, state="state")


def test_values_of_nested_states_are_texts_without_commas() -> None:
    class Odd(StateChart[Any]):
        class work(State.Compound):
            one = State(initial=True, value=1)
            two = State(final=True)
            one.to(two)

    with pytest.raises(BadDeclaration, match=r"Odd.one has the value 1.*texts without ','"):
        aw.machine(Odd, state="state")


def test_asynchronous_guards_and_actions_are_refused() -> None:
    class Waiting(StateChart[Any]):
        first = State(initial=True)
        last = State(final=True)
        end = first.to(last)

        async def on_end(self) -> None: ...

    base = a_base()
    an_order(base, Waiting)

    with pytest.raises(ModelError, match=r"machine flow.*asynchronous"):
        _ = aw.Afterwork(base).model


def test_a_state_column_that_is_not_there_is_listed_with_all_that_is_wrong() -> None:
    base = a_base()

    class Order(base):  # type: ignore[valid-type, misc]
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        flow = aw.machine(Flow, state="stat")

    with pytest.raises(ModelError, match=r"the machine flow: 'stat' is no column of Order."):
        _ = aw.Afterwork(base).model


def test_a_guard_that_exists_nowhere_is_listed_with_where_it_is_named() -> None:
    class Hopeful(StateChart[Any]):
        first = State(initial=True)
        last = State(final=True)
        first.to(last, cond="is_wonderful")

    base = a_base()
    an_order(base, Hopeful)

    with pytest.raises(ModelError, match=r"the machine flow can't be used on Order.*is_wonderful"):
        _ = aw.Afterwork(base).model
