"""Boxes with three machines, flat, nested and parallel, whose guards are dealt out by a number; and what must be true.

What is possible is said here once more, by `WAYS`, without the library that runs the machines.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw
from afterwork.model.utc_datetime import UtcDateTime

GUARDS = ("is_high", "has_parts", "is_heavy", "is_due")
LASTING = timedelta(hours=1)

FLAT, NESTED, PARALLEL = "flat", "nested", "parallel"
WITHIN = {"x": "work", "y": "work", "l1": "both", "l2": "both", "r1": "both", "r2": "both"}
"""The states that are within another one."""

WAYS = [
    (FLAT, "a", "b"),
    (FLAT, "b", "c"),
    (NESTED, "x", "y"),
    (NESTED, "work", "rest"),
    (PARALLEL, "l1", "l2"),
    (PARALLEL, "r1", "r2"),
    (PARALLEL, "both", "end"),
]
"""The transitions without an event: of which machine, from where, to where."""

ASKING = {"b", "y", "l2"}
"""The states that ask for work for as long as they last."""


class _Chart(StateChart[Any]):
    """What all charts do when a state is entered."""

    called: str

    def on_enter_state(self, model: Any, state: State, source: State, event: Any) -> None:
        if state.is_atomic:
            entry = model.entry_class(box_id=model.id, machine=self.called, state=state.id, **facts(model))
            entry.source, entry.event = source.id, str(event)
            aw.session(model).add(entry)
            if state.id in ASKING:
                aw.while_in(model.tick, after=LASTING)


def facts(box: Any) -> Mapping[str, bool]:
    """What is true of a box in the transaction of its session, as the database says it."""
    ask = aw.session(box)
    part, moment = type(box).parts.property.mapper.class_, box.moment_class
    now = ask.scalars(select(moment.now)).one()
    return {
        "is_high": box.level >= 3,
        "has_parts": ask.scalars(select(func.count()).where(part.box_id == box.id)).one() > 0,
        "is_heavy": box.weight >= 5,
        "is_due": box.due is not None and box.due <= now,
    }


@dataclass(frozen=True)
class Model:
    """One way to deal out the guards. `guard` says which one each of `WAYS` has."""

    base: Any
    box: Any
    part: Any
    entry: Any
    moment: Any
    ticket: Any
    guard: Mapping[tuple[str, str, str], str]


def model(number: int) -> Model:
    """The model with a number."""
    deal = random.Random(number)
    guard = {way: deal.choice(GUARDS) for way in WAYS}

    class Flat(_Chart):
        called = FLAT
        a = State(initial=True)
        b = State()
        c = State()
        go = a.to(b)
        back = b.to(a) | c.to(a)
        a.to(b, cond=guard[FLAT, "a", "b"])
        b.to(c, cond=guard[FLAT, "b", "c"])

    class Nested(_Chart):
        called = NESTED

        class work(State.Compound):
            x = State(initial=True)
            y = State()
            go = x.to(y)
            x.to(y, cond=guard[NESTED, "x", "y"])
            again = y.to(x)

        rest = State()
        back = rest.to(work)
        work.to(rest, cond=guard[NESTED, "work", "rest"])

    class Parallel(_Chart):
        called = PARALLEL

        class both(State.Parallel):
            class left(State.Compound):
                l1 = State(initial=True)
                l2 = State()
                go = l1.to(l2)
                again = l2.to(l1)
                l1.to(l2, cond=guard[PARALLEL, "l1", "l2"])

            class right(State.Compound):
                r1 = State(initial=True)
                r2 = State()
                r1.to(r2, cond=guard[PARALLEL, "r1", "r2"])
                more = r2.to(r1)

        end = State()
        back = end.to(both)
        both.to(end, cond=guard[PARALLEL, "both", "end"])

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Part(Base):
        __tablename__ = "part"
        id: Mapped[int] = mapped_column(primary_key=True)
        box_id: Mapped[int] = mapped_column(ForeignKey("box.id"))
        weight: Mapped[int]

    class Entry(Base):
        """A state was entered, and what was true then."""

        __tablename__ = "entry"
        __table_args__ = {"info": aw.UNWATCHED}
        id: Mapped[int] = mapped_column(primary_key=True)
        box_id: Mapped[int]
        machine: Mapped[str]
        state: Mapped[str]
        source: Mapped[str]
        event: Mapped[str]
        is_high: Mapped[bool]
        has_parts: Mapped[bool]
        is_heavy: Mapped[bool]
        is_due: Mapped[bool]
        at: Mapped[datetime] = mapped_column(UtcDateTime, default=lambda: datetime.now(UTC))

    class Moment(Base):
        """What time it is, for what is written down."""

        __tablename__ = "moment"
        __table_args__ = {"info": aw.UNWATCHED}
        id: Mapped[int] = mapped_column(primary_key=True)
        now: Mapped[datetime] = mapped_column(UtcDateTime)

    class Box(Base):
        __tablename__ = "box"
        entry_class, moment_class = Entry, Moment
        id: Mapped[int] = mapped_column(primary_key=True)
        flat_state: Mapped[str | None] = mapped_column()
        nested_state: Mapped[str | None] = mapped_column()
        parallel_state: Mapped[str | None] = mapped_column()
        level: Mapped[int] = mapped_column(default=0)
        due: Mapped[datetime | None] = mapped_column(UtcDateTime)
        weight: Mapped[int] = mapped_column(default=0)
        ticks: Mapped[int] = mapped_column(default=0)
        parts: Mapped[list[Part]] = relationship(Part)
        flat = aw.machine(aw.track_history(Flat), state=flat_state)
        nested = aw.machine(aw.track_history(Nested), state=nested_state)
        parallel = aw.machine(aw.track_history(Parallel), state=parallel_state)

        @aw.derived(weight)
        def compute_weight(self) -> int:
            return sum(part.weight for part in self.parts)

        @aw.method
        def tick(self) -> None:
            self.ticks += 1

        def is_high(self) -> bool:
            return self.level >= 3

        def has_parts(self) -> bool:
            return len(self.parts) > 0

        def is_heavy(self) -> bool:
            return self.weight >= 5

        def is_due(self) -> bool:
            return self.due is not None and aw.passed(self.due)

    return Model(Base, Box, Part, Entry, Moment, SysAsyncTicket, guard)


# What must be true at a quiet moment.


def check(model: Model, session: Session, history: Sequence[Any], now: datetime) -> None:
    """Raises `AssertionError` if something is not as it must be. `history` has the rows of `afterwork_transition`."""
    for box in session.scalars(select(model.box)):
        entries = list(session.scalars(select(model.entry).where(model.entry.box_id == box.id).order_by("id")))
        for machine in (FLAT, NESTED, PARALLEL):
            state = str(getattr(box, f"{machine}_state"))
            moves = [row for row in history if (row.root_id, row.machine) == (f"Box!{box.id}", machine)]
            mine = [entry for entry in entries if entry.machine == machine]
            _check_nothing_is_possible(model, box, machine, state)
            _check_moves(moves, state)
            _check_entries(moves, mine)
            _check_guards(model, mine)
            _check_lasting(model, session, box.id, machine, state, mine, now)


def _check_nothing_is_possible(model: Model, box: Any, machine: str, state: str) -> None:
    true = facts(box)
    active = set(state.split(",")) | {WITHIN[inner] for inner in state.split(",") if inner in WITHIN}
    possible = [way for way in WAYS if way[0] == machine and way[1] in active and true[model.guard[way]]]
    assert possible == [], (box.id, state, true)


def _check_moves(moves: Sequence[Any], state: str) -> None:
    """The history goes from each state to the next, and ends where the box stands."""
    assert [move.source for move in moves] == [None, *(move.target for move in moves[:-1])]
    assert moves[-1].target == state


def _check_entries(moves: Sequence[Any], entries: Sequence[Any]) -> None:
    """Each state that was entered has had its entry action once."""
    entered = (set(move.target.split(",")) - set((move.source or "").split(",")) for move in moves)
    assert Counter(state for one in entered for state in one) == Counter(entry.state for entry in entries)


def _check_guards(model: Model, entries: Sequence[Any]) -> None:
    for entry in entries:
        if entry.event == "None":
            guard = model.guard[entry.machine, entry.source, entry.state]
            assert getattr(entry, guard), (guard, vars(entry))


def _check_lasting(
    model: Model, session: Session, box: int, machine: str, state: str, entries: Sequence[Any], now: datetime
) -> None:
    """What was asked for while a state lasts waits for each state that lasts, or was done when its time had come."""
    ticket = model.ticket
    for asking in ASKING:
        name = f"Box.tick while {machine} is in {asking}"
        mine = select(func.count()).where(ticket.root_id == f"Box!{box}", ticket.view_model == name)
        waiting = session.scalars(mine.where(ticket.done.is_(None))).one()
        last = [entry.at for entry in entries if entry.state == asking][-1:]
        if asking not in state.split(","):
            assert waiting == 0, (name, box)
        elif waiting != 1:
            assert waiting == 0
            assert last[0] + LASTING - timedelta(minutes=1) <= now, (name, box)


EVENTS = ("go", "back", "again", "more")


def events_of(box: Any, number: int) -> Iterator[Any]:
    """An event of each machine that has it."""
    for machine in (box.flat, box.nested, box.parallel):
        with suppress(AttributeError):
            yield getattr(machine, EVENTS[number % len(EVENTS)])
