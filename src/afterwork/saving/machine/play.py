"""A machine at work on one object, by the library that runs charts (python-statemachine 3).

A new object gets its columns' defaults before its machines enter their first states.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import Column, inspect
from sqlalchemy.orm import InstanceState, Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.schema import CallableColumnDefault, ScalarElementColumnDefault

from afterwork.compat import statemachine as library
from afterwork.compat.sqlalchemy_session import new_objects
from afterwork.errors import BadDeclaration, EndlessMachine, NotInThisState
from afterwork.model.external_id import external_id_or_none
from afterwork.model.machine.chart import events_of, in_words
from afterwork.model.machine.declaration import Machine, machines_of
from afterwork.model.machine.state_scope import StateScope
from afterwork.saving.machine.object_view import ObjectView
from afterwork.saving.machine.state_scoped import EnteredState, entering, withdraw
from afterwork.saving.machine.transition_log import Conflict, Move, note, unsaved

if TYPE_CHECKING:
    from statemachine.transition import Transition


class _NeedsStatement(Exception):
    """Raised by a default that needs the statement that inserts the object, which doesn't exist yet."""


class _NoStatement:
    """The context that a default is called with in place of that statement."""

    def __getattr__(self, _: str) -> NoReturn:
        raise _NeedsStatement


def give_defaults(obj: Any) -> None:
    """Set a new object's members to the defaults that its insert would use, so that entry actions see them.

    Defaults that only the database or the statement can tell are left to them. So are the states of machines: a state
    must be entered.
    """
    state: InstanceState[Any] = inspect(obj)
    if state.has_identity:
        return
    states = {machine.member_of(state.mapper) for machine in machines_of(type(obj))}
    for member in state.mapper.column_attrs:
        column = member.columns[0]
        if member.key not in states and isinstance(column, Column) and _is_unset(state, member.key, column):
            _set_default(obj, member.key, column)


def _is_unset(state: InstanceState[Any], member: str, column: Column[Any]) -> bool:
    """Return whether the insert would use a column's default. None counts as a value only where its type says so."""
    if member not in state.dict:
        return True
    return state.dict[member] is None and not column.type.should_evaluate_none


def _set_default(obj: Any, member: str, column: Column[Any]) -> None:
    match column.default:
        case ScalarElementColumnDefault(arg=value):
            set_committed_value(obj, member, value)
        case CallableColumnDefault(arg=make):
            try:
                set_committed_value(obj, member, make(_NoStatement()))  # type: ignore[arg-type]
            except _NeedsStatement:
                return


def conflicts_of(
    machine: str, transitions: "Sequence[Transition]", is_possible: "Callable[[Transition], bool]"
) -> Iterator[Conflict]:
    """Yield the conflicts of transitions that are about to be taken, of the machine with a name.

    Evaluates the guards of later transitions out of the same states, and of no others.
    """
    for taken in transitions:
        if taken.is_eventless and not taken.initial:
            eventless = [other for other in taken.source.transitions if other.is_eventless and not other.initial]
            for other in eventless[eventless.index(taken) + 1 :]:
                if _is_possible(other, is_possible):
                    yield Conflict(machine, taken.source.id, in_words(taken), in_words(other))


def _is_possible(transition: "Transition", is_possible: "Callable[[Transition], bool]") -> bool:
    try:
        return is_possible(transition)
    except Exception:
        # The move doesn't evaluate this guard, so it can't fail by it. A guard that raises makes no conflict.
        return False


MAX_TRANSITIONS = 100
"""Transitions in a row, without one that waits for anything. More are taken for a cycle that never ends."""


