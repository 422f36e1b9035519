"""What is found by SQL within an expression, as a closure: its SELECT is made when it runs, of what is known then."""

from collections.abc import Callable
from itertools import islice
from typing import Any

from afterwork.language.run import Code, Frame, Trouble
from afterwork.language.typed import Call, Typed, effect_in
from afterwork.language.types import CollectionType

LIMITS = slice(2, 4)
"""The operands that say how many, and after how many."""


def in_database(node: Call, compiled: Callable[[Typed], Code]) -> Code:
    """The closure of `PSEval` and `PSEvalValue`."""
    wanted = node.arguments[1]
    if isinstance(wanted.type, CollectionType):
        return _several(wanted, [compiled(limit) for limit in node.arguments[LIMITS]])
    return lambda frame: frame[0].session.scalars(_statement(wanted, frame)).first()


def _several(wanted: Typed, limits: list[Code]) -> Code:
    def several(frame: Frame) -> list[Any]:
        section = [limit(frame) for limit in limits]
        if any(number is not None and number < 0 for number in section):
            raise Trouble("How many, and after how many, are no negative numbers.")
        run = frame[0]
        found = run.session.scalars(_statement(wanted, frame, *section))
        items = [item for item in islice(found, run.budget.size + 1) if item is not None]
        run.spend(len(items))
        return items

    return several


def _statement(wanted: Typed, frame: Frame, *section: int | None) -> Any:
    from afterwork.language.sql.statement import statement_of  # which compiles what is known beforehand

    if effect_in(wanted) is not None:
        raise Trouble("This changes the model, which a query of the database can't do.", wanted.at)
    return statement_of(wanted, frame, *section)
