"""Selects of all that a statement reads. Every kind of statement is known, or refused."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Delete,
    Executable,
    Insert,
    Select,
    TextClause,
    TextualSelect,
    Update,
    func,
    select,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ClauseElement, ReleaseSavepointClause, RollbackToSavepointClause, SavepointClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase

from afterwork.compat.sqlalchemy_options import clauses_in, options_of, reaches_relationships
from afterwork.compat.sqlalchemy_statements import unwrapped, unwrapped_lambda, written_values
from afterwork.derived.tracking.loader_criteria import criteria_in, selects_of_criteria
from afterwork.errors import UnknownStatement


def select_in(statement: Any) -> Executable | None:
    """Return a select of what a statement reads; None if it reads nothing. A write reads the rows that it changes.

    Raises `UnknownStatement`.
    """
    statement = unwrapped(statement)
    match statement:
        case Select() | CompoundSelect() | TextualSelect() | TextClause():
            return statement
        case FunctionElement():
            return statement.select()
        case Insert():
            return _select_in_insert(statement)
        case Update() | Delete():
            return _select_in_change(statement)
        case SavepointClause() | RollbackToSavepointClause() | ReleaseSavepointClause():
            return None
        case _:
            raise UnknownStatement(type(statement).__name__)


def selects_in_options(statement: Any) -> Iterator[Select[Any]]:
    """Yield selects of what the options of a statement read beside it: narrowed relationships, calculated members."""
    yield from selects_of_clauses(statement)
    statement = unwrapped_lambda(statement)
    # Other criteria are read with the statement itself, and with the relationships of what it loads.
    criteria = criteria_in(options_of(statement))
    yield from selects_of_criteria(
        tuple(criterion for criterion in criteria if not _is_seen_with(statement, criterion))
    )


def selects_of_clauses(statement: Any) -> Iterator[Select[Any]]:
    """Yield selects of the expressions in the options of a statement, which have members calculated."""
    options = options_of(unwrapped_lambda(statement))
    return (select(clause) for option in options for clause in clauses_in(option))


def _is_seen_with(statement: Any, criterion: Any) -> bool:
    """Return whether what a criterion narrows is part of the statement's select, or known of what it loads."""
    return isinstance(statement, Select | CompoundSelect) and reaches_relationships(criterion)


def _select_in_insert(statement: Insert) -> Executable | None:
    if isinstance(statement.select, Executable):
        return statement.select
    subqueries = _written_subqueries(statement)
    return select(*subqueries) if subqueries else None


def _select_in_change(statement: Update | Delete) -> Executable | None:
    subqueries = _written_subqueries(statement)
    if statement.whereclause is None and not subqueries:
        return None
    columns = list(statement.exported_columns) or [func.count()]
    query = select(*columns, *subqueries).select_from(statement.table)
    return query if statement.whereclause is None else query.where(statement.whereclause)


def _written_subqueries(statement: Insert | Update | Delete) -> list[Any]:
    """Return the written values that are read from the database by a subquery."""
    values = written_values(statement)
    return [value for value in values if isinstance(value, ClauseElement) and _has_subquery(value)]


def _has_subquery(value: ClauseElement) -> bool:
    return any(isinstance(element, SelectBase) for element in visitors.iterate(value))
