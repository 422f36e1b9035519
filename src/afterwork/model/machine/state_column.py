"""The column that has the state of a machine: whether it can hold what the machine keeps there."""

import enum
from collections.abc import Iterable
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Enum, String
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.model.column_types import python_type

NUMBERS = (int, float, Decimal)
EXACT = (str, bool, bytes, date, time, timedelta, UUID)
"""The classes of columns that give back nothing but their objects."""


def state_column_problem(column: ColumnElement[Any], values: Iterable[object]) -> str:
    """Return why a column can't hold the values of all states; "" if it can.

    What a decorated type makes of them, only that knows.
    """
    if isinstance(column.type, TypeDecorator):
        return ""
    unfit = next((value for value in values if not _holds(column.type, python_type(column), value)), None)
    if unfit is None:
        return ""
    return (
        f"{column.type!r} can't hold {unfit!r}, the value of one of its states. Declare the column as a text that is "
        "long enough, Mapped[str | None], or give the states values that it can hold: State(value=1)."
    )


def _holds(kind: TypeEngine[Any], cls: type | None, value: object) -> bool:
    match kind:
        case Enum(enum_class=None, enums=names):
            return value in names
        case Enum(enum_class=type() as declared):
            return isinstance(value, declared) or value in declared.__members__
        case String(length=int() as length) if isinstance(value, str):
            return len(value) <= length
    if cls is None or isinstance(value, enum.Enum):
        return True
    if issubclass(cls, NUMBERS) and cls is not bool:
        return isinstance(value, int if issubclass(cls, int) else NUMBERS)
    return not issubclass(cls, EXACT) or isinstance(value, cls)
