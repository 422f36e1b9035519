"""The types that columns have in the database, which may differ from the model's."""

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.types import UserDefinedType


@dataclass(frozen=True)
class ColumnType:
    """The type of a column. `name` is the target of a cast, `base` the type behind it, `size` the number of characters,
    decimal places, or digits of a second that it keeps, and `code` the driver's number for it."""

    name: str
    base: str
    size: int | None = None
    code: int | None = None


@dataclass(frozen=True)
class KeptValue:
    """A value as a column keeps it."""

    value: Any


@dataclass(frozen=True)
class RefusedValue:
    """A value that a column refuses, although a cast would convert it."""


@dataclass(frozen=True)
class UncertainValue:
    """A value for which only the database can tell what a column keeps."""


class StoredColumns(Protocol):
    """The conversions that the columns of one kind of database apply to stored values."""

    def type_of(self, connection: Connection, table: Table, column: str) -> ColumnType | None:
        """Return the type of a column; None without such a column."""

    def sent(self, bound: Any) -> Any:
        """Return a value as bound for the driver in a form that can be compared."""

    def kept(self, kind: ColumnType, sent: Any, current: Any) -> KeptValue | RefusedValue | UncertainValue:
        """Return what a column keeps of a value. `current` is what was sent for the value that is stored now."""

    def as_kept(self, kind: ColumnType, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the SQL for what a column keeps of a value."""


class Named(UserDefinedType[Any]):
    """A type that the database knows by name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name
