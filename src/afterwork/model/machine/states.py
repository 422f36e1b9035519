"""The states of a machine, and the one column of an object that stores those that are active."""

from collections.abc import Iterable, MutableSet
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from afterwork.errors import BadDeclaration, UnknownState, shown
from afterwork.language.typed.states import KnownState, MachineStates

if TYPE_CHECKING:
    from statemachine import State, StateChart
    from statemachine.orderedset import OrderedSet

SEPARATOR = ","
"""Separates the states of parallel regions."""


@dataclass(frozen=True)
class States:
    """The states of a chart.

    A flat chart is stored as the value of its state. Of nested states, the innermost are stored, and parallel ones side
    by side, in the order of their declaration: `packing,invoiced`.
    """

    chart: "type[StateChart[Any]]"

    def check(self) -> None:
        """Raise `BadDeclaration` for states that can't be stored."""
        for state in self._all:
            for history in state.history:
                raise BadDeclaration(
                    f"{self.chart.__name__}.{history.id} is a history state. What it remembers would be lost with the "
                    "process, since only the states that a machine is in are stored."
                )
            if not self.is_flat and (not isinstance(state.value, str) or SEPARATOR in state.value):
                raise BadDeclaration(
                    f"{self.chart.__name__}.{state.id} has the value {state.value!r}. In a machine with nested states, "
                    f"values are texts without {SEPARATOR!r}."
                )

    @cached_property
    def is_flat(self) -> bool:
        """True if one state is active at a time."""
        return all(state.parent is None for state in self._all)

    @property
    def _all(self) -> "list[State]":
        return list(self.chart.states_map.values())

    @cached_property
    def first(self) -> Any:
        """The states in which it begins, in the library's form."""
        active = [state for state in self._all if _is_first(state)]
        return active[0].value if self.is_flat else _in_order(state.value for state in active)

    @property
    def stored_values(self) -> list[Any]:
        """The values of the states that are stored: of nested ones, the innermost."""
        return [state.value for state in self._all if state.is_atomic]

    def named(self, name: str) -> "State | None":
        """Return the state with an id; None if no state has it."""
        return next((state for state in self._all if state.id == name), None)

    def as_kept_in(self, key: str, names: tuple[str, ...]) -> MachineStates:
        """Return the contents of a machine's column in each state. `names` are those of the machine in texts."""
        between = SEPARATOR if any(state.parallel for state in self._all) else None
        return MachineStates(key, names, tuple(map(self._known, self._all)), between)

    def _known(self, state: "State") -> KnownState:
        inner = [atomic for atomic in self._all if atomic.is_atomic and state in (atomic, *atomic.ancestors())]
        outer = tuple(name for ancestor in state.ancestors() for name in _names(ancestor))
        return KnownState(_names(state), outer, tuple(atomic.value for atomic in inner))

    def read(self, stored: Any) -> Any:
        """Return the stored states in the library's form. Raises `UnknownState`."""
        if stored is None:
            return None
        if self.is_flat:
            self._find(stored, stored)
            return stored
        innermost = [self._find(name, stored) for name in str(stored).split(SEPARATOR)]
        active = {state.value for inner in innermost for state in (inner, *inner.ancestors())}
        return _in_order(state.value for state in self._all if state.value in active)

    def write(self, values: Any) -> Any:
        """Return the library's form of states as it is stored."""
        if self.is_flat or values is None:
            return values
        active = values if isinstance(values, MutableSet) else {values}
        return SEPARATOR.join(state.value for state in self._all if state.is_atomic and state.value in active) or None

    def active(self, stored: Any) -> "list[State]":
        """Return the states that are active by what is stored, outer ones first. Raises `UnknownState`."""
        values = self.read(stored)
        values = values if isinstance(values, MutableSet) else {values}
        return [state for state in self._all if state.value in values]

    def _find(self, value: Any, stored: Any) -> "State":
        try:
            return self.chart.states_map[value]
        except (KeyError, TypeError):
            known = ", ".join(str(state.value) for state in self._all if state.is_atomic)
            raise UnknownState(
                f"{self.chart.__name__} has no state {shown(stored)}. It has: {known}. If the machine was changed, "
                "update the rows that stand in what is gone; afterwork check lists them."
            ) from None


def _in_order(values: Iterable[Any]) -> "OrderedSet[Any]":
    from statemachine.orderedset import OrderedSet  # the library's form of several states

    return OrderedSet(values)


def _is_first(state: "State") -> bool:
    """Return whether a machine begins in a state: in all parallel regions, and else in the initial state."""
    is_region = state.parent is not None and state.parent.parallel
    return bool((state.initial or is_region) and (state.parent is None or _is_first(state.parent)))


def _names(state: "State") -> tuple[str, ...]:
    """Return the names of a state in texts: its id, and what its column holds."""
    return (state.id, state.value) if isinstance(state.value, str) else (state.id,)
