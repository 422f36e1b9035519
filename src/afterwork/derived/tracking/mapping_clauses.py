"""The columns and tables in the clauses of mappings, the joins of relationships, and how keys are inherited."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ClauseElement, FromClause, Table
from sqlalchemy.orm import InstanceState, Mapper, RelationshipProperty
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnClause, ColumnElement
from sqlalchemy.sql.operators import and_, eq
from sqlalchemy.sql.selectable import AliasedReturnsRows, SelectBase

from afterwork.compat.sqlalchemy_statements import is_remote
from afterwork.store.journal.tracked_table import TrackedTable


def identity_of(state: InstanceState[Any]) -> tuple[Any, ...]:
    """Return the primary key of an object, () if it has none yet."""
    return () if state.key is None else state.key[1]


def discriminator_columns(mapper: Mapper[Any]) -> Iterator[ColumnClause[Any]]:
    """Return the table columns that tell the class of an object.

    Those of a query over several tables are left out: they only tell which table a row is in.
    """
    columns = () if mapper.polymorphic_on is None else columns_in(mapper.polymorphic_on)
    return (column for column in columns if isinstance(column.table, Table))


def lookup_columns(mapper: Mapper[Any]) -> list[ColumnClause[Any]]:
    """Return the columns of other tables than its own that tell the class of an object."""
    return [column for column in discriminator_columns(mapper) if column.table not in mapper.tables]


def is_query(selectable: FromClause) -> bool:
    """Return whether a class that is mapped to this comes from a query rather than from rows of tables."""
    return any(isinstance(element, AliasedReturnsRows | SelectBase) for element in visitors.iterate(selectable))


def columns_in(*clauses: ClauseElement) -> Iterator[ColumnClause[Any]]:
    elements = (element for clause in clauses for element in visitors.iterate(clause))
    return (element for element in elements if isinstance(element, ColumnClause))


def tables_in(*clauses: ClauseElement) -> set[FromClause]:
    """Return all tables that some clauses read, including those behind aliases and in subqueries."""
    tables: set[FromClause] = set()
    for clause in clauses:
        for element in visitors.iterate(clause):
            if isinstance(element, Table):
                tables.add(element)
            elif isinstance(element, ColumnClause) and element.table is not None:
                table = element.table
                tables |= {table} if isinstance(table, Table) else tables_in(table)
    return tables


def equal_columns(clause: object) -> tuple[ColumnClause[Any], ColumnClause[Any]] | None:
    """Return the two columns that a condition equates; None for any other condition."""
    if isinstance(clause, BinaryExpression) and clause.operator is eq:
        left, right = clause.left, clause.right
        if isinstance(left, ColumnClause) and isinstance(right, ColumnClause):
            return left, right
    return None


def as_inherited(mapper: Mapper[Any], column: Any) -> Any:
    """Return the column of the topmost table that a key column inherits from."""
    parents = dict(_inherited_pairs(mapper))
    while column in parents and column not in mapper.primary_key:
        column = parents[column]
    return column


def key_positions(mapper: Mapper[Any], table: TrackedTable) -> tuple[int, ...] | None:
    """Return the positions, in the primary key of a class, of the key columns of one of its tables.

    None if the table's key is another one.
    """
    keys = list(mapper.primary_key)
    columns = [as_inherited(mapper, column) for column in table.key]
    if not columns or any(column not in keys for column in columns):
        return None
    return tuple(keys.index(column) for column in columns)


def _inherited_pairs(mapper: Mapper[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each column that joins a class's table to its parent's, with the parent's column."""
    for inheriting in mapper.iterate_to_root():
        if inheriting.inherit_condition is not None:
            for clause in visitors.iterate(inheriting.inherit_condition):
                if (pair := equal_columns(clause)) is not None:
                    yield pair if pair[0].table is inheriting.local_table else (pair[1], pair[0])


ColumnPairs = Sequence[tuple[ColumnClause[Any], ColumnClause[Any]]]
"""Columns that a join equates, each a local one and a remote one."""


def split_join(condition: ColumnElement[bool]) -> tuple[ColumnPairs | None, list[ColumnClause[Any]]]:
    """Return the pairs of columns that a join equates (None without any), and the columns of its other conditions."""
    pairs: list[tuple[ColumnClause[Any], ColumnClause[Any]]] = []
    rest: list[ColumnClause[Any]] = []
    for clause in _conjuncts(condition):
        pair = equal_columns(clause)
        if pair is not None and is_remote(pair[0]) != is_remote(pair[1]):
            pairs.append((pair[1], pair[0]) if is_remote(pair[0]) else pair)
        else:
            rest += list(columns_in(clause))
    return pairs or None, rest


def _conjuncts(condition: Any) -> Iterator[Any]:
    if isinstance(condition, BooleanClauseList) and condition.operator is and_:
        for clause in condition.clauses:
            yield from _conjuncts(clause)
    else:
        yield condition


def order_columns(prop: RelationshipProperty[Any]) -> list[ColumnClause[Any]]:
    """Return the columns by which a relationship orders its objects."""
    return list(columns_in(*(prop.order_by or ())))


def without_key(columns: Sequence[ColumnClause[Any]]) -> list[ColumnClause[Any]]:
    """Return the columns that are not part of a primary key. A key is what a row is; it can't change."""
    return [column for column in columns if not getattr(column, "primary_key", False)]
