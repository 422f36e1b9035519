"""The parts of a statement, in one flat list: the tables that it reads, and the conditions between them.

Joins, subqueries in FROM, in conditions and in the list of columns, and EXISTS all become tables beside each other.
What makes that right are nests. A nest is a place in the statement from which nothing leads out that would take rows
away outside of it: the inner side of an outer join, a subquery of which only the outcome counts. A condition holds for
the tables of its own nest.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause

from afterwork.store.journal.tracked_table import TrackedTable

SubqueryPath = tuple[int, ...]


@dataclass(eq=False)
class TableRef:
    """One place in a statement where it reads a watched table, there under an alias of its own. `deciding` are the
    columns by which it chooses, orders or groups, `valued` those of which only the values count."""

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
    """A value that comes with the statement; one of several values if it is `many`."""

    parameter: BindParameter[Any]
    many: bool


@dataclass(frozen=True)
class ColumnSource:
    """A value in another table. `nulls` says that null meets null."""

    table_ref: TableRef
    name: str
    nulls: bool = False


ValueSource = ConstantSource | ParameterSource | ColumnSource


@dataclass(frozen=True)
class Equality:
    """A column must have the value that a source has."""

    table_ref: TableRef
    name: str
    source: ValueSource


@dataclass(frozen=True, eq=False)
class Condition:
    """One of the conditions that must all be true in a nest. `clause` is the condition in terms of the aliases of its
    places, None where that can't be said; `equalities` is what it demands if it is nothing but an equality."""

    subquery_path: SubqueryPath
    clause: ColumnElement[bool] | None
    table_refs: frozenset[TableRef]
    equalities: tuple[Equality, ...] = ()


@dataclass(frozen=True)
class FlatQuery:
    """The places of a statement, and the conditions between them."""

    table_refs: list[TableRef] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)


class CannotFlatten(Exception):
    """The statement can't be taken apart: all that is in its tables counts as read."""


def column_of(place: TableRef, name: str) -> ColumnElement[Any]:
    """A column of a place, by the name that the database has for it."""
    return next(column for column in place.alias.c if column.name == name)
