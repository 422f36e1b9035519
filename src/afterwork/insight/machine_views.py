"""The part of `Insight` that tells of state machines."""

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
    """Where objects stand, how they came there, and what would move them."""

    def machines(self) -> Sequence[MachineView]:
        """All state machines, and where their objects stand."""
        with self._reading() as connection:
            return machines.views(self._database, connection, self._model)

    def machine(self, name: str) -> MachineView:
        """One state machine by name, `Order.flow`. Raises `BadRequest` if the model has no such machine."""
        with self._reading() as connection:
            return machines.view(self._database, connection, self._model, name)

    def chart(self, name: str) -> type[StateChart[Any]]:
        """Return the chart of a state machine, such as `Order.flow`. Raises `NotThere` if the model has no such
        machine. Needs no database."""
        return machines.machine_named(self._model, name)[1].chart

    def objects_in(self, machine: str, state: str | None, after: str | None = None) -> ListPage[ObjectInState]:
        """A page of the objects that stand in a state, as it is shown in `machines`: those first that have been there
        for longest, where that can be told. Raises `BadRequest` if there is no such machine or state."""
        with self._reading() as connection:
            objects = machines.objects_of(self._database, connection, self._model, machine)
            known: dict[str | None, Any] = {None: None, **{str(one): one for one in objects.values}}
            if state not in known:  # it may be of an older machine, or one of several that are nested
                known |= {str(one): one for one in objects.counts() if one is not None}
            if state not in known:
                raise NotThere(f"{machine} has no state {shown(state)}. It has: {', '.join(filter(None, known))}.")
            return objects.page_in(known[state], after)

    def object_in_machine(self, root_id: str, machine: str, after: str | None = None) -> ObjectInMachine:
        """An object and its machine, named `flow`. Asks its guards, and changes nothing. Raises `BadRequest` if there
        is no such object or machine, and `MalformedExternalId`."""
        with self._reading_object(root_id) as (session, obj), session.no_autoflush:
            found = _machine(obj, machine)
            stored = found.stored(obj)
            steps: Sequence[PossibleTransition] = ()
            if found.eventless:
                matcher = matcher_of(self._database, self._model, session.connection())
                recorder = recorder_of(matcher, session, self._clock)
                steps = PossibleTransitions(recorder, Explainer(matcher).words).of(found, obj)
            moves = transitions_of(session.connection(), found, root_id, after)
            state = None if stored is None else str(stored)
            return ObjectInMachine(
                found.name, root_id, state, found.has_history, steps, list(events_of(found, obj)), moves
            )


def _machine(obj: object, name: str) -> Machine:
    own = declared_machines(type(obj))
    found = next((one for one in own if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in own) or "none"
        raise NotThere(f"{type(obj).__name__} has no machine {shown(name)}. It has: {known}.")
    return found
