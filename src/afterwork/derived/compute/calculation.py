"""Calculations in Python: the value of a derived member, or whether a machine can move."""

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm.attributes import instance_dict

from afterwork.derived.compute.equality import is_same
from afterwork.derived.compute.result_check import checked
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.model.derivation import Derivation, MachineDerivation, MemberDerivation, ViewModelDerivation
from afterwork.saving.machine.play import Play


class Calculation(Protocol):
    """A calculation on one object at a time."""

    @property
    def own(self) -> str | None:
        """The member that must not be read, since it is the one being calculated."""

    def calculate(self, obj: Any) -> Any:
        """Calculate. Whatever is read is a reason to calculate again."""

    def check(self, value: Any) -> Any:
        """Return a value as it is kept. Raises `BadValue`."""

    def stored(self, obj: Any) -> Any:
        """Return the stored value, without recording a read."""

    def is_new(self, stored: Any, value: Any) -> bool:
        """Return whether a value seems to differ from the stored one, and so is to be written."""


@dataclass(frozen=True)
class MemberValue:
    """The value of a derived member."""

    derivation: MemberDerivation

    @property
    def own(self) -> str | None:
        return self.derivation.member

    def calculate(self, obj: Any) -> Any:
        return getattr(obj, self.derivation.derived.name)()

    def check(self, value: Any) -> Any:
        return checked(self.derivation.column, self.derivation.name, value)

    def stored(self, obj: Any) -> Any:
        values = instance_dict(obj)
        if self.derivation.member in values:
            return values[self.derivation.member]
        with untracked():
            return getattr(obj, self.derivation.member)

    def is_new(self, stored: Any, value: Any) -> bool:
        return not is_same(stored, value)


@dataclass(frozen=True)
class CanMove:
    """Calculates whether a machine can move by itself. Nothing is written for that: the move is another run."""

    derivation: MachineDerivation

    @property
    def own(self) -> str | None:
        return None

    def calculate(self, obj: Any) -> Any:
        machine = self.derivation.machine
        return machine.stored(obj) is None or bool(Play(machine, obj).enabled())

    def check(self, value: Any) -> Any:
        return value

    def stored(self, obj: Any) -> Any:
        return False  # one that is at rest can't

    def is_new(self, stored: Any, value: Any) -> bool:
        return bool(value)


def calculation_of(derivation: Derivation) -> Calculation | None:
    """Return what to calculate for a derivation; None for a view model, which just runs."""
    match derivation:
        case MemberDerivation():
            return MemberValue(derivation)
        case MachineDerivation():
            return CanMove(derivation)
        case ViewModelDerivation():
            return None
