"""`oclIsInState` in texts: in memory and in SQL it says what the machine itself says."""

import enum
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, Enum, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from statemachine import State, StateChart
from statemachine.states import States

import afterwork as aw
from afterwork.errors import LanguageError
from afterwork.language.query import compile_query, to_select
from afterwork.language.typed.names import Names
from afterwork.language.typed.types import ANY


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Pace(enum.Enum):
    SLOW = 1
    FAST = 2


class Nested(StateChart[Any]):
    class UnderWay(State.Compound):
        class On_Road(State.Compound):
            driving = State(initial=True, value="D")
            resting = State(value="R")
            rest = driving.to(resting)

        loading = State(initial=True)
        drive = loading.to(On_Road)

    planned = State(initial=True)
    arrived = State(final=True)
    start = planned.to(UnderWay)
    arrive = UnderWay.to(arrived)


class Parallel(StateChart[Any]):
    class Handling(State.Parallel):
        class Packing(State.Compound):
            waiting = State(initial=True)
            packed = State(final=True)
            pack = waiting.to(packed)

        class Billing(State.Compound):
            open = State(initial=True)
            billed = State(final=True)
            bill = open.to(billed)

    new = State(initial=True)
    handle = new.to(Handling)


class Flat(StateChart[Any]):
    first = State(initial=True, value=1)
    second = State(final=True, value=2)
    go = first.to(second)


class Paced(StateChart[Any]):
    states = States.from_enum(Pace, initial=Pace.SLOW, final=Pace.FAST, use_enum_instance=True)
    hurry = states.SLOW.to(states.FAST)


class Trip(Base):
    __tablename__ = "trip"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="Trip")
    at: Mapped[str | None] = mapped_column()
    handled: Mapped[str | None] = mapped_column()
    step: Mapped[int | None] = mapped_column()
    pace: Mapped[Pace | None] = mapped_column(Enum(Pace))
    nested = aw.machine(Nested, state=at)
    parallel = aw.machine(Parallel, state=handled)
    flat = aw.machine(Flat, state=step)
    paced = aw.machine(Paced, state=pace)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "Trip"}


class Voyage(StateChart[Any]):
    ashore = State(initial=True)
    afloat = State(final=True)
    sail = ashore.to(afloat)


class Cruise(Trip):
    __tablename__ = "cruise"
    id: Mapped[int] = mapped_column(ForeignKey("trip.id"), primary_key=True)
    voyage_state: Mapped[str | None] = mapped_column()
    voyage = aw.machine(Voyage, state=voyage_state)
    __mapper_args__ = {"polymorphic_identity": "Cruise"}


names = Names.of(Base)
MACHINES = {"nested": Nested, "parallel": Parallel, "flat": Flat, "paced": Paced}
BLOCKED: dict[str, list[Any]] = {
    "at": [None, "planned", "loading", "D", "R", "arrived"],
    "handled": [None, "new", "waiting,open", "packed,open", "waiting,billed", "packed,billed"],
    "step": [None, 1, 2],
    "pace": [None, Pace.SLOW, Pace.FAST],
}


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A trip for each thing that a state column may hold."""
    Base.metadata.create_all(engine)
    with Session(engine) as made:
        for column, values in BLOCKED.items():
            made.add_all(Trip(**{column: value}) for value in values)
        made.flush()
        yield made


def found(session: Session, text: str) -> tuple[set[Any], set[Any]]:
    """Return which trips a condition holds for, in memory and in SQL."""
    asked = compile_query(text, names, Trip)
    in_memory = {trip for trip in session.query(Trip) if asked(trip)}
    return in_memory, set(session.scalars(to_select(f"Trip.allInstances->select(t | t.{text})", names)))


@pytest.mark.parametrize("machine", MACHINES)
def test_each_state_is_asked_for_as_the_machine_has_it(session: Session, machine: str) -> None:
    for state in MACHINES[machine].states_map.values():
        right = {trip for trip in session.query(Trip) if getattr(trip, machine).is_in(state.id)}
        for written in (state.id, f"{machine}.{state.id}", *(f"{one.id}.{state.id}" for one in state.ancestors())):
            in_memory, by_sql = found(session, f"oclIsInState(#{written})")
            assert in_memory == right, written
            assert by_sql == right, written
        assert right, state.id


def test_what_a_column_holds_names_a_state_too(session: Session) -> None:
    right = {trip for trip in session.query(Trip) if trip.at == "D"}

    assert found(session, "oclIsInState(#D)") == (right, right)
    assert found(session, "oclIsInState(#on_road.d)") == (right, right)


MISSPELT = ["UnderWya", "Nested.Lodaing", "Neste.loading", "parallel.loading", "loading.UnderWay", "On_Road.loading"]


@pytest.mark.parametrize("written", MISSPELT)
def test_a_state_that_there_is_not_is_an_error_before_anything_runs(written: str) -> None:
    for text in (f"self.oclIsInState(#{written})", f"self.oclIsInState('{written}')"):
        with pytest.raises(LanguageError, match=f"Trip has no state {written}"):
            compile_query(text, names, Trip)
    with pytest.raises(LanguageError, match=f"no state {written}"):
        to_select(f"Trip.allInstances->select(oclIsInState(#{written}))", names)


def test_a_misspelt_state_brings_the_nearest_one_to_mind() -> None:
    with pytest.raises(LanguageError, match=r"Did you mean UnderWay\?"):
        compile_query("self.oclIsInState(#UnderWya)", names, Trip)


def test_a_state_that_is_known_only_in_a_run_is_looked_for_there(session: Session) -> None:
    trip = session.query(Trip).filter_by(at="D").one()
    ask = compile_query("self.oclIsInState(state)", names, Trip, variables={"state": ANY})
    text = "Trip.allInstances->select(t | t.oclIsInState(state))"

    def by_sql(state: str | None) -> list[Any]:
        values = {"state": state}
        return list(session.scalars(to_select(text, names, variables={"state": ANY}, values=values)))

    assert ask(trip, state="UnderWay") is True
    assert ask(trip, state="arrived") is False
    assert trip in by_sql("UnderWay")
    assert by_sql(None) == []
    with pytest.raises(LanguageError, match="no state UnderWya"):
        ask(trip, state="UnderWya")
    with pytest.raises(LanguageError, match="no state UnderWya"):
        by_sql("UnderWya")


def test_states_of_a_narrower_class_are_asked_for_among_all(session: Session) -> None:
    """The machine of cruises is none of all trips; those that are no cruises are in none of its states."""
    cruise = Cruise(voyage_state="afloat", at="D")
    session.add_all([cruise, Cruise(voyage_state="ashore")])
    session.flush()

    assert found(session, "oclIsInState(#afloat)") == ({cruise}, {cruise})
    in_memory, by_sql = found(session, "oclIsInState(#UnderWay)")
    assert cruise in in_memory
    assert in_memory == by_sql
    with pytest.raises(LanguageError, match="no state afloot"):
        compile_query("self.oclIsInState(#afloot)", names, Trip)


def test_a_class_without_states_has_none() -> None:
    with pytest.raises(LanguageError, match="SysAsyncTicket has no state done"):
        compile_query("self.oclIsInState(#done)", names, SysAsyncTicket)
