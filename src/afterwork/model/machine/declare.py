"""`aw.machine`: a state machine that the objects of a class have, with its state in one of their columns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from inspect import getattr_static
from typing import Any, Self, overload

from sqlalchemy import event, inspect
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.attributes import flag_modified
from statemachine import StateChart
from statemachine.transition import Transition

from afterwork.errors import BadDeclaration
from afterwork.language.typed.states import HasStates, MachineStates
from afterwork.model.derived import key_of, name_of
from afterwork.model.lane import MAIN
from afterwork.model.machine.chart import Play, eventless, usable
from afterwork.model.machine.moves import HISTORY, MACHINES, forget, hold, keep_apart, machines_of, write_down
from afterwork.model.machine.states import States
from afterwork.model.method import BoundMethod, Method

TRIGGER = "state_machine_trigger"


class Machine(HasStates):
    """A state machine of a class. Read of an object, it is a `BoundMachine`."""

    def __init__(self, chart: type[StateChart[Any]], member: object) -> None:
        self.declared = chart
        self.chart: type[StateChart[Any]] = usable(chart)
        self.states = States(self.chart)
        self.states.check()
        self.name = ""
        self._member = member
        self._members: dict[type, str] = {}
        owner = getattr(member, "class_", None)
        if isinstance(owner, type):
            self._adopt(owner)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self._member = name_of(self._member, owner)
        self._adopt(owner)

    @overload
    def __get__(self, target: None, owner: type) -> Self: ...
    @overload
    def __get__(self, target: object, owner: type) -> "BoundMachine": ...
    def __get__(self, target: object | None, owner: type) -> "Self | BoundMachine":
        return self if target is None else BoundMachine(self, target)

    def _adopt(self, owner: type) -> None:
        setattr(owner, MACHINES, (*machines_of(owner), self))
        if not hasattr(owner, TRIGGER):
            setattr(owner, TRIGGER, _Trigger())
        event.listen(owner, "before_update", keep_apart, propagate=True)
        for saved in ("after_insert", "after_update"):
            event.listen(owner, saved, write_down, propagate=True)
        event.listen(owner, "expire", forget, propagate=True)

    @property
    def where(self) -> str:
        """What it is called in messages."""
        return f"the machine {self.name or self.chart.__name__}"

    @cached_property
    def events(self) -> Mapping[str, "EventMethod"]:
        """Its events by name, each as work that can be asked for."""
        return {name: EventMethod(self, name) for name in map(str, self.chart._events) if "." not in name}

    @property
    def has_history(self) -> bool:
        """Whether its moves are kept, see `track_history`."""
        return bool(getattr(self.chart, HISTORY, False))

    @cached_property
    def eventless(self) -> list[Transition]:
        """The transitions that wait for no event."""
        return eventless(self.chart)

    @cached_property
    def outline(self) -> str:
        """Its states and transitions, as a text."""
        states = [
            (state.id, state.value, state.initial, state.final, state.parallel, state.parent and state.parent.id)
            for state in self.chart.states_map.values()
        ]
        transitions = [
            (
                state.id,
                [target.id for target in one.targets],
                str(one.event),
                [(str(g), g.expected_value) for g in one.cond],
            )
            for state in self.chart.states_map.values()
            for one in state.transitions
        ]
        return repr((states, transitions))

    def guards(self, owner: type) -> Iterator[Any]:
        """The functions that are guards of transitions without an event, in the chart and in the class that has it."""
        for guard in (guard for transition in self.eventless for guard in transition.cond):
            found = [guard.func] if callable(guard.func) else []
            for name in re.findall(r"\w+", "" if found else str(guard.func)):
                found += [getattr_static(cls, name, None) for cls in (self.chart, owner)]
            for one in found:
                function = getattr(one, "fget", getattr(one, "function", one))
                if hasattr(function, "__code__"):
                    yield function

    def check(self, mapper: Mapper[Any]) -> None:
        """Raises `BadDeclaration` if the objects of a mapped class can't have it: there is no such column, or no such
        guard."""
        self.member_of(mapper)
        Play(self, mapper.class_manager.new_instance())

    def member_of(self, mapper: Mapper[Any]) -> str:
        """The name of the member with the state, in a mapped class. Raises `BadDeclaration`."""
        found = key_of(self._member, mapper)
        if found is None or found not in mapper.columns:
            raise BadDeclaration(
                f"{self.where}: {self._member!r} is no column of {mapper.class_.__name__}. "
                "Give the one that has its state: aw.machine(OrderFlow, state=state)."
            )
        return found

    def states_in(self, mapper: Mapper[Any]) -> MachineStates:
        """Return the states as texts may name them: by the machine's name, that of its chart, or that of its member."""
        key = self.member_of(mapper)
        return self.states.as_kept_in(key, tuple(filter(None, (self.name, self.declared.__name__, key))))

    def stored(self, obj: Any) -> Any:
        """What stands in the column of an object."""
        return getattr(obj, self._member_for(type(obj)))

    def store(self, obj: Any, value: Any) -> None:
        """Write into the column of an object. It is saved also where the state has stayed the same, as by a transition
        from a state to itself: that is only possible as long as nobody else has moved the object."""
        before = self.stored(obj)
        hold(obj, self, before)
        if value == before:
            flag_modified(obj, self._member_for(type(obj)))
        else:
            setattr(obj, self._member_for(type(obj)), value)

    def _member_for(self, cls: type) -> str:
        if cls not in self._members:
            self._members[cls] = self.member_of(inspect(cls))
        return self._members[cls]


