"""A statement as one flat list: the tables that it reads, and the conditions between them.

Joins, subqueries in FROM, in conditions and in the list of columns, and EXISTS all become tables beside each other.
Subquery paths make that right. A path names a part of the statement that can't take rows away outside of it: the inner
side of an outer join, a subquery of which only the outcome counts. A condition holds for the tables of its own path.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause

from afterwork.store.journal.tracked_table import TrackedTable

SubqueryPath = tuple[int, ...]


@dataclass(eq=False)
class TableRef:
    """One reference of a statement to a tracked table, under an alias of its own.

    `deciding` are the columns by which the statement chooses, orders or groups, `valued` those that it only returns.
    """

    table: TrackedTable
    subquery_path: SubqueryPath
    alias: FromClause
    deciding: set[str] = field(default_factory=set)
    valued: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class ConstantSource:
    """A value that stands in the statement itself."""

    value: object


@dataclass(frozen=True, eq=False)
class ParameterSource:
    """A parameter of the statement; one of several values if `many`."""

    parameter: BindParameter[Any]
    many: bool


@dataclass(frozen=True)
class ColumnSource:
    """A column of another table ref. With `nulls`, null equals null."""

    table_ref: TableRef
    name: str
    nulls: bool = False


ValueSource = ConstantSource | ParameterSource | ColumnSource


@dataclass(frozen=True)
class Equality:
    """A demand that a column equals the value of a source."""

    table_ref: TableRef
    name: str
    source: ValueSource


@dataclass(frozen=True, eq=False)
class Condition:
    """One of the conditions that must all be true within a subquery path.

    `clause` is the condition in terms of its table refs' aliases, None where that is impossible. `equalities` are its
    demands if it is nothing but an equality.
    """

    subquery_path: SubqueryPath
    clause: ColumnElement[bool] | None
    table_refs: frozenset[TableRef]
    equalities: tuple[Equality, ...] = ()


@dataclass(frozen=True)
class FlatQuery:
    """The table refs of a statement, and the conditions between them."""

    table_refs: list[TableRef] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)


class CannotFlatten(Exception):
    """Raised for a statement that is too complicated: everything in its tables counts as read."""


def column_of(table_ref: TableRef, name: str) -> ColumnElement[Any]:
    """Return a column of a table ref, by its name in the database."""
    return next(column for column in table_ref.alias.c if column.name == name)
