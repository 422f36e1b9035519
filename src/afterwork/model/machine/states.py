"""How the states that a machine is in stand in one column of its object."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from statemachine import State, StateChart
from statemachine.orderedset import OrderedSet

from afterwork.errors import BadDeclaration, UnknownState, shown
from afterwork.language.typed.states import KnownState, MachineStates

BETWEEN = ","
"""Stands between the states of regions that are parallel."""


@dataclass(frozen=True)
class States:
    """The states of a chart. A flat one is written as the value of its state; of one with nested states, the innermost
    are written, and parallel ones side by side, in the order in which they are declared: `packing,invoiced`."""

    chart: type[StateChart[Any]]

    def check(self) -> None:
        """Raises `BadDeclaration` for states that can't be written."""
        for state in self._all:
            for history in state.history:
                raise BadDeclaration(
                    f"{self.chart.__name__}.{history.id} is a history state. What it remembers would be lost with the "
                    "process, since only the states that a machine is in are stored."
                )
            if not self.is_flat and (not isinstance(state.value, str) or BETWEEN in state.value):
                raise BadDeclaration(
                    f"{self.chart.__name__}.{state.id} has the value {state.value!r}. In a machine with nested states, "
                    f"values are texts without {BETWEEN!r}."
                )

    @cached_property
    def is_flat(self) -> bool:
        """Whether it is in one state at a time."""
        return all(state.parent is None for state in self._all)

    @property
    def _all(self) -> list[State]:
        return list(self.chart.states_map.values())

    @cached_property
    def first(self) -> Any:
        """Where it begins, as the library has it."""
        active = [state for state in self._all if _is_first(state)]
        return active[0].value if self.is_flat else OrderedSet(state.value for state in active)

    def named(self, name: str) -> State | None:
        """The state with an id; None if there is none."""
        return next((state for state in self._all if state.id == name), None)

    def as_kept_in(self, key: str, names: tuple[str, ...]) -> MachineStates:
        """Return what the column of a machine of some names holds in each state."""
        between = BETWEEN if any(state.parallel for state in self._all) else None
        return MachineStates(key, names, tuple(map(self._known, self._all)), between)

    def _known(self, state: State) -> KnownState:
        within = [one for one in self._all if one.is_atomic and state in (one, *one.ancestors())]
        outer = tuple(name for one in state.ancestors() for name in _names(one))
        return KnownState(_names(state), outer, tuple(one.value for one in within))

    def read(self, stored: Any) -> Any:
        """What the library takes for what is stored. Raises `UnknownState`."""
        if stored is None:
            return None
        if self.is_flat:
            self._find(stored, stored)
            return stored
        found = [self._find(name, stored) for name in str(stored).split(BETWEEN)]
        active = {state.value for inner in found for state in (inner, *inner.ancestors())}
        return OrderedSet(state.value for state in self._all if state.value in active)

    def write(self, values: Any) -> Any:
        """What is stored for what the library gives."""
        if self.is_flat or values is None:
            return values
        active = values if isinstance(values, OrderedSet) else {values}
        return BETWEEN.join(state.value for state in self._all if state.is_atomic and state.value in active) or None

    def active(self, stored: Any) -> list[State]:
        """The states that are meant by what is stored, outer ones first. Raises `UnknownState`."""
        values = self.read(stored)
        values = values if isinstance(values, OrderedSet) else {values}
        return [state for state in self._all if state.value in values]

    def _find(self, value: Any, stored: Any) -> State:
        try:
            return self.chart.states_map[value]
        except (KeyError, TypeError):
            known = ", ".join(str(state.value) for state in self._all if state.is_atomic)
            raise UnknownState(
                f"{self.chart.__name__} has no state {shown(stored)}. It has: {known}. If the machine was changed, "
                "update the rows that stand in what is gone; afterwork check lists them."
            ) from None


def _is_first(state: State) -> bool:
    """Whether a machine that begins is in a state: all regions that are parallel, and else the initial one."""
    beside = state.parent is not None and state.parent.parallel
    return bool((state.initial or beside) and (state.parent is None or _is_first(state.parent)))


def _names(state: State) -> tuple[str, ...]:
    """Return the names of a state in texts: its id, and what its column holds."""
    return (state.id, state.value) if isinstance(state.value, str) else (state.id,)
