"""The clauses of a statement by themselves, whatever scope they belong to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, ScalarSelect, Select
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnClause, Grouping, Over, WithinGroup
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import CTE, AliasedReturnsRows, CompoundSelect, Exists, SelectBase

from afterwork.compat.sqlalchemy_statements import aliased_cte, is_distinct, ordering_and_grouping, raw_columns
from afterwork.derived.tracking.query.flat_query import CannotFlatten
from afterwork.errors import CantTrack

_ROW_FUNCTIONS = frozenset(
    {"coalesce", "upper", "lower", "length", "abs", "round", "concat", "trim", "substr", "nullif"}
)
"""Functions that are certainly no aggregates."""


def conjuncts(clause: Any) -> Iterator[Any]:
    """Yield the conditions that must all be true for a clause to be true."""
    clause = without_brackets(clause)
    if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for part in clause.clauses:
            yield from conjuncts(part)
    elif clause is not None:
        yield clause


def without_brackets(clause: Any) -> Any:
    """Return a clause without the brackets around it."""
    while isinstance(clause, Grouping):
        clause = clause.element
    return clause


def without_labels(expression: Any) -> Any:
    """Return an expression without the labels that it was given."""
    while hasattr(expression, "element") and isinstance(expression, ColumnElement) and _is_label(expression):
        expression = expression.element
    return expression


def _is_label(expression: Any) -> bool:
    return bool(expression.__visit_name__ == "label")


def is_plain(statement: Any) -> bool:
    """Return whether a select has one row for each row of its FROM that meets its conditions."""
    if not isinstance(statement, Select):
        return False
    if any(True for _ in ordering_and_grouping(statement.order_by(None))) or is_distinct(statement):
        return False
    columns = [raw for raw in raw_columns(statement) if not isinstance(raw, FromClause)]
    return not any(_spans_rows(element) for column in columns for element in visitors.iterate(column))


def _spans_rows(element: Any) -> bool:
    if isinstance(element, FunctionElement):
        return getattr(element, "name", "") not in _ROW_FUNCTIONS
    return isinstance(element, Over | WithinGroup)


def selects_of(statement: Any) -> list[Any]:
    """Return the selects that a union, or a statement in brackets, consists of."""
    if isinstance(statement, CompoundSelect):
        return [select for part in statement.selects for select in selects_of(part)]
    if hasattr(statement, "element"):  # in brackets
        return selects_of(statement.element)
    return [statement]


@dataclass(frozen=True)
class SemiJoin:
    """A condition with EXISTS or IN, and the plain select in it. For IN, `left` and `column` must be equal."""

    select: Select[Any]
    left: ColumnClause[Any] | None = None
    column: Any = None


def semi_join_in(condition: Any) -> SemiJoin | None:
    """Return the semi-join that a condition is; None if it is another condition or its select is not plain."""
    element = without_brackets(condition)
    if type(element) is Exists:
        selects = selects_of(element.element)
        return SemiJoin(selects[0]) if len(selects) == 1 and is_plain(selects[0]) else None
    if not isinstance(element, BinaryExpression) or element.operator is not operators.in_op:
        return None
    if not isinstance(element.right, ScalarSelect | SelectBase) or not isinstance(element.left, ColumnClause):
        return None
    selects = selects_of(element.right)
    if len(selects) != 1 or not is_plain(selects[0]) or len(selects[0].selected_columns) != 1:
        return None
    return SemiJoin(selects[0], element.left, next(iter(selects[0].selected_columns)))


def table_of(column: ColumnClause[Any]) -> FromClause:
    """Return the table of a column. Raises `CannotFlatten` if it has none."""
    if column.table is None:
        raise CannotFlatten(str(column))
    return column.table


def refuse_writing(element: Any) -> None:
    """Raise `CantTrack` for a statement that writes in place of a select."""
    if not isinstance(element, SelectBase):
        raise CantTrack("from a statement that writes", "a cache's question must not write. Put it into one of its own")


def aliased_element(member: AliasedReturnsRows) -> Any:
    """Return what a subquery, CTE or alias in FROM stands for. Raises `CannotFlatten` for a recursive CTE."""
    if not isinstance(member, CTE):
        return member.element
    if member.recursive:
        raise CannotFlatten("WITH RECURSIVE")
    refuse_writing(member.element)
    original = aliased_cte(member)
    return member.element if original is None else original
