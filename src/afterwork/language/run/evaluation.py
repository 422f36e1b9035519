"""One evaluation: its session, its clock, and its remaining budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session, object_session

from afterwork.language.syntax.tree import TextRange
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import TypedNode

VariableFrame = list[Any]
"""The evaluation, self, and a slot for each variable of the expression."""

Closure = Callable[[VariableFrame], Any]
"""A compiled node."""

Compiler = Callable[[TypedNode], Closure]
"""A compiler of the nodes below a node: `compile.compiled`, which the parts of the compiler get as an argument."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The bounds of one evaluation.

    `steps` is the number of elements that all loops, nested ones included, may visit together; only loops can take
    long. `size` is the most elements of a collection, `length` the most characters of a text that it makes.
    """

    steps: int = 1_000_000
    size: int = 1_000_000
    length: int = 1_000_000


DEFAULT_BUDGET = Budget()
MAX_INTEGER = 2**63 - 1
"""The largest whole number that every database can hold."""


class LocatedError(Exception):
    """An error at `at`. It never leaves the package: `query.py` turns it into a public error that shows the text."""

    def __init__(self, problem: str, at: TextRange | None = None) -> None:
        super().__init__(problem)
        self.at = at


class MethodRaised(Exception):
    """Carries an exception of a method of the model past the handlers of the language's own errors."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class BudgetExhausted(LocatedError):
    """The evaluation exceeded its budget."""


class Mutation(LocatedError):
    """A query has called a method that has changed the model."""


class Untranslatable(LocatedError):
    """A part that can't become SQL; the problem says why."""


class Evaluation:
    """One evaluation of an expression, as operators see it. One that `may_change` the model is of an action.

    A text that calls others shares its budget with them: `outermost` is the evaluation that counts the steps of all.
    """

    __slots__ = ("_now", "_self_value", "_session", "budget", "left", "may_change", "names", "outermost")

    def __init__(
        self,
        names: Names,
        session: Session | None,
        budget: Budget,
        itself: object = None,
        caller: "Evaluation | None" = None,
        *,
        may_change: bool = False,
    ) -> None:
        self._self_value = itself
        self.names = names
        self.budget = budget
        self.may_change: bool = may_change and (caller is None or caller.may_change)
        self.left = budget.steps
        self.outermost: Evaluation = self if caller is None else caller.outermost
        self._session = session
        self._now: datetime | None = None

    @property
    def session_or_none(self) -> Session | None:
        """The session for reads, if there is one."""
        if self._session is None:
            self._session = session_of(self._self_value)
        return self._session

    @property
    def session(self) -> Session:
        """The session for reads: the one that was given, or the one that self is in. Raises `LocatedError`."""
        session = self.session_or_none
        if session is None:
            raise LocatedError("It reads from the database, so it needs self to be in a session, or session=…")
        return session

    @property
    def now(self) -> datetime:
        """The current time, which stands still during an evaluation."""
        if self._now is None:
            self._now = self.names.clock.now()
        return self._now

    def spend(self, steps: int) -> None:
        """Count elements that a loop visits, and calls of methods. Raises `BudgetExhausted`."""
        outermost = self.outermost
        outermost.left -= steps
        if outermost.left < 0:
            raise BudgetExhausted(f"It looks at more than {self.budget.steps:,} elements.")

    def check_size(self, items: Sequence[Any]) -> Sequence[Any]:
        """Return a collection unless it is too large. Raises `BudgetExhausted`."""
        if len(items) > self.budget.size:
            raise BudgetExhausted(f"A collection in it has more than {self.budget.size:,} elements.")
        return items

    def check_text(self, text: str | None) -> str | None:
        """Return a text unless it is too long. Raises `BudgetExhausted`."""
        if text is not None:
            self.check_length(len(text))
        return text

    def check_length(self, length: int) -> None:
        """Refuse a text of a length before it is made. Raises `BudgetExhausted`."""
        if length > self.budget.length:
            raise BudgetExhausted(f"A text in it has more than {self.budget.length:,} characters.")


def session_of(obj: object) -> Session | None:
    """Return the session that an object of the model is in; None for any other value."""
    return object_session(obj) if obj is not None and inspect(obj, raiseerr=False) is not None else None


def checked_integer(number: int | None) -> int | None:
    """Return a whole number unless it is too large for a database. Raises `BudgetExhausted`."""
    if number is not None and not -MAX_INTEGER <= number <= MAX_INTEGER:
        raise BudgetExhausted("A whole number in it is larger than 64 bits can hold.")
    return number
