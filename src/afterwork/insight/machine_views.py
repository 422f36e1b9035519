"""The part of `Insight` about state machines: of a model, and of one object with its past and possible transitions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from afterwork.boundary import CONTAINED
from afterwork.derived.compute.assembly import matcher_of, recorder_of
from afterwork.derived.explain.explainer import Explainer
from afterwork.derived.explain.transitions import PossibleTransition, PossibleTransitions
from afterwork.errors import BadRequest, NotThere, shown
from afterwork.insight import machines
from afterwork.insight.machines import MachineView
from afterwork.insight.object_states import ObjectInState
from afterwork.insight.page import PAGE_SIZE, ListPage
from afterwork.insight.reading import InsightBase
from afterwork.model.known_names import instead_of
from afterwork.model.machine.declaration import Machine, declared_machines
from afterwork.saving.machine.play import Play
from afterwork.store import tables

if TYPE_CHECKING:
    from statemachine import StateChart


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


def _transitions_of(
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


def _events_of(machine: Machine, obj: Any) -> Iterator[PossibleEvent]:
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


class MachineInsight(InsightBase):
    """Reads the states of objects, their past transitions, and those that are possible next."""

    def machines(self) -> Sequence[MachineView]:
        """Return all state machines, and the counts of their objects by state."""
        with self._reading() as connection:
            return machines.views(self._database, connection, self._model)

    def machine(self, name: str) -> MachineView:
        """Return one state machine, such as `Order.flow`. Raises `NotThere` if the model has no such machine."""
        with self._reading() as connection:
            return machines.view(self._database, connection, self._model, name)

    def chart(self, name: str) -> "type[StateChart[Any]]":
        """Return the chart of a state machine, such as `Order.flow`. Raises `NotThere` if the model has no such
        machine. Needs no database."""
        return machines.machine_named(self._model, name)[1].chart

    def objects_in(self, machine: str, state: str | None, after: str | None = None) -> ListPage[ObjectInState]:
        """Return a page of the objects in a state, as `machines` shows it: in the order of entry, if known.

        `after` is the `next` of the previous page. Raises `NotThere` if there is no such machine or state.
        """
        with self._reading() as connection:
            objects = machines.objects_of(self._database, connection, self._model, machine)
            known: dict[str | None, Any] = {None: None, **{str(value): value for value in objects.values}}
            if state not in known:  # a state of an older version of the machine, or one of several nested ones
                known |= {str(value): value for value in objects.counts() if value is not None}
            if state not in known:
                states = instead_of(state or "", filter(None, known), verb="It has", listed_by="machines")
                raise NotThere(f"{machine} has no state {shown(state)}. {states}")
            return objects.page_in(known[state], after)

    def object_in_machine(self, root_id: str, machine: str, after: str | None = None) -> ObjectInMachine:
        """Return an object and its machine, named `flow`. Evaluates its guards, and changes nothing.

        `after` is the `next` of the previous page of its history.

        Raises `NotThere` if there is no such object or machine, and `MalformedExternalId`.
        """
        with self._reading_object(root_id) as (session, obj), session.no_autoflush:
            declared = _machine(obj, machine)
            stored = declared.stored(obj)
            steps: Sequence[PossibleTransition] = ()
            if declared.eventless:
                matcher = matcher_of(self._database, self._model, session.connection())
                recorder = recorder_of(matcher, session, self._clock)
                steps = PossibleTransitions(recorder, Explainer(matcher).words).of(declared, obj)
            transitions = _transitions_of(session.connection(), declared, root_id, after)
            state = None if stored is None else str(stored)
            return ObjectInMachine(
                declared.name, root_id, state, declared.has_history, steps, list(_events_of(declared, obj)), transitions
            )


def _machine(obj: object, name: str) -> Machine:
    own = declared_machines(type(obj))
    named = next((machine for machine in own if machine.name == name), None)
    if named is None:
        known = instead_of(name, [machine.name for machine in own], verb="It has", listed_by="machines")
        raise NotThere(f"{type(obj).__name__} has no machine {shown(name)}. {known}")
    return named
