"""The join conditions of relationships, taken apart."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.sql.elements import BooleanClauseList, ColumnClause, ColumnElement
from sqlalchemy.sql.operators import and_

from afterwork.compat.sqlalchemy_statements import is_remote
from afterwork.derived.tracking.mapping_clauses import columns_in, equal_columns

Pairs = Sequence[tuple[ColumnClause[Any], ColumnClause[Any]]]
"""Columns that a join equates, each a local one and a remote one."""


def split_join(condition: ColumnElement[bool]) -> tuple[Pairs | None, list[ColumnClause[Any]]]:
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
