"""Criteria that a program adds for all objects of a class (`with_loader_criteria`), as to hide the deleted ones."""

from collections.abc import Iterator, Set
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, func, select
from sqlalchemy.orm import InstanceState, RelationshipProperty, with_parent

from afterwork.compat.sqlalchemy_options import (
    Criteria,
    conditions_of,
    criteria_in,
    criterion_around,
    mappers_of,
    meaning_of,
    options_of,
)

__all__ = [
    "Criteria",
    "StatementCriteria",
    "applying_to",
    "conditions_on",
    "criteria_in",
    "narrowed_relationships",
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


class StatementCriteria:
    """The criteria of the statements that a job has executed, each once.

    They narrow the relationships that a statement loads eagerly, also those of objects that were loaded before it, with
    other criteria or with none.
    """

    def __init__(self) -> None:
        self._by_meaning: dict[Any, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._by_meaning)

    def add(self, statement: Any) -> None:
        """Note the criteria of a statement."""
        for criterion in criteria_in(options_of(statement)):
            self._by_meaning.setdefault(meaning_of(criterion), criterion)

    def other_than(self, criteria: Criteria) -> Criteria:
        """Return those that say something else than these."""
        if not self._by_meaning:
            return ()
        meanings = set(map(meaning_of, criteria))
        return tuple(criterion for meaning, criterion in self._by_meaning.items() if meaning not in meanings)


def narrowed_relationships(
    prop: RelationshipProperty[Any], state: InstanceState[Any], tables: Set[FromClause], executed: StatementCriteria
) -> Iterator[Select[Any]]:
    """Yield selects of a relationship's objects that are narrowed by criteria.

    One by all criteria that its object was loaded with, and one by each of other statements, which may have loaded the
    relationship. Those that don't concern its tables are left out.
    """
    own = criteria_in(state.load_options)
    for criteria in (own, *((other,) for other in executed.other_than(own))):
        narrowing = tuple(criterion for criterion in criteria if _concerns(criterion, tables))
        if narrowing:
            relationship = getattr(state.class_, prop.key)
            yield select(prop.entity.entity).where(with_parent(state.obj(), relationship)).options(*narrowing)


def _concerns(criterion: Any, tables: Set[FromClause]) -> bool:
    return any(not tables.isdisjoint(mapper.tables) for mapper in mappers_of(criterion))
