"""One object and its machine: its past transitions, and those that are possible next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from afterwork.boundary import CONTAINED
from afterwork.derived.explain.transitions import PossibleTransition
from afterwork.errors import BadRequest, shown
from afterwork.insight.page import PAGE_SIZE, ListPage
from afterwork.model.machine.declaration import Machine
from afterwork.saving.machine.play import Play
from afterwork.store import tables


@dataclass(frozen=True)
class TransitionView:
    """A transition: by an event or, without one, because a guard became true.

    `mover` is the work that ran then, None for the application's own code. `at` is in UTC.
    """

    source: str | None
    target: str | None
    event: str | None
    mover: str | None
    at: datetime


@dataclass(frozen=True)
class PossibleEvent:
    """An event of the current state: whether it is possible now, None if a guard raised `error`."""

    event: str
    is_possible: bool | None
    error: str | None


@dataclass(frozen=True)
class ObjectInMachine:
    """An object and its machine: its state (None before it has begun), its steps, its events and its transitions.
    `steps` are the eventless ones that it would take, `events` those of its state. `transitions` are past ones, newest
    first, if a history is kept."""

    machine: str
    root_id: str
    state: str | None
    has_history: bool
    steps: Sequence[PossibleTransition]
    events: Sequence[PossibleEvent]
    transitions: ListPage[TransitionView]


def transitions_of(
    connection: Connection, machine: Machine, root_id: str, after: str | None
) -> ListPage[TransitionView]:
    """Return a page of the transitions of an object, newest first. `after` is the `next` of the previous page."""
    t = tables.transition.c
    selected = select(tables.transition).where(t.root_id == root_id, t.machine == machine.name).order_by(t.id.desc())
    if after is not None:
        if not after.isdecimal():
            raise BadRequest(f"No page of this list begins after {shown(after)}. Begin with the first one.")
        selected = selected.where(t.id < int(after))
    rows = connection.execute(selected.limit(PAGE_SIZE + 1)).all()
    views = [TransitionView(row.source, row.target, row.event, row.mover, row.at) for row in rows[:PAGE_SIZE]]
    return ListPage(views, str(rows[PAGE_SIZE - 1].id) if len(rows) > PAGE_SIZE else None)


def events_of(machine: Machine, obj: Any) -> Iterator[PossibleEvent]:
    """Yield the events of the current state, each with whether it is possible now. Evaluates guards."""
    stored = machine.stored(obj)
    active = [] if stored is None else machine.states.active(stored)
    names = (event for state in active for transition in state.transitions for event in str(transition.event).split())
    for name in dict.fromkeys(name for name in names if name in machine.events):
        try:
            with CONTAINED:
                can = Play(machine, obj).can(name)
        except Exception as error:  # raised by the application's guard
            yield PossibleEvent(name, None, f"{type(error).__name__}: {error}")
        else:
            yield PossibleEvent(name, can, None)
