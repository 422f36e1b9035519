"""Criteria that a program adds for all objects of a class (`with_loader_criteria`), as to hide the deleted ones."""

from collections.abc import Iterator, Set
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, func, select
from sqlalchemy.orm import InstanceState, RelationshipProperty, with_parent

from afterwork.compat.sqlalchemy_options import Criteria, conditions_of, criteria_in, criterion_around, mappers_of

__all__ = [
    "Criteria",
    "applying_to",
    "conditions_on",
    "criteria_in",
    "narrowed_relationship",
    "selects_of_criteria",
]


def applying_to(criteria: Criteria, statement: Any) -> Criteria:
    """Return the criteria that apply to a select. One that is part of a criterion is not narrowed by that itself."""
    own = criterion_around(statement)
    return criteria if own is None else tuple(criterion for criterion in criteria if criterion is not own)


def conditions_on(criteria: Criteria, tables: Set[FromClause]) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of criteria for classes that have one of these tables."""
    for criterion in criteria:
        for mapper, condition in conditions_of(criterion):
            if not tables.isdisjoint(mapper.tables):
                yield condition


def selects_of_criteria(criteria: Criteria) -> Iterator[Select[Any]]:
    """Yield a select of all objects that meet each criterion, wherever it may have been added."""
    for criterion in criteria:
        for mapper, condition in conditions_of(criterion):
            yield select(func.count()).select_from(mapper.class_).where(condition)


def narrowed_relationship(
    prop: RelationshipProperty[Any], state: InstanceState[Any], tables: Set[FromClause]
) -> Select[Any] | None:
    """Return the select of a relationship's objects, narrowed by the criteria that its object was loaded with.

    None if no criterion concerns its tables.
    """
    narrowing = tuple(criterion for criterion in criteria_in(state.load_options) if _concerns(criterion, tables))
    if not narrowing:
        return None
    relationship = getattr(state.class_, prop.key)
    return select(prop.entity.entity).where(with_parent(state.obj(), relationship)).options(*narrowing)


def _concerns(criterion: Any, tables: Set[FromClause]) -> bool:
    return any(not tables.isdisjoint(mapper.tables) for mapper in mappers_of(criterion))
