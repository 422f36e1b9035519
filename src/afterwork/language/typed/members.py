"""The members of a mapped class: its attributes and association ends, with the types of the language."""

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
from sqlalchemy.orm import ColumnProperty, Mapper
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.language.typed import types
from afterwork.language.typed.types import CollectionType, ObjectType, Type

UNREADABLE_LOADERS = ("dynamic", "write_only", "noload", "raise")
"""Loader strategies of association ends that give no collection to read."""


@dataclass(frozen=True, slots=True)
class AttributeMember:
    """An attribute of a class. `column_type` is None where it has no column.

    `stored_as_is` is False where the database holds something other than the value, which can then be compared there,
    but not computed with.
    """

    key: str
    type: Type
    nullable: bool
    writable: bool
    column_type: TypeEngine[Any] | None
    stored_as_is: bool


@dataclass(frozen=True, slots=True)
class AssociationEnd:
    """An association end of a class: of `many` objects, or of one or none."""

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
    """Return the members of a class by key. Transients are attributes of any type without a column."""
    mapper: Mapper[Any] = inspect(cls)
    members: dict[str, Member] = {}
    for attribute in mapper.column_attrs:
        members[attribute.key] = _attribute(attribute)
    for end in mapper.relationships:
        if end.lazy not in UNREADABLE_LOADERS:
            many, ordered = bool(end.uselist), bool(end.order_by)
            members[end.key] = AssociationEnd(end.key, end.mapper.class_, many, ordered, not end.viewonly)
    for key in transients:
        members[key] = AttributeMember(key, types.ANY, True, True, None, False)
    return members


def _attribute(attribute: ColumnProperty[Any]) -> AttributeMember:
    column = attribute.columns[0]
    is_column = isinstance(column, Column)
    type_ = _value_type(column.type)
    nullable = bool(column.nullable) if is_column else True
    return AttributeMember(attribute.key, type_, nullable, is_column, column.type, type_ == _stored_type(column.type))


def _value_type(column_type: TypeEngine[Any]) -> Type:
    """Return the type of a column's values: a decorator that converts them declares it by its return annotation."""
    if not isinstance(column_type, TypeDecorator) or (
        type(column_type).process_result_value is TypeDecorator.process_result_value
    ):
        return _stored_type(column_type)
    try:
        annotation = typing.get_type_hints(type(column_type).process_result_value).get("return")
    except (NameError, TypeError):  # it names something that only a type checker sees
        return types.ANY
    alternatives = typing.get_args(annotation) or (annotation,)
    classes = [cls for cls in alternatives if isinstance(cls, type) and cls is not type(None)]
    return type_of_class(classes[0]) if len(classes) == 1 else types.ANY


def _stored_type(column_type: TypeEngine[Any]) -> Type:
    """Return the type of what the database holds. SQLAlchemy stores durations as timestamps where it must."""
    if isinstance(column_type, Interval):
        return types.TIMESPAN
    inner = column_type.impl_instance if isinstance(column_type, TypeDecorator) else column_type
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
    """Return the type of the instances of a Python class; Any for an unknown class."""
    if issubclass(cls, enum.Enum):
        return types.EnumType(cls)
    return next((type_ for base, type_ in TYPES_BY_CLASS if issubclass(cls, base)), types.ANY)


def type_of_value(value: object) -> Type:
    """Return the type of a Python value, for variables that are given without one."""
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
