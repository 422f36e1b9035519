"""Column types of an application's own."""

import datetime as dt
import enum
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CHAR,
    Dialect,
    Integer,
    String,
    TypeDecorator,
    Uuid,
)


class Mood(enum.Enum):
    SAD = "a little sad"
    GLAD = "glad"


class Reversed(TypeDecorator[str]):
    """Text that is stored from right to left."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else value[::-1]

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else value[::-1]


class Guid(TypeDecorator[uuid.UUID]):
    """An id that is of another type in each database."""

    impl = CHAR
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Uuid() if dialect.name == "postgresql" else String(36))

    def process_bind_param(self, value: uuid.UUID | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        return value if value is None or isinstance(value, uuid.UUID) else uuid.UUID(value)


class DayAsText(TypeDecorator[dt.date]):
    """A day that is stored as a text."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: dt.date | None, dialect: Dialect) -> str | None:
        return None if value is None else value.strftime("%d/%m/%Y")

    def process_result_value(self, value: str | None, dialect: Dialect) -> dt.date | None:
        return None if value is None else dt.datetime.strptime(value, "%d/%m/%Y").date()


class Cents(TypeDecorator[Decimal]):
    """An amount that is stored as whole cents."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value * 100)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / 100


class Numbered(TypeDecorator[int]):
    """A number that is stored with a prefix."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else f"A-{value:05d}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value.removeprefix("A-"))


@dataclass(frozen=True)
class Plate:
    """The number of a car."""

    town: str
    number: int

    def __str__(self) -> str:
        return f"{self.town} {self.number}"


class PlateAsText(TypeDecorator[Plate]):
    """A value of a class of the application's own."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Plate | None, dialect: Dialect) -> str | None:
        return None if value is None else f"{value.town} {value.number}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> Plate | None:
        return None if value is None else Plate(value.split(" ")[0], int(value.split(" ")[1]))
