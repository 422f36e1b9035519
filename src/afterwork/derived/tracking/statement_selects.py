"""What a statement asks the database for. All kinds of statements are known, or refused."""

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
from sqlalchemy.orm import Load
from sqlalchemy.orm.context import FromStatement
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ClauseElement, ReleaseSavepointClause, RollbackToSavepointClause, SavepointClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.lambdas import StatementLambdaElement
from sqlalchemy.sql.selectable import SelectBase

from afterwork.derived.tracking.loader_criteria import asked_of_all, criteria_in
from afterwork.errors import UnknownStatement


def select_in(statement: Any) -> Executable | None:
    """Return what a statement asks the database for, as a select; None if it asks for nothing. One that writes asks
    which rows it is to change.

    Raises `UnknownStatement`.
    """
    while isinstance(statement, StatementLambdaElement | FromStatement):
        statement = _within(statement)
    match statement:
        case Select() | CompoundSelect() | TextualSelect() | TextClause():
            return statement
        case FunctionElement():
            return statement.select()
        case Insert():
            return _asked_by_insert(statement)
        case Update() | Delete():
            return _asked_by_change(statement)
        case SavepointClause() | RollbackToSavepointClause() | ReleaseSavepointClause():
            return None
        case _:
            raise UnknownStatement(type(statement).__name__)


def selects_in_options(statement: Any) -> Iterator[Select[Any]]:
    """Find what the options of a statement read beside it: they narrow what is loaded with it, or calculate members."""
    if isinstance(statement, StatementLambdaElement):
        statement = _within(statement)
    options = getattr(statement, "_with_options", ())
    for option in options:
        for element in option.context if isinstance(option, Load) else ():
            details: dict[str, Any] = dict(element.local_opts or {})
            narrowed = [*element._extra_criteria, details.get("expression")]
            yield from (select(clause) for clause in narrowed if clause is not None)
    # The others are read with the statement itself, and with the ends of what it loads.
    yield from asked_of_all(tuple(one for one in criteria_in(options) if _is_beside(statement, one)))


def _is_beside(statement: Any, criterion: Any) -> bool:
    """Whether what a criterion narrows is neither in the question for a statement nor known from what is loaded."""
    return not (isinstance(statement, Select | CompoundSelect) and criterion.propagate_to_loaders)


def _within(statement: Any) -> Any:
    return statement.element if isinstance(statement, FromStatement) else statement._resolved


def _asked_by_insert(statement: Insert) -> Executable | None:
    if isinstance(statement.select, Executable):
        return statement.select
    asked = _asked_for_values(statement)
    return select(*asked) if asked else None


def _asked_by_change(statement: Update | Delete) -> Executable | None:
    asked = _asked_for_values(statement)
    if statement.whereclause is None and not asked:
        return None
    found = select(*(list(statement.exported_columns) or [func.count()]), *asked).select_from(statement.table)
    return found if statement.whereclause is None else found.where(statement.whereclause)


def _asked_for_values(statement: Insert | Update | Delete) -> list[Any]:
    """The values that a statement writes and asks the database for, by a select."""
    given: list[Any] = list((getattr(statement, "_values", None) or {}).values())
    given += [value for _, value in getattr(statement, "_ordered_values", None) or ()]
    for rows in getattr(statement, "_multi_values", ()):
        given += [value for row in rows for value in (row.values() if isinstance(row, dict) else row)]
    conflict: Any = getattr(statement, "_post_values_clause", None)
    given += [value for _, value in getattr(conflict, "update_values_to_set", ())]
    return [value for value in given if isinstance(value, ClauseElement) and _has_select(value)]


def _has_select(value: ClauseElement) -> bool:
    return any(isinstance(element, SelectBase) for element in visitors.iterate(value))
