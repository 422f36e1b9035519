"""The glue to the library that runs a machine (python-statemachine 3): a chart at work on one object."""

import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from inspect import getattr_static, isfunction
from typing import TYPE_CHECKING, Any

from statemachine import StateChart, StateMachine
from statemachine.event import BoundEvent
from statemachine.event_data import TriggerData
from statemachine.exceptions import InvalidDefinition, TransitionNotAllowed
from statemachine.transition import Transition

from afterwork.errors import BadDeclaration, EndlessMachine, NotInThisState
from afterwork.model.derived import Derived
from afterwork.model.external_id import external_id_or_none
from afterwork.model.machine.defaults import give_defaults
from afterwork.model.machine.moves import Move, note, note_rivals
from afterwork.model.machine.rivals import rivals_of
from afterwork.model.machine.within import StateScope, entering, withdraw
from afterwork.model.method import Method

if TYPE_CHECKING:
    from afterwork.model.machine.declare import Machine

MOST_STEPS = 100
"""Transitions in a row, without one that waits for anything. More are taken for a ring that never ends."""

AS_AFTERWORK_RUNS_IT = {
    "catch_errors_as_events": False,  # an error undoes the whole move
    "allow_event_without_transition": False,  # an event that does nothing is an error
    "atomic_configuration_update": True,  # the column never holds half a configuration
}

_LATER = object()
_UNREAD = object()


def usable(chart: Any) -> type[StateChart[Any]]:
    """A chart as Afterwork runs it. What it says itself about errors and events stays.

    Raises `BadDeclaration` for what is no chart, or one that needs a process that goes on.
    """
    if not (isinstance(chart, type) and issubclass(chart, StateChart)):
        raise BadDeclaration(f"aw.machine takes a class that derives from statemachine.StateChart, not {chart!r}.")
    own = [cls for cls in chart.__mro__ if issubclass(cls, StateChart) and cls not in (StateChart, StateMachine)]
    said = {name for cls in own for name in vars(cls)}
    settings = {name: value for name, value in AS_AFTERWORK_RUNS_IT.items() if name not in said}
    if any(str(event).startswith("error") for event in chart._events):
        settings.pop("catch_errors_as_events", None)
    made = types.new_class(chart.__name__, (chart,), exec_body=lambda names: names.update(settings))
    made.__module__, made.__qualname__, made.__doc__ = chart.__module__, chart.__qualname__, chart.__doc__
    _check(made)
    return made


def _check(chart: type[StateChart[Any]]) -> None:
    if not chart.states_map:
        raise BadDeclaration(f"{chart.__name__} has no states.")
    for state in chart.states_map.values():
        if any(not spec.is_convention for spec in state.invoke):
            raise BadDeclaration(
                f"{chart.__name__}.{state.id} invokes something that would go on beside the machine, and be lost with "
                "the process. Ask for it with aw.later or aw.while_in in an entry action."
            )
    for event in chart._events:
        if event.delay:
            raise BadDeclaration(
                f"{chart.__name__}.{event} has a delay, which would be lost with the process. Ask for it with "
                "aw.while_in(order.flow.event, after=…) in an entry action."
            )


def eventless(chart: type[StateChart[Any]]) -> list[Transition]:
    """The transitions that wait for no event, in the order in which they are declared."""
    return [
        transition
        for state in chart.states_map.values()
        for transition in state.transitions
        if transition.is_eventless and not transition.initial
    ]


