"""`PSEval` and `PSEvalValue` as closures: each SELECT is made when the expression runs, with the values known then."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Select

from afterwork.language.run.evaluation import Closure, Compiler, Frame, LocatedError
from afterwork.language.typed.nodes import OperatorCall, TypedNode, first_effect
from afterwork.language.typed.types import CollectionType

LIMITS = slice(2, 4)
"""The operands that hold the limit and the offset."""


def in_database(statement_of: Callable[..., Select[Any]], node: OperatorCall, compiled: Compiler) -> Closure:
    """Return the closure of a call. `statement_of` makes a SELECT of a node, a frame, a limit and an offset."""
    query = _Query(statement_of, node.arguments[1])
    if isinstance(query.tree.type, CollectionType):
        return _elements(query, [compiled(limit) for limit in node.arguments[LIMITS]])
    return lambda frame: frame[0].session.scalars(query.statement(frame)).first()


@dataclass(frozen=True, slots=True)
class _Query:
    statement_of: Callable[..., Select[Any]]
    tree: TypedNode

    def statement(self, frame: Frame, *section: int | None) -> Select[Any]:
        if first_effect(self.tree) is not None:
            raise LocatedError("This changes the model, which a query of the database can't do.", self.tree.at)
        return self.statement_of(self.tree, frame, *section)


def _elements(query: _Query, limits: list[Closure]) -> Closure:
    def elements(frame: Frame) -> list[Any]:
        section = [limit(frame) for limit in limits]
        if any(number is not None and number < 0 for number in section):
            raise LocatedError("How many, and after how many, are no negative numbers.")
        evaluation = frame[0]
        rows = evaluation.session.scalars(query.statement(frame, *section))
        items = [item for item in islice(rows, evaluation.budget.size + 1) if item is not None]
        evaluation.spend(len(items))
        return items

    return elements
