"""Values from scratch: an expression that reads no derived member, since each is replaced by its own expression."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, ScalarSelect, Select, Table
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnClause

from afterwork.compat.sqlalchemy_statements import with_left_side
from afterwork.derived.inversion.inversion import Inversion

ColumnFeeders = Mapping[Column[Any], Inversion]


def from_scratch(inversion: Inversion, feeders: Sequence[Inversion]) -> ColumnElement[Any]:
    """Return the value of a derived member as an expression that reads none that these feeders write."""
    return _Replacing({feeder.declared.column: feeder for feeder in feeders}).value(inversion)


class _Replacing:
    """Replaces what feeders write by their own expressions."""

    def __init__(self, feeders: ColumnFeeders) -> None:
        self._feeders = feeders
        self._prepared: list[Select[Any]] = []

    def value(self, inversion: Inversion) -> ColumnElement[Any]:
        expression: Any = inversion.expression
        start = expression.__clause_element__() if hasattr(expression, "__clause_element__") else expression
        value: ColumnElement[Any] = _traversed(start, self._replace)
        return value

    def _replace(self, element: Any, **options: Any) -> Any:
        match element:
            case Select() if not any(element is select for select in self._prepared):
                # Its columns may be all that says where its joins begin.
                self._prepared.append(with_left_side(element))
                return _traversed(self._prepared[-1], self._replace)
            case ColumnClause() if element.table is not None:
                feeder = next((feeder for column, feeder in self._feeders.items() if _is_of(element, column)), None)
                return None if feeder is None else _moved(self.value(feeder), feeder.table.table, element.table)
            case _:
                return None


def _traversed(element: Any, replace: Any) -> Any:
    return visitors.replacement_traverse(element, {}, replace)


def _is_of(element: ColumnClause[Any], column: Column[Any]) -> bool:
    """Return whether an element is this column, of its table or of an alias of that."""
    if element.name != column.name:
        return False
    table: Any = element.table
    # By equality: a mapped class annotates its tables, and what is annotated equals its original.
    return bool(table == column.table or getattr(table, "element", None) == column.table)


def _moved(value: ColumnElement[Any], table: Table, to: FromClause) -> ColumnElement[Any]:
    """Return a value of a table's rows as one of an alias, wherever in a query that is."""

    def correlate(element: Any, **options: Any) -> Any:
        return element.correlate(to) if isinstance(element, ScalarSelect) else None

    def replace(element: Any, **options: Any) -> Any:
        if isinstance(element, ColumnClause) and element.table == table:
            return to.c[element.key]
        return to if isinstance(element, Table) and element == table else None

    moved: ColumnElement[Any] = _traversed(value if to == table else _traversed(value, replace), correlate)
    return moved