class Play:
    """A machine at work on one object. `moving` is what each transition is taken in, with all its actions: what is
    read outside of it, is read by guards."""

    def __init__(
        self, machine: "Machine", obj: Any, moving: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self.machine, self.obj, self._moving = machine, obj, moving
        self._path: list[Any] = []
        self._facade = _Facade(machine, obj)
        self._watch = _Watch(self)
        try:
            self._chart: Any = machine.chart(self._facade, "configuration", listeners=[self._watch])
        except InvalidDefinition as error:
            raise BadDeclaration(f"{machine.where} can't be used on {type(obj).__name__}: {error}") from error
        if self._chart._callbacks.has_async_callbacks:
            raise BadDeclaration(f"{machine.where}: guards and actions are not asynchronous. Write def, not async def.")
        self._facade._is_open = True
        self._chart.model = obj
        self._chart._engine.microstep = partial(self._take, self._chart._engine.microstep)

    @property
    def stored(self) -> Any:
        return self.machine.stored(self.obj)

    def enter(self) -> None:
        """Enter the first state, with what is to be done there; no further."""
        give_defaults(self.obj)
        engine = self._chart._engine
        engine.running = False  # the transitions without an event are for the server
        try:
            self._act(partial(self._take, self._chart.activate_initial_state))
        finally:
            engine.running = True
        self._watch.step("")

    def go_on(self) -> None:
        """Take all transitions without an event that are possible, one after the other."""
        if self.stored is None:
            self.enter()
        self._act(self._chart.activate_initial_state)

    def send(self, event: str, *args: Any, **kwargs: Any) -> Any:
        """Take the transition of an event, and those without an event that are possible then.

        Raises `NotInThisState` if the event is not possible now.
        """
        if self.stored is None:
            self.enter()
        try:
            return self._act(lambda: self._chart.send(event, *args, **kwargs))
        except TransitionNotAllowed as error:
            if error.event is not None and str(error.event) == event:
                raise NotInThisState(self.who, event, self.stored, self._possible) from None
            raise

    def can(self, event: str) -> bool:
        """Whether an event is possible now: its state is the one, and its guards say so. What has not begun is asked as
        if it were in its first state."""
        trigger = BoundEvent(event, _sm=self._chart).build_trigger(machine=self._chart)
        with self._facade.begun():
            return bool(self._chart._engine.select_transitions(trigger))

    def enabled(self) -> list[Transition]:
        """The transitions without an event that would be taken now."""
        return list(self._chart._engine.select_eventless_transitions(TriggerData(self._chart, event=None)))

    def guards(self, transition: Transition) -> list[tuple[str, Callable[[], bool]]]:
        """The guards of a transition by name, each with what asks whether it holds now."""
        given = {"machine": self._chart, "model": self.obj, "transition": transition, "source": transition.source}
        given |= {"target": transition.target, "state": transition.source, "event": None}
        found = self._chart._callbacks[transition.cond.key]
        return [(str(guard), partial(_holds, guard, given)) for guard in found]

    def holds(self, transition: Transition, trigger: TriggerData) -> bool:
        """Whether the guards of a transition hold now."""
        return bool(self._chart._engine._conditions_match(transition, trigger))

    @property
    def who(self) -> str:
        return external_id_or_none(self.obj) or f"a new {type(self.obj).__name__}"

    @property
    def _possible(self) -> list[str]:
        return [str(event) for event in self._chart._events if "." not in event and self.can(event)]

    def _take(self, take: Callable[..., Any], *args: Any) -> Any:
        """Take all transitions that are possible together. Raises `EndlessMachine` if that does not end."""
        with self._moving():
            note_rivals(self.obj, list(rivals_of(self, *args)) if args else [])
            result = take(*args)
        self._path.append(self.stored)
        if len(self._path) > MOST_STEPS:
            raise EndlessMachine(self.who, self.machine.where, _ring(self._path))
        return result

    def _act(self, act: Callable[[], Any]) -> Any:
        self._watch.begin()
        self._path = [self.stored]
        with entering():
            return act()


def _holds(guard: Any, given: dict[str, Any]) -> bool:
    return bool(guard.call(**given))


class _Watch:
    """Is told by the library what happens: notes each move."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._last = play.stored

    def begin(self) -> None:
        self._last = self._play.stored

    def prepare_event(self, state: Any, target: Any) -> dict[str, Any]:
        """Comes before all actions that have to do with `state`, also before those of the chart. While a state is
        entered, it is the target."""
        entering.at(StateScope(self._play.machine, self._play.obj, state.id) if state is target else None)
        return {}

    def on_exit_state(self, state: Any) -> None:
        entering.at(None)
        withdraw(self._play.machine, self._play.obj, state.id)

    def after_transition(self, event: Any, source: Any, target: Any) -> None:
        self.step("" if event is None else str(event))

    def step(self, event: str) -> None:
        before, self._last = self._last, self._play.stored
        if before != self._last:
            note(self._play.obj, Move(self._play.machine, before, self._last, event))


class _Facade:
    """Stands for an object before the library. It looks at functions alone while it is put together: to read members
    at that time would be to depend on them."""

    def __init__(self, machine: "Machine", obj: Any) -> None:
        self._machine, self._obj, self._is_open = machine, obj, False
        self._stored: Any = _UNREAD
        self._values: Any = None

    @property
    def configuration(self) -> Any:
        if not self._is_open:
            return _LATER  # it must not begin to move yet
        stored = self._machine.stored(self._obj)
        if self._stored is _UNREAD or stored != self._stored:
            self._stored, self._values = stored, self._machine.states.read(stored)
        return self._values

    @configuration.setter
    def configuration(self, values: Any) -> None:
        stored = self._machine.states.write(values)
        self._stored, self._values = stored, values
        if stored is not None:
            self._machine.store(self._obj, stored)

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Show what has not begun as if it were in its first state."""
        if self._machine.stored(self._obj) is not None:
            yield
            return
        self._stored, self._values = None, self._machine.states.first
        try:
            yield
        finally:
            self._stored = _UNREAD

    def __dir__(self) -> list[str]:
        return dir(type(self._obj))

    def __getattr__(self, name: str) -> Any:
        declared = getattr_static(type(self._obj), name)
        if self._is_open or isfunction(declared) or isinstance(declared, Method | Derived | staticmethod | classmethod):
            return getattr(self._obj, name)
        return _LATER


def _ring(path: list[Any]) -> list[str]:
    """The way once round, from the first state of a path that comes again."""
    for place, state in enumerate(path):
        if state in path[place + 1 :]:
            return [str(one) for one in path[place : path.index(state, place + 1) + 1]]
    return [str(state) for state in path]
