"""Criteria that a program adds to statements for all objects of a class, as for those that it has marked as deleted."""

from collections.abc import Iterable, Iterator, Set
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, func, select
from sqlalchemy.orm import InstanceState, RelationshipProperty, with_parent
from sqlalchemy.orm.util import LoaderCriteriaOption

Criteria = tuple[LoaderCriteriaOption, ...]


def criteria_in(options: Iterable[Any]) -> Criteria:
    """Return the criteria among the options of a statement, or among those that an object was loaded with."""
    return tuple(option for option in options if isinstance(option, LoaderCriteriaOption))


def for_compiler(criteria: Criteria) -> dict[Any, Any]:
    """Return criteria as SQLAlchemy keeps them while it compiles, to add them wherever their classes stand."""
    attributes: dict[Any, Any] = {"toplevel_orm": True}
    for one in criteria:
        one.get_global_criteria(attributes)
    return attributes


def within(criteria: Criteria, statement: Any) -> Criteria:
    """Return the criteria that hold within a select: one that stands in a criterion is not narrowed by that itself."""
    own = statement._annotations.get("for_loader_criteria")
    return criteria if own is None else tuple(one for one in criteria if one is not own)


def conditions(criteria: Criteria, tables: Set[FromClause]) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of criteria for classes that have some of these tables."""
    for one in criteria:
        for mapper in one._all_mappers():
            if not tables.isdisjoint(mapper.tables):
                yield one._resolve_where_criteria(mapper)


def asked_of_all(criteria: Criteria) -> Iterator[Select[Any]]:
    """Ask for all objects that meet criteria, wherever these may have been added."""
    for one in criteria:
        for mapper in one._all_mappers():
            yield select(func.count()).select_from(mapper.class_).where(one._resolve_where_criteria(mapper))


def asked_of_end(
    prop: RelationshipProperty[Any], state: InstanceState[Any], tables: Set[FromClause]
) -> Select[Any] | None:
    """Ask for the objects at an end as narrowed by the criteria that its object was loaded with. None if no criteria
    are about its tables."""
    criteria = criteria_in(state.load_options)
    narrowing = tuple(one for one in criteria if any(not tables.isdisjoint(of.tables) for of in one._all_mappers()))
    if not narrowing:
        return None
    end = getattr(state.class_, prop.key)
    return select(prop.entity.entity).where(with_parent(state.obj(), end)).options(*narrowing)
