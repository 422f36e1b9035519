"""Write values into one column of many rows, and nothing else."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Column, Connection, Update, bindparam, column, func, literal_column, table, update
from sqlalchemy.types import TypeDecorator

from afterwork.errors import RowNotFound
from afterwork.store.direct import Direct
from afterwork.store.journal.tracked_table import TrackedTable

Rows = Sequence[tuple[tuple[Any, ...], Any]]
"""Pairs of a primary key and a value."""

SCALAR_CLASSES = {bool, int, float, Decimal, str, bytes, UUID, date, datetime, time, timedelta}
"""Classes whose values are scalars in any column."""


class ColumnWriter:
    """Sets one column of rows by their keys, whose parts are in the order of the columns `key`.

    Columns that the model writes with every update are left alone.
    """

    def __init__(self, target: TrackedTable, key: Sequence[Column[Any]], member: Column[Any]) -> None:
        self._target, self._key, self._member = target, key, member
        self._one = Direct(_by_key(target, key, member).returning(literal_column("1")))

    def write(self, connection: Connection, rows: Rows) -> None:
        """Write values. Raises `RowNotFound` if a row is gone."""
        if (written := self._write(connection, rows)) < len(rows):
            raise RowNotFound(self._target.table.fullname, rows[0][0], len(rows), written)

    def _write(self, connection: Connection, rows: Rows) -> int:
        """Write values. Returns the number of rows that exist."""
        if len(rows) == 1:
            return len(self._one.execute(connection, _parameters(*rows[0])))
        if connection.dialect.name == "postgresql" and len(self._key) == 1 and _fit_in_array(self._member, rows):
            return _write_arrays(connection, self._target, self._member, rows)
        return connection.execute(
            _by_key(self._target, self._key, self._member), [_parameters(*row) for row in rows]
        ).rowcount


def _fit_in_array(member: Column[Any], rows: Rows) -> bool:
    """Return whether the items of an array are stored just as each value would be by itself.

    They aren't where a type or the database makes lists of them, which would be taken for arrays, or where the type has
    the database change them.
    """
    kinds = {type(value) for _, value in rows}
    is_plain = not isinstance(member.type, TypeDecorator) and not member.type._has_bind_expression
    return is_plain and len(kinds) == 1 and kinds <= SCALAR_CLASSES and not _may_be_cut(member, rows)


def _may_be_cut(member: Column[Any], rows: Rows) -> bool:
    """Return whether a text may be longer than its column. PostgreSQL refuses such a text, but cuts items of an
    array."""
    length = getattr(member.type, "length", None)
    return length is not None and not all(isinstance(value, str) and len(value) <= length for _, value in rows)


def _write_arrays(connection: Connection, target: TrackedTable, member: Column[Any], rows: Rows) -> int:
    """Write all values by one statement, which goes through the rows once."""
    (key,) = target.key
    bare = _bare(target, member)
    keys: Any = bindparam("keys", [key for (key,), _ in rows], ARRAY(key.type))
    values: Any = bindparam("new_values", [value for _, value in rows], ARRAY(member.type))
    both = func.unnest(keys, values).table_valued(column("key", key.type), column("value", member.type))
    new = both.render_derived(name="new")
    written = update(bare).where(bare.c[key.name] == new.c.key).values({member.name: new.c.value})
    return connection.execute(written).rowcount


def _by_key(target: TrackedTable, columns: Sequence[Column[Any]], member: Column[Any]) -> Update:
    bare = _bare(target, member)
    keys = (bare.c[key.name] == bindparam(f"key_{n}", type_=key.type) for n, key in enumerate(columns))
    return update(bare).where(*keys).values({member.name: bindparam("new_value", type_=member.type)})


def _parameters(key: tuple[Any, ...], value: Any) -> dict[str, Any]:
    return {"new_value": value} | {f"key_{n}": part for n, part in enumerate(key)}


def _bare(target: TrackedTable, member: Column[Any]) -> Any:
    """Return the table without the defaults and other extras of the model."""
    columns = (column(part.name, part.type) for part in (*target.key, member))
    return table(target.table.name, *columns, schema=target.table.schema)