class Play:
    """A machine at work on one object.

    Each transition is taken inside the context that `moving` makes, with all its actions. Reads outside of it are those
    of guards.
    """

    def __init__(
        self, machine: Machine, obj: Any, moving: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        from statemachine.exceptions import InvalidDefinition

        self.machine, self.obj, self._moving = machine, obj, moving
        self._path: list[Any] = []
        self._observer = _Observer(machine, obj)
        self._view = ObjectView(machine, obj)
        try:
            self._chart: Any = machine.chart(self._view, "configuration", listeners=[self._observer])
        except InvalidDefinition as error:
            raise BadDeclaration(f"{machine.where} can't be used on {type(obj).__name__}: {error}") from error
        if library.has_async_callbacks(self._chart):
            raise BadDeclaration(f"{machine.where}: guards and actions are not asynchronous. Write def, not async def.")
        self._view.open()
        self._chart.model = obj
        library.wrap_microsteps(self._chart, self._take)

    @property
    def stored(self) -> Any:
        return self.machine.stored(self.obj)

    def enter(self) -> None:
        """Enter the first state, with its entry actions, and go no further: the server takes what is possible then."""
        give_defaults(self.obj)
        with library.only_initial(self._chart):
            self._act(partial(self._take, self._chart.activate_initial_state))
        self._observer.note_move("")

    def go_on(self) -> None:
        """Take all transitions without an event that are possible, one after the other."""
        if self.stored is None:
            self.enter()
        self._act(self._chart.activate_initial_state)

    def send(self, event: str, *args: Any, **kwargs: Any) -> Any:
        """Take the transition of an event, and then those without an event that are possible.

        Raises `NotInThisState` if the event is not possible now.
        """
        from statemachine.exceptions import TransitionNotAllowed

        if self.stored is None:
            self.enter()
        try:
            return self._act(lambda: self._chart.send(event, *args, **kwargs))
        except TransitionNotAllowed as error:
            if error.event is not None and str(error.event) == event:
                raise NotInThisState(self.who, event, self.stored, self._possible) from None
            raise

    def can(self, event: str) -> bool:
        """Return whether an event is possible now, by its state and its guards.

        A machine that has not begun answers as if it were in its first state.
        """
        with self._view.begun():
            return bool(library.selected(self._chart, event))

    def enabled(self) -> "Sequence[Transition]":
        """Return the transitions without an event that would be taken now."""
        return library.selected_eventless(self._chart)

    def guards(self, transition: "Transition") -> list[tuple[str, Callable[[], bool]]]:
        """Return the guards of a transition: the name of each, and a function that evaluates it now."""
        given = {"machine": self._chart, "model": self.obj, "transition": transition, "source": transition.source}
        given |= {"target": transition.target, "state": transition.source, "event": None}
        return [(name, partial(_holds, call, given)) for name, call in library.guards_of(self._chart, transition)]

    @property
    def who(self) -> str:
        return external_id_or_none(self.obj) or f"a new {type(self.obj).__name__}"

    @property
    def _possible(self) -> list[str]:
        return [str(event) for event in events_of(self.machine.chart) if "." not in event and self.can(event)]

    def _take(self, take: Callable[..., Any], *microstep: Any) -> Any:
        """Take all transitions that are possible together. Raises `EndlessMachine` if that does not end."""
        with self._moving():
            if microstep:
                self._note_conflicts(*microstep)
            result = take(*microstep)
        self._path.append(self.stored)
        if len(self._path) > MAX_TRANSITIONS:
            raise EndlessMachine(self.who, self.machine.where, _cycle(self._path))
        return result

    def _note_conflicts(self, transitions: "Sequence[Transition]", trigger: Any) -> None:
        name = f"{type(self.obj).__name__}.{self.machine.name}"
        is_possible = partial(library.guards_hold, self._chart, trigger=trigger)
        if conflicts := list(conflicts_of(name, transitions, is_possible)):
            unsaved(self.obj).conflicts.extend(conflicts)

    def _act(self, act: Callable[[], Any]) -> Any:
        self._observer.begin()
        self._path = [self.stored]
        with entering():
            return act()


def _holds(guard: Callable[..., Any], given: dict[str, Any]) -> bool:
    return bool(guard(**given))


class _Observer:
    """Notes each move that the library makes. It calls the methods by their names."""

    def __init__(self, machine: Machine, obj: Any) -> None:
        self._machine, self._obj = machine, obj
        self._last = machine.stored(obj)

    def begin(self) -> None:
        """Compare with the present state when the next move is noted."""
        self._last = self._machine.stored(self._obj)

    def prepare_event(self, state: Any, target: Any) -> dict[str, Any]:
        """Note the state that is being entered: `state` is the target then.

        Called before all actions of `state`, those of the chart included.
        """
        scope = StateScope(self._machine.name, state.id)
        entering.at(EnteredState(self._obj, scope) if state is target else None)
        return {}

    def on_exit_state(self, state: Any) -> None:
        """Withdraw the requests that depend on a state."""
        entering.at(None)
        withdraw(self._machine, self._obj, state.id)

    def after_transition(self, event: Any, source: Any, target: Any) -> None:
        """Note a transition that was taken."""
        self.note_move("" if event is None else str(event))

    def note_move(self, event: str) -> None:
        """Note that the object has moved, if its state is another one."""
        before, self._last = self._last, self._machine.stored(self._obj)
        if before != self._last:
            note(self._obj, Move(self._machine, before, self._last, event))


def _cycle(path: list[Any]) -> list[str]:
    """Return the states of one round, from the first state of a path that comes again."""
    for start, state in enumerate(path):
        if state in path[start + 1 :]:
            return [str(passed) for passed in path[start : path.index(state, start + 1) + 1]]
    return [str(state) for state in path]


def enter_first_states(session: Session) -> None:
    """Let the machines of objects about to be inserted enter their first states."""
    for obj in [obj for obj in new_objects(session) if machines_of(type(obj))]:
        for machine in machines_of(type(obj)):
            if machine.stored(obj) is None:
                Play(machine, obj).enter()
