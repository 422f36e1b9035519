"""The members of a mapped class, as its mapper tells of them."""

import datetime as dt
import enum
import functools
import typing
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Enum, Interval, inspect
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipProperty
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.language.typed import types
from afterwork.language.typed.types import CollectionType, ObjectType, Type

UNREADABLE_LOADERS = ("dynamic", "write_only", "noload", "raise")
"""Ways to load an end that give no collection to look into."""


@dataclass(frozen=True, slots=True)
class AttributeMember:
    """One attribute. `kept_as` is its column's type, None where it has none; `plain` is False where the database holds
    something else than the value, so that it can be compared there but not calculated with."""

    key: str
    type: Type
    nullable: bool
    writable: bool
    column_type: TypeEngine[Any] | None
    stored_as_is: bool


@dataclass(frozen=True, slots=True)
class AssociationEnd:
    """One association end: of `many` objects, or of one or none."""

    key: str
    cls: type
    many: bool
    ordered: bool
    writable: bool

    @property
    def type(self) -> Type:
        target = ObjectType(self.cls)
        if not self.many:
            return target
        return CollectionType("OrderedSet" if self.ordered else "Set", target)


Member = AttributeMember | AssociationEnd


@functools.lru_cache(maxsize=1024)
def members_of(cls: type, transients: tuple[str, ...] = ()) -> Mapping[str, Member]:
    """The members of a class by their keys. Transients are attributes of any type that have no column."""
    mapper: Mapper[Any] = inspect(cls)
    found: dict[str, Member] = {}
    for attribute in mapper.column_attrs:
        found[attribute.key] = _attribute(attribute)
    for end in mapper.relationships:
        if end.lazy not in UNREADABLE_LOADERS:
            found[end.key] = _end(end)
    for key in transients:
        found[key] = AttributeMember(key, types.ANY, True, True, None, False)
    return found


def _end(end: RelationshipProperty[Any]) -> AssociationEnd:
    return AssociationEnd(end.key, end.mapper.class_, bool(end.uselist), bool(end.order_by), not end.viewonly)


def _attribute(attribute: ColumnProperty[Any]) -> AttributeMember:
    column = attribute.columns[0]
    real = isinstance(column, Column)
    kind = _value_type(column.type)
    nullable = bool(column.nullable) if real else True
    return AttributeMember(attribute.key, kind, nullable, real, column.type, kind == _stored_type(column.type))


def _value_type(kept_as: TypeEngine[Any]) -> Type:
    """The type of a column's values. A decorator that makes them of something else says what it makes."""
    if not isinstance(kept_as, TypeDecorator) or not _makes_values(kept_as):
        return _stored_type(kept_as)
    try:
        said = typing.get_type_hints(type(kept_as).process_result_value).get("return")
    except (NameError, TypeError):  # it names what only a type checker sees
        return types.ANY
    classes = [one for one in (typing.get_args(said) or (said,)) if isinstance(one, type) and one is not type(None)]
    return type_of_class(classes[0]) if len(classes) == 1 else types.ANY


def _makes_values(kept_as: TypeDecorator[Any]) -> bool:
    return type(kept_as).process_result_value is not TypeDecorator.process_result_value


def _stored_type(kept_as: TypeEngine[Any]) -> Type:
    """The type of what the database holds. SQLAlchemy's spans are decorated moments where it has none."""
    if isinstance(kept_as, Interval):
        return types.TIMESPAN
    inner = kept_as.impl_instance if isinstance(kept_as, TypeDecorator) else kept_as
    if isinstance(inner, Enum) and inner.enum_class is None:
        return types.STRING
    try:
        return type_of_class(inner.python_type)
    except NotImplementedError:
        return types.ANY


TYPES_BY_CLASS: tuple[tuple[type, Type], ...] = (
    (bool, types.BOOLEAN),
    (int, types.INTEGER),
    (float, types.REAL),
    (Decimal, types.DECIMAL),
    (str, types.STRING),
    (dt.datetime, types.DATETIME),
    (dt.date, types.DATE),
    (dt.time, types.TIME),
    (dt.timedelta, types.TIMESPAN),
    (uuid.UUID, types.GUID),
    (bytes, types.BYTES),
)


def type_of_class(cls: type) -> Type:
    """The type of a Python class's instances; Any for what the language knows nothing of."""
    if issubclass(cls, enum.Enum):
        return types.EnumType(cls)
    return next((kind for base, kind in TYPES_BY_CLASS if issubclass(cls, base)), types.ANY)


def type_of_value(value: object) -> Type:
    """The type of a Python value: for variables that are given without one."""
    if value is None:
        return types.NULL
    if inspect(type(value), raiseerr=False) is not None:
        return ObjectType(type(value))
    if isinstance(value, list | tuple):
        element: Type = types.NULL
        for item in value:
            element = types.common_type(element, type_of_value(item))
        return CollectionType("Sequence", element)
    return type_of_class(type(value))