class BoundMachine:
    """A machine of one object: `order.flow.pay()` takes an event, `aw.can(order.flow.pay)` says whether that is
    possible now, `aw.later(order.flow.pay)` asks for it."""

    __slots__ = ("_machine", "_target")

    def __init__(self, machine: Machine, target: Any) -> None:
        self._machine = machine
        self._target = target

    def __getattr__(self, name: str) -> "BoundEvent":
        event = self._machine.events.get(name)
        if event is None:
            known = ", ".join(self._machine.events) or "none"
            raise AttributeError(f"{self._machine.where} has no event {name}. It has: {known}.")
        return BoundEvent(event, self._target)

    def __repr__(self) -> str:
        return f"<{self._machine.where} of {self._target!r}: {self.state}>"

    @property
    def state(self) -> Any:
        """What stands in the column: the state that it is in; the innermost ones, with commas, where they are nested or
        parallel. None as long as it has not begun."""
        return self._machine.stored(self._target)

    def is_in(self, state: str) -> bool:
        """Whether it is in a state, named by its id, or in one within that. Raises `UnknownState`."""
        if self.state is None:
            return False
        return any(active.id == state for active in self._machine.states.active(self.state))


class BoundEvent(BoundMethod[Any]):
    """An event of the machine of one object."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take it: what the event and the states entered then say is done, and the transitions without an event are
        taken that are possible after it. Arguments go to guards and actions. Raises `NotInThisState`."""
        return self.method.function(self.target, *args, **kwargs)


class EventMethod(Method[Any, Any]):
    """An event as work that a ticket can name: `Order.flow.pay`. Its precondition is that it is possible."""

    def __init__(self, machine: Machine, event: str) -> None:
        def take(self: Any, *args: Any, **kwargs: Any) -> Any:
            return Play(machine, self).send(event, *args, **kwargs)

        def is_possible_in_its_state(self: Any) -> bool:
            return Play(machine, self).can(event)

        super().__init__(take, precondition=is_possible_in_its_state, lane=MAIN, external=False, retry=None)
        self.machine, self.event = machine, event

    @property
    def name(self) -> str:
        return f"{self.machine.name}.{self.event}"

    @name.setter
    def name(self, _: str) -> None: ...


class _Trigger(Method[Any, None]):
    """`Class.state_machine_trigger`: look now which transitions without an event are possible, and take them."""

    def __init__(self) -> None:
        def state_machine_trigger(self: Any) -> None:
            for machine in machines_of(type(self)):
                Play(machine, self).go_on()

        super().__init__(state_machine_trigger, precondition=None, lane=MAIN, external=False, retry=None)


def machine(chart: type[StateChart[Any]], *, state: object) -> Machine:
    """Give the objects of a class a state machine, declared with the library python-statemachine 3.

        class OrderFlow(StateChart):
            cart = State(initial=True)
            paid = State(final=True)
            cart.to(paid, cond="is_covered")       # plays by itself, as soon as order.is_covered

        class Order(Base):
            state: Mapped[str | None] = mapped_column()
            flow = aw.machine(OrderFlow, state=state)

    `state` is the column of the class that has the state, or its name. Guards and actions are looked for in the chart
    and in the class; those of the chart get the object as `model`. A new object enters the first state when it is
    saved.
    Raises `BadDeclaration` for a chart that can't be kept in a database.
    """
    return Machine(chart, state)


def declared_machines(cls: type) -> Sequence[Machine]:
    """The machines of a class, each knowing its name, also those that were given to the class after it was made."""
    for base in cls.__mro__:
        for name, value in list(vars(base).items()):
            if isinstance(value, Machine):
                value.name = value.name or name
                if value not in machines_of(base):
                    value._adopt(base)
    return machines_of(cls)


@event.listens_for(Session, "before_flush")
def begin(session: Session, flush: object, instances: object) -> None:
    """New objects enter the first state of their machines."""
    for obj in [obj for obj in session._new.values() if machines_of(type(obj))]:
        for one in machines_of(type(obj)):
            if one.stored(obj) is None:
                Play(one, obj).enter()
