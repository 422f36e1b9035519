"""Known values as parameters of a statement."""

import enum
import uuid
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import cast, literal, null
from sqlalchemy.types import BigInteger, Boolean, Double, Enum, String, TypeEngine

from afterwork.language.run.values import as_stored, as_timestamp
from afterwork.language.sql.dialects import ExactDecimal
from afterwork.language.sql.rowset import Column, Term
from afterwork.language.sql.timestamps import DurationType, TimestampType
from afterwork.language.typed import types
from afterwork.language.typed.signature import TypePattern
from afterwork.language.typed.types import EnumType, Type

PARAMETER_CLASSES = (bool, int, float, Decimal, str, date, time, timedelta, uuid.UUID, bytes, enum.Enum)
"""The classes of values that can be parameters."""

COLUMN_TYPES: dict[Type, TypeEngine[Any]] = {
    types.BOOLEAN: Boolean(),
    types.INTEGER: BigInteger(),
    types.DECIMAL: ExactDecimal(),
    types.REAL: Double(),
    types.STRING: String(),
    types.DATETIME: TimestampType(),
    types.TIMESPAN: DurationType(),
}


def parameter(type_: Type, value: Any, like: Term | None) -> Term | None:
    """Return a value with the column type of `like`, the term to compare it with; None for a collection."""
    column_type = like.column_type if like is not None and like.column_type is not None else _column_type(type_)
    if value is None:
        # PostgreSQL needs the type of each null
        typed_null = null() if column_type is None else cast(null(), column_type)
        return Term(typed_null, type_, True, column_type, calculated=False, known_null=True)
    if not isinstance(value, PARAMETER_CLASSES):
        return None
    if type_ == types.DATETIME and isinstance(value, date):
        value = as_stored(as_timestamp(value), column_type)
    bound_as = None if isinstance(value, float) and isinstance(column_type, ExactDecimal) else column_type
    return Term(literal(value, bound_as), type_, False, column_type, calculated=False)


def null_parameter(pattern: TypePattern) -> Column:
    """Return null, with the type that an operator expects."""
    column_type = COLUMN_TYPES.get(types.BASIC_TYPES[pattern.name.lower()])
    return null() if column_type is None else cast(null(), column_type)


def _column_type(type_: Type) -> TypeEngine[Any] | None:
    return Enum(type_.cls, native_enum=False) if isinstance(type_, EnumType) else COLUMN_TYPES.get(type_)
