"""One evaluation: its session, its clock, and how much it may still do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session, object_session

from afterwork.language.syntax.tree import TextRange
from afterwork.language.typed.names import Names

Frame = list[Any]
"""The run, self, and then a slot for each variable of the expression."""

Closure = Callable[[Frame], Any]
"""A compiled node."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much an evaluation may do.

    `steps` are elements that it looks at, all loops and nested loops together; loops are all that can take long.
    `size` is the most elements of a collection, `length` the most characters of a text that it makes.
    """

    steps: int = 1_000_000
    size: int = 1_000_000
    length: int = 1_000_000


DEFAULT_BUDGET = Budget()
MAX_INTEGER = 2**63 - 1
"""The largest whole number: what every database can hold."""


class LocatedError(Exception):
    """Something went wrong at `at`. Never leaves the package; `query.py` makes an error with the text of it."""

    def __init__(self, problem: str, at: TextRange | None = None) -> None:
        super().__init__(problem)
        self.at = at


class MethodRaised(Exception):
    """Carries what a method of the model raised past what knows the language's own troubles."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class BudgetExhausted(LocatedError):
    """More than the budget has."""


class Untranslatable(LocatedError):
    """A part that can't become SQL; the problem is why."""


class Evaluation:
    """What operators may ask for while an expression is evaluated."""

    __slots__ = ("_itself", "_now", "_session", "budget", "left", "names")

    def __init__(self, names: Names, session: Session | None, budget: Budget, itself: object = None) -> None:
        self._itself = itself
        self.names = names
        self.budget = budget
        self.left = budget.steps
        self._session = session
        self._now: datetime | None = None

    @property
    def session(self) -> Session:
        """The session that reads go through: one that was given, or that self is in."""
        if self._session is None:
            self._session = session_of(self._itself)
        if self._session is None:
            raise LocatedError("It reads from the database, so it needs self to be in a session, or session=…")
        return self._session

    @property
    def now(self) -> datetime:
        """The moment. It stands still while an expression is evaluated."""
        if self._now is None:
            self._now = self.names.clock.now()
        return self._now

    def spend(self, steps: int) -> None:
        """Count elements that are looked at."""
        self.left -= steps
        if self.left < 0:
            raise BudgetExhausted(f"It looks at more than {self.budget.steps:,} elements.")

    def check_size(self, items: Sequence[Any]) -> Sequence[Any]:
        """A collection that is not too large."""
        if len(items) > self.budget.size:
            raise BudgetExhausted(f"A collection in it has more than {self.budget.size:,} elements.")
        return items

    def check_text(self, text: str | None) -> str | None:
        """A text that is not too long."""
        if text is not None:
            self.check_length(len(text))
        return text

    def check_length(self, length: int) -> None:
        """Refuse to make a text that would be too long."""
        if length > self.budget.length:
            raise BudgetExhausted(f"A text in it has more than {self.budget.length:,} characters.")


def session_of(obj: object) -> Session | None:
    """The session that an object is in, if it is one of the model."""
    return object_session(obj) if obj is not None and inspect(obj, raiseerr=False) is not None else None


def checked_integer(number: int | None) -> int | None:
    """A whole number that every database can hold."""
    if number is not None and not -MAX_INTEGER <= number <= MAX_INTEGER:
        raise BudgetExhausted("A whole number in it is larger than 64 bits can hold.")
    return number
