"""The part of `Insight` about state machines."""

from collections.abc import Sequence
from typing import Any

from statemachine import StateChart

from afterwork.derived.compute.assembly import matcher_of, recorder_of
from afterwork.derived.explain.explainer import Explainer
from afterwork.derived.explain.transitions import PossibleTransition, PossibleTransitions
from afterwork.errors import NotThere, shown
from afterwork.insight import machines
from afterwork.insight.machine_history import ObjectInMachine, events_of, transitions_of
from afterwork.insight.machines import MachineView
from afterwork.insight.object_states import ObjectInState
from afterwork.insight.page import ListPage
from afterwork.insight.reading import InsightBase
from afterwork.model.machine.declaration import Machine, declared_machines


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

    def chart(self, name: str) -> type[StateChart[Any]]:
        """Return the chart of a state machine, such as `Order.flow`. Raises `NotThere` if the model has no such
        machine. Needs no database."""
        return machines.machine_named(self._model, name)[1].chart

    def objects_in(self, machine: str, state: str | None, after: str | None = None) -> ListPage[ObjectInState]:
        """Return a page of the objects in a state, as `machines` shows it: in the order of entry, if known.

        Raises `NotThere` if there is no such machine or state.
        """
        with self._reading() as connection:
            objects = machines.objects_of(self._database, connection, self._model, machine)
            known: dict[str | None, Any] = {None: None, **{str(value): value for value in objects.values}}
            if state not in known:  # a state of an older version of the machine, or one of several nested ones
                known |= {str(value): value for value in objects.counts() if value is not None}
            if state not in known:
                raise NotThere(f"{machine} has no state {shown(state)}. It has: {', '.join(filter(None, known))}.")
            return objects.page_in(known[state], after)

    def object_in_machine(self, root_id: str, machine: str, after: str | None = None) -> ObjectInMachine:
        """Return an object and its machine, named `flow`. Evaluates its guards, and changes nothing.

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
            transitions = transitions_of(session.connection(), declared, root_id, after)
            state = None if stored is None else str(stored)
            return ObjectInMachine(
                declared.name, root_id, state, declared.has_history, steps, list(events_of(declared, obj)), transitions
            )


def _machine(obj: object, name: str) -> Machine:
    own = declared_machines(type(obj))
    named = next((machine for machine in own if machine.name == name), None)
    if named is None:
        known = ", ".join(machine.name for machine in own) or "none"
        raise NotThere(f"{type(obj).__name__} has no machine {shown(name)}. It has: {known}.")
    return named
