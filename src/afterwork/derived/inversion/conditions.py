"""The conditions that a route applies: those that can't fail, and that a touch's values meet as the row itself does.

To leave one out is always right: the route then finds more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause, and_, not_, or_
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import (
    BinaryExpression,
    BooleanClauseList,
    ColumnClause,
    False_,
    Grouping,
    Null,
    True_,
    UnaryExpression,
)

from afterwork.derived.tracking.query.flat_query import TableRef
from afterwork.store.journal.touch_values import BY_ANY_COLLATION, ComparedColumn, TouchValues
from afterwork.store.journal.tracked_table import TrackedTable

COMPARISONS = {*BY_ANY_COLLATION, operators.lt, operators.le, operators.gt, operators.ge}


@dataclass(frozen=True)
class RouteConditions:
    """Makes the conditions of the route that begins with the rows of a table ref. `tables` has all by their aliases."""

    row: TableRef
    tables: Mapping[FromClause, TrackedTable]
    touch_values: TouchValues

    def applied(self, clause: Any) -> ColumnElement[bool] | None:
        """Return a condition as the route applies it; None if it is to be left out."""
        match clause:
            case Grouping():
                return self.applied(clause.element)
            case BooleanClauseList():
                return self._joined(clause)
            case UnaryExpression() if clause.operator is operators.inv:
                part = self.applied(clause.element)
                return None if part is None else not_(part)
            case BinaryExpression() if clause.operator in COMPARISONS and not clause.modifiers.get("escape"):
                return self._compared(clause)
            case True_() | False_():
                return clause
            case _:
                return clause if self._is_readable(getattr(clause, "element", clause)) else None

    def _joined(self, clauses: BooleanClauseList) -> ColumnElement[bool] | None:
        parts = [self.applied(part) for part in clauses.clauses]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return and_(*known) if clauses.operator is operators.and_ else or_(*known)

    def _compared(self, comparison: BinaryExpression[Any]) -> ColumnElement[bool] | None:
        sides = self._operand(comparison.left), self._operand(comparison.right)
        applied: ColumnElement[bool] | None = comparison
        for side, operand, other in ((comparison.left, *sides), (comparison.right, *reversed(sides))):
            if operand is None:
                return None
            if applied is not None and self._is_of_row(side):
                assert isinstance(operand, ComparedColumn)
                can_hold = self.touch_values.can_hold(operand)
                applied = self.touch_values.comparison(comparison, operand, other) if can_hold else None
        return applied

    def _operand(self, operand: Any) -> Any:
        """Return a side of a comparison, a column as such; None if it is something that could fail."""
        match operand:
            case Grouping():
                return self._operand(operand.element)
            case BindParameter() | Null() | True_() | False_():
                return operand
            case ColumnClause() if operand.table is not None:
                return self._column(operand)
            case _:
                return None

    def _column(self, column: ColumnClause[Any]) -> ComparedColumn | None:
        table = None if column.table is None else self.tables.get(column.table)
        return None if table is None else ComparedColumn(table, column.name)

    def _is_readable(self, element: Any) -> bool:
        """Return whether an element is a column that the route reads, from a touch or from a table."""
        operand = self._operand(element)
        if not isinstance(operand, ComparedColumn):
            return False
        return not self._is_of_row(element) or self.touch_values.can_hold(operand)

    def _is_of_row(self, element: Any) -> bool:
        while isinstance(element, Grouping):
            element = element.element
        return isinstance(element, ColumnClause) and element.table is self.row.alias
