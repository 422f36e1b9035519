"""A state machine that the objects of a class have, with its state in one of their columns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, overload

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from afterwork.errors import BadDeclaration
from afterwork.language.typed.states import HasStates, MachineStates
from afterwork.model.awaiting import asking
from afterwork.model.derived import member_key, member_name, no_column
from afterwork.model.machine.chart import HISTORY, adapted, eventless, events_of, outline
from afterwork.model.machine.state_column import state_column_problem
from afterwork.model.machine.states import States
from afterwork.model.method import BoundMethod, HasTickets, Method, Ticket

if TYPE_CHECKING:
    from statemachine import StateChart
    from statemachine.transition import Transition

MACHINES = "_afterwork_machines"
"""The attribute of a class that lists its machines."""

TRIGGER = "state_machine_trigger"


class Player(Protocol):
    """Moves objects by their machines, in the session that they are in."""

    def listen(self, owner: type) -> None:
        """Ensure that the moves of a class's objects are saved with them."""

    def check(self, machine: "Machine", obj: Any) -> None:
        """Raise `BadDeclaration` if an object can't have a machine, as when a guard is missing."""

    def send(self, machine: "Machine", obj: Any, event: str, *args: Any, **kwargs: Any) -> Any:
        """Take an event. Raises `NotInThisState` if it is not possible now."""

    def can(self, machine: "Machine", obj: Any, event: str) -> bool:
        """Return whether an event is possible now."""

    def go_on(self, machine: "Machine", obj: Any) -> None:
        """Take all transitions without an event that are possible."""


class Machine(HasStates):
    """A state machine of a class. Read of an object, it is a `BoundMachine`."""

    def __init__(self, chart: "type[StateChart[Any]]", member: object, player: Player) -> None:
        self.declared = chart
        self.chart: type[StateChart[Any]] = adapted(chart)
        self.states = States(self.chart)
        self.states.check()
        self.player = player
        self.name = ""
        self._member = member
        self._members: dict[type, str] = {}
        owner = getattr(member, "class_", None)
        if isinstance(owner, type):
            self.join(owner)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self._member = member_name(self._member, owner)
        self.join(owner)

    @overload
    def __get__(self, target: None, owner: type) -> Self: ...
    @overload
    def __get__(self, target: HasTickets[Ticket], owner: type) -> "BoundMachine[Ticket]": ...
    @overload
    def __get__(self, target: object, owner: type) -> "BoundMachine": ...
    def __get__(self, target: object | None, owner: type) -> "Self | BoundMachine[Any]":
        return self if target is None else BoundMachine(self, target)

    def join(self, owner: type) -> None:
        """Register as a machine of a class."""
        setattr(owner, MACHINES, (*machines_of(owner), self))
        if not hasattr(owner, TRIGGER):
            setattr(owner, TRIGGER, Trigger())
        self.player.listen(owner)

    @property
    def where(self) -> str:
        """Its name in messages."""
        return f"the machine {self.name or self.chart.__name__}"

    @cached_property
    def events(self) -> Mapping[str, "EventMethod"]:
        """Its events by name, each as work that can be asked for."""
        return {name: EventMethod(self, name) for name in map(str, events_of(self.chart)) if "." not in name}

    @property
    def has_history(self) -> bool:
        """True if its transitions are logged, see `track_history`."""
        return bool(getattr(self.chart, HISTORY, False))

    @cached_property
    def eventless(self) -> "list[Transition]":
        """The transitions that wait for no event."""
        return eventless(self.chart)

    @cached_property
    def outline(self) -> str:
        """Its states and transitions, as a text."""
        return outline(self.chart)

    def guards(self, owner: type) -> Iterator[Any]:
        """Yield the functions that guard transitions without an event, in the chart and in the class that has it."""
        for guard in (guard for transition in self.eventless for guard in transition.cond):
            candidates = [guard.func] if callable(guard.func) else []
            for name in re.findall(r"\w+", "" if candidates else str(guard.func)):
                candidates += [getattr_static(cls, name, None) for cls in (self.chart, owner)]
            for candidate in candidates:
                function = getattr(candidate, "fget", getattr(candidate, "function", candidate))
                if hasattr(function, "__code__"):
                    yield function

    def check(self, mapper: Mapper[Any]) -> None:
        """Raise `BadDeclaration` if the objects of a mapped class can't have it, for want of a column or a guard."""
        member = self.member_of(mapper)
        if problem := state_column_problem(mapper.columns[member], self.states.stored_values):
            raise BadDeclaration(f"{self.where}: {mapper.class_.__name__}.{member} is its state, and {problem}")
        self.player.check(self, mapper.class_manager.new_instance())

    def member_of(self, mapper: Mapper[Any]) -> str:
        """Return the name of the member with the state, in a mapped class. Raises `BadDeclaration`."""
        key = member_key(self._member, mapper)
        if key is None or key not in mapper.columns:
            raise BadDeclaration(
                f"{self.where}: {no_column(self._member, mapper)} "
                "Give the one that has its state: aw.machine(OrderFlow, state=state)."
            )
        return key

    def member_in(self, cls: type) -> str:
        """Return the same for a class, from memory if it was asked for before."""
        if cls not in self._members:
            self._members[cls] = self.member_of(inspect(cls))
        return self._members[cls]

    def states_in(self, mapper: Mapper[Any]) -> MachineStates:
        """Return the states as texts may name them: by the name of the machine, its chart or its member."""
        key = self.member_of(mapper)
        return self.states.as_kept_in(key, tuple(filter(None, (self.name, self.declared.__name__, key))))

    def stored(self, obj: Any) -> Any:
        """Return the value of the object's column with the state."""
        return getattr(obj, self.member_in(type(obj)))


