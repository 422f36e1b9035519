"""Looking at the clauses of a statement, without asking where they belong."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BooleanClauseList, ColumnClause, Grouping, Over, WithinGroup
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase

from afterwork.derived.tracking.query.flat_query import CannotFlatten
from afterwork.errors import CantTrack

_ROW_BY_ROW = frozenset({"coalesce", "upper", "lower", "length", "abs", "round", "concat", "trim", "substr", "nullif"})
"""Functions that are surely no aggregates."""


def conjuncts(clause: Any) -> Iterator[Any]:
    """The conditions that must all be true for a clause to be true."""
    while isinstance(clause, Grouping):
        clause = clause.element
    if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for one in clause.clauses:
            yield from conjuncts(one)
    elif clause is not None:
        yield clause


def deciding(core: Select[Any]) -> Iterator[Any]:
    """What orders, groups and cuts a select."""
    yield from core._group_by_clauses
    yield from core._having_criteria
    yield from core._order_by_clauses
    yield from core._distinct_on
    cuts = (core._limit_clause, core._offset_clause, core._fetch_clause)
    yield from (clause for clause in cuts if clause is not None)


def is_plain(statement: Any) -> bool:
    """Whether a select has a row for each row of its FROM that meets its conditions."""
    if not isinstance(statement, Select):
        return False
    if any(True for _ in deciding(statement.order_by(None))) or statement._distinct:
        return False
    columns = [raw for raw in statement._raw_columns if not isinstance(raw, FromClause)]
    return all(
        not isinstance(element, Over | WithinGroup)
        and not (isinstance(element, FunctionElement) and getattr(element, "name", "") not in _ROW_BY_ROW)
        for column in columns
        for element in visitors.iterate(column)
    )


def selected(column: ColumnClause[Any]) -> list[Any]:
    """What a subquery selects as this column."""
    return list(getattr(column, "_proxies", ()))


def unlabelled(expression: Any) -> Any:
    """An expression without the names that it was given."""
    while hasattr(expression, "element") and isinstance(expression, ColumnElement) and _is_label(expression):
        expression = expression.element
    return expression


def _is_label(expression: Any) -> bool:
    return bool(expression.__visit_name__ == "label")


def table(column: ColumnClause[Any]) -> FromClause:
    """The table of a column. Raises `Unclear` if it has none."""
    if column.table is None:
        raise CannotFlatten(str(column))
    return column.table


def refuse_writing(element: Any) -> None:
    """Raises `CantTrack` for what stands where a select may stand, and writes."""
    if not isinstance(element, SelectBase):
        raise CantTrack("from a statement that writes", "a cache's question must not write. Put it into one of its own")
