"""The types that columns have in the database, which need not be those that the model says."""

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Table
from sqlalchemy.types import UserDefinedType


@dataclass(frozen=True)
class ColumnType:
    """The type of a column. `name` is what one casts to, `base` what it comes down to, `size` how many characters,
    digits behind the point, or digits of a second it keeps, and `code` what the driver knows it by."""

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
    """A value that a column does not keep, but that a cast would make one of."""


@dataclass(frozen=True)
class UncertainValue:
    """A value of which only the database can say what a column keeps."""


class StoredColumns(Protocol):
    """What the columns of one kind of database make of values that are stored in them."""

    def type_of(self, connection: Connection, table: Table, column: str) -> ColumnType | None:
        """Look up the type of a column, or None where there is no such column."""

    def sent(self, bound: Any) -> Any:
        """Return a value that a type has made for the driver, as one that can be compared."""

    def kept(self, kind: ColumnType, sent: Any, there: Any) -> KeptValue | RefusedValue | UncertainValue:
        """Tell what a column keeps of a value. `there` is what was sent for the value that is stored now."""

    def as_kept(self, kind: ColumnType, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return what a column keeps of a value, as SQL."""


class Named(UserDefinedType[Any]):
    """A type that the database knows by a name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """Return the name."""
        return self.name