class BoundMachine(Generic[Ticket]):
    """A machine of one object: `order.flow.pay()` takes an event, `aw.can(order.flow.pay)` says whether that is
    possible now, `aw.later(order.flow.pay)` asks for it."""

    __slots__ = ("_machine", "_target")

    def __init__(self, machine: Machine, target: Any) -> None:
        self._machine = machine
        self._target = target

    def __getattr__(self, name: str) -> "BoundEvent[Ticket]":
        event = self._machine.events.get(name)
        if event is None:
            known = ", ".join(self._machine.events) or "none"
            raise AttributeError(f"{self._machine.where} has no event {name}. It has: {known}.")
        return BoundEvent(event, self._target)

    def __repr__(self) -> str:
        return f"<{self._machine.where} of {self._target!r}: {self.state}>"

    @property
    def state(self) -> Any:
        """The value of the column: the current state; with nested and parallel states, the innermost ones, separated by
        commas. None as long as it has not begun."""
        with asking(f"{self._machine.where}: the state"):
            return self._machine.stored(self._target)

    def is_in(self, state: str) -> bool:
        """Return whether it is in a state, named by its id, or in one within that. Raises `UnknownState`."""
        if self.state is None:
            return False
        return any(active.id == state for active in self._machine.states.active(self.state))


class BoundEvent(BoundMethod[Any, Ticket]):
    """An event of the machine of one object."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take the event, with the actions of its transition, and then all transitions without an event that are
        possible. Arguments go to guards and actions. Raises `NotInThisState`."""
        return self.method.function(self.target, *args, **kwargs)


class EventMethod(Method[Any, Any]):
    """An event as work that a ticket can name: `Order.flow.pay`. Its precondition is that it is possible."""

    def __init__(self, machine: Machine, event: str) -> None:
        def take(self: Any, *args: Any, **kwargs: Any) -> Any:
            return machine.player.send(machine, self, event, *args, **kwargs)

        def is_possible_in_its_state(self: Any) -> bool:
            return machine.player.can(machine, self, event)

        super().__init__(take, precondition=is_possible_in_its_state)
        self.machine, self.event = machine, event

    @property
    def name(self) -> str:
        return f"{self.machine.name}.{self.event}"

    @name.setter
    def name(self, _: str) -> None: ...


class Trigger(Method[Any, None]):
    """`Class.state_machine_trigger`: take now all transitions without an event that are possible."""

    def __init__(self) -> None:
        def state_machine_trigger(self: Any) -> None:
            for machine in machines_of(type(self)):
                machine.player.go_on(machine, self)

        super().__init__(state_machine_trigger)


def machines_of(cls: type) -> Sequence[Machine]:
    machines: Sequence[Machine] = getattr(cls, MACHINES, ())
    return machines


def declared_machines(cls: type) -> Sequence[Machine]:
    """Return the machines of a class, each with its name, including those set on the class after it was made."""
    for base in cls.__mro__:
        for name, value in list(vars(base).items()):
            if isinstance(value, Machine):
                value.name = value.name or name
                if value not in machines_of(base):
                    value.join(base)
    return machines_of(cls)
