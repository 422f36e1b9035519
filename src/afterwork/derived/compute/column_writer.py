"""Writing values into one column of many rows, and nothing else."""

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
"""Each a primary key and a value."""

ITEMS = {bool, int, float, Decimal, str, bytes, UUID, date, datetime, time, timedelta}
"""Classes of values that are single ones in any column."""


class ColumnWriter:
    """Sets a column of the rows with certain keys, which have their parts in the order of the columns `key`. What the
    model writes with every update is not written."""

    def __init__(self, target: TrackedTable, key: Sequence[Column[Any]], member: Column[Any]) -> None:
        self._target, self._key, self._member = target, key, member
        self._one = Direct(_by_key(target, key, member).returning(literal_column("1")))

    def write(self, connection: Connection, rows: Rows) -> None:
        """Write values. Raises `RowNotFound` if there is no row for one of them."""
        if (found := self._write(connection, rows)) < len(rows):
            raise RowNotFound(self._target.table.fullname, rows[0][0], len(rows), found)

    def _write(self, connection: Connection, rows: Rows) -> int:
        """Write values. Returns the number of rows that were found."""
        if len(rows) == 1:
            return len(self._one.execute(connection, _parameters(*rows[0])))
        if connection.dialect.name == "postgresql" and len(self._key) == 1 and _fit_in_array(self._member, rows):
            return _write_arrays(connection, self._target, self._member, rows)
        return connection.execute(
            _by_key(self._target, self._key, self._member), [_parameters(*row) for row in rows]
        ).rowcount


def _fit_in_array(member: Column[Any], rows: Rows) -> bool:
    """Whether values, as items of an array, become what each would be by itself. Not so where a type or the database
    makes lists of them, which would be taken for arrays, or where the type has the database change them."""
    kinds = {type(value) for _, value in rows}
    is_plain = not isinstance(member.type, TypeDecorator) and not member.type._has_bind_expression
    return is_plain and len(kinds) == 1 and kinds <= ITEMS and not _may_be_cut(member, rows)


def _may_be_cut(member: Column[Any], rows: Rows) -> bool:
    """Whether a text may be longer than its column. PostgreSQL refuses it, but cuts the elements of an array."""
    length = getattr(member.type, "length", None)
    return length is not None and not all(isinstance(value, str) and len(value) <= length for _, value in rows)


def _write_arrays(connection: Connection, target: TrackedTable, member: Column[Any], rows: Rows) -> int:
    """All by one statement, which goes through the rows once."""
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
    """The table, without what the model knows of it."""
    columns = (column(one.name, one.type) for one in (*target.key, member))
    return table(target.table.name, *columns, schema=target.table.schema)
