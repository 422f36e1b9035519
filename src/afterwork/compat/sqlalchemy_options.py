"""Options of statements: how relationships are loaded, and criteria for all objects of a class."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Load, Mapper, RelationshipProperty
from sqlalchemy.orm.util import LoaderCriteriaOption

Criteria = tuple[LoaderCriteriaOption, ...]


def options_of(statement: Any) -> tuple[Any, ...]:
    """Return the options that a statement was given."""
    return getattr(statement, "_with_options", ())


def criteria_in(options: Iterable[Any]) -> Criteria:
    """Return the criteria among the options of a statement, or among those that an object was loaded with."""
    return tuple(option for option in options if isinstance(option, LoaderCriteriaOption))


def conditions_of(criterion: LoaderCriteriaOption) -> Iterator[tuple[Mapper[Any], ColumnElement[bool]]]:
    """Yield each class that a criterion is about, with the condition for its objects."""
    for mapper in mappers_of(criterion):
        yield mapper, criterion._resolve_where_criteria(mapper)


def meaning_of(criterion: LoaderCriteriaOption) -> Any:
    """Return what two criteria have in common that say the same; the criterion itself if SQLAlchemy can't tell."""
    key = criterion._generate_cache_key()
    return criterion if key is None else (key.key, tuple(repr(value.effective_value) for value in key.bindparams))


def mappers_of(criterion: LoaderCriteriaOption) -> Iterator[Mapper[Any]]:
    """Yield the classes that a criterion is about."""
    return criterion._all_mappers()


def reaches_relationships(criterion: Any) -> bool:
    """Return whether a criterion also narrows the relationships of the objects that are loaded."""
    return bool(criterion.propagate_to_loaders)


def compiler_attributes(criteria: Criteria) -> dict[Any, Any]:
    """Return criteria in the form in which a compiler adds them wherever their classes stand."""
    attributes: dict[Any, Any] = {"toplevel_orm": True}
    for criterion in criteria:
        criterion.get_global_criteria(attributes)
    return attributes


def criterion_around(statement: Any) -> object:
    """Return the criterion that a select is part of, which SQLAlchemy doesn't apply to that select; None if none."""
    return statement._annotations.get("for_loader_criteria")


def clauses_in(option: Any) -> Iterator[Any]:
    """Yield the clauses that a loader option brings: narrowed relationships (`and_`) and `with_expression`."""
    for element in option.context if isinstance(option, Load) else ():
        settings: Mapping[str, Any] = element.local_opts or {}
        clauses = [*element._extra_criteria, settings.get("expression")]
        yield from (clause for clause in clauses if clause is not None)


def may_concern(option: Any, prop: RelationshipProperty[Any]) -> bool:
    """Return whether an option may say how this member is loaded: it names the member or has a wildcard."""
    if isinstance(option, LoaderCriteriaOption):
        return False
    if type(option) is not Load:
        return True
    paths = [element.path.path for element in option.context]
    return any(prop in path or any(isinstance(step, str) for step in path) for path in paths)
