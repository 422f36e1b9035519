"""The states that objects may be in, and the values of their attributes while they are."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from afterwork.language.syntax.spelling import folded


@dataclass(frozen=True, slots=True)
class AnyState:
    """A text attribute whose states nobody has listed, so that any text may be one."""

    key: str

    def knows(self, text: str) -> bool:
        """Return whether a text may name a state."""
        return True

    def spellings(self, text: str) -> tuple[str, ...]:
        """Return the folded texts of a state: `#Life.Active` is Life.Active or Active."""
        return folded(text), folded(text.rpartition(".")[2])

    def is_in(self, stored: Any, text: str) -> bool:
        """Return whether the value of the attribute is a state."""
        return isinstance(stored, str) and folded(stored) in self.spellings(text)


@dataclass(frozen=True, slots=True)
class KnownState:
    """One state of a machine. It has several `names`, and is nested in the states named `outer`; `stored_values` are
    the attribute's values while an object is in it."""

    names: tuple[str, ...]
    outer: tuple[str, ...]
    stored_values: tuple[Any, ...]


@dataclass(frozen=True)
class MachineStates:
    """An attribute that holds the state of a machine with these `names`. `between` separates parallel states; None if
    there are none."""

    key: str
    names: tuple[str, ...]
    states: tuple[KnownState, ...]
    between: str | None = None

    @cached_property
    def _by_name(self) -> Mapping[str, list[KnownState]]:
        by_name: dict[str, list[KnownState]] = {}
        for state in self.states:
            for name in {*state.names, *map(folded, state.names)}:
                by_name.setdefault(name, []).append(state)
        return by_name

    def stored_values(self, text: str) -> tuple[Any, ...]:
        """Return the values of the attribute while its object is in a state; nothing for an unknown state. The text is
        `#State`, `#Outer.State` or `#Machine.State`."""
        *before, name = text.split(".")
        named = self._by_name.get(name) or self._by_name.get(folded(name)) or []
        return tuple(
            dict.fromkeys(value for state in named if self._lies_in(state, before) for value in state.stored_values)
        )

    def _lies_in(self, state: KnownState, before: Iterable[str]) -> bool:
        within = {folded(name) for name in (*self.names, *state.outer)}
        return all(folded(word) in within for word in before)

    def knows(self, text: str) -> bool:
        return bool(self.stored_values(text))

    def is_in(self, stored: Any, text: str) -> bool:
        """Return whether a value of the attribute means a state."""
        values = stored.split(self.between) if self.between and isinstance(stored, str) else (stored,)
        values_of_state = self.stored_values(text)
        return any(value in values_of_state for value in values)


StateAttribute = AnyState | MachineStates


class HasStates(ABC):
    """An attribute of a class that knows its states: a state machine."""

    @abstractmethod
    def states_in(self, mapper: Mapper[Any]) -> MachineStates:
        """Return the states that objects of a mapped class may be in."""


@lru_cache(maxsize=1024)
def states_in(cls: type) -> Sequence[StateAttribute]:
    """Return the attributes of a mapped class that hold states: those of its machines, else a text named `state`."""
    mapper: Mapper[Any] = inspect(cls)
    machines = dict.fromkeys(
        value for base in cls.__mro__ for value in vars(base).values() if isinstance(value, HasStates)
    )
    if machines:
        return tuple(machine.states_in(mapper) for machine in machines)
    return tuple(AnyState(attribute.key) for attribute in mapper.column_attrs if folded(attribute.key) == "state")


def state_names(attributes: Iterable[StateAttribute]) -> list[str]:
    """Return the names of all listed states."""
    machines = [attribute for attribute in attributes if isinstance(attribute, MachineStates)]
    return list(dict.fromkeys(state.names[0] for machine in machines for state in machine.states))
