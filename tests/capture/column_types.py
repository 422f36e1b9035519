"""Column types of an application's own."""

import enum
import uuid
from typing import Any

from sqlalchemy import (
    CHAR,
    Dialect,
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
