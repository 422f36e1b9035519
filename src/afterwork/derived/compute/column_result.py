"""What the column of a calculated member makes of a result. Two results are the same if the same comes back of them.

A column pads, rounds and cuts; a type writes in lower case or as JSON. For nearly all values it is known what the
column will keep. For the others the database is asked, by one statement for many.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, select, type_coerce

from afterwork.derived.compute.equality import is_same
from afterwork.derived.compute.python_calculator import Calculated
from afterwork.errors import BadValue
from afterwork.jobs.outcome import text_of
from afterwork.store.column_type import ColumnType, KeptValue, RefusedValue, UncertainValue
from afterwork.store.database import Database

AT_ONCE = 100
"""Values about which one statement asks."""

UNKNOWN = object()
"""In place of what would have to be sent for a value that is stored, where its type can't say."""


class ResultColumn:
    """The column of a calculated member, in one database."""

    def __init__(self, database: Database, table: Table, column: Column[Any], name: str) -> None:
        self._columns, self._table, self._column, self._name = database.columns, table, column, name
        self._dialect = database.engine.dialect
        self._impl: Any = column.type.dialect_impl(self._dialect)
        self._bind = self._impl.bind_processor(self._dialect)
        self._is_in_sql = bool(column.type._has_bind_expression or column.type._has_column_expression)
        self._kind: ColumnType | None = None

    def settled(self, connection: Connection, calculated: Sequence[Calculated]) -> list[Calculated]:
        """Tell results that are new from those that only look so. What the column's type can't send fails."""
        looked = [self._looked_at(connection, one) if one.is_new else one for one in calculated]
        unsure = [place for place, one in enumerate(looked) if one is None]
        found = self._asked(connection, [calculated[place].value for place in unsure])
        back = dict(zip(unsure, found, strict=True))
        return [
            replace(before, is_new=not self._is_same(before.stored, back[place])) if one is None else one
            for place, (before, one) in enumerate(zip(calculated, looked, strict=True))
        ]

    def come_back(self, connection: Connection, value: Any) -> Any:
        """Return what is read of a value once it is stored. Raises `BadValue`, and errors of the database, after which
        the connection's transaction goes on."""
        match self._kept(connection, self._sent(value), UNKNOWN):
            case KeptValue(kept):
                return self._read(value, kept)
            case _:
                with connection.begin_nested():
                    return next(self._asked(connection, [value]))

    def _looked_at(self, connection: Connection, one: Calculated) -> Calculated | None:
        """A result with what is known of it without asking the database; None where it has to be asked."""
        try:
            return self._compared(connection, one)
        except BadValue as error:
            return replace(one, is_new=False, error=error)

    def _compared(self, connection: Connection, one: Calculated) -> Calculated | None:
        sent, there = self._sent(one.value), self._sent_for(one.stored)
        if is_same(there, sent):
            return replace(one, is_new=False)
        match self._kept(connection, sent, there):
            case KeptValue(kept):
                return replace(one, is_new=not self._is_same(one.stored, self._read(one.value, kept)))
            case RefusedValue():
                return one
            case UncertainValue():
                return one if there is None else None

    def _sent(self, value: Any) -> Any:
        try:
            return self._columns.sent(value if self._bind is None else self._bind(value))
        except Exception as error:  # of the type, which may be the application's own
            raise BadValue(f"{self._name} can't hold {value!r:.100}, which was calculated: {text_of(error)}") from error

    def _sent_for(self, stored: Any) -> Any:
        try:
            return self._sent(stored)
        except BadValue:
            return UNKNOWN

    def _kept(self, connection: Connection, sent: Any, there: Any) -> KeptValue | RefusedValue | UncertainValue:
        if self._is_in_sql:
            return UncertainValue()
        if self._kind is None:
            self._kind = self._columns.type_of(connection, self._table, self._column.name)
        return RefusedValue() if self._kind is None else self._columns.kept(self._kind, sent, there)

    def _read(self, value: Any, kept: Any) -> Any:
        """What is read of what a column keeps of a value. What can't be read is not to be stored."""
        try:
            read = self._impl.result_processor(self._dialect, None if self._kind is None else self._kind.code)
            return kept if read is None else read(kept)
        except Exception as error:  # as above
            raise BadValue(f"{self._name} could not be read if it were {value!r:.100}: {text_of(error)}") from error

    def _is_same(self, stored: Any, back: Any) -> bool:
        return is_same(stored, back) or is_same(self._sent_for(stored), self._sent_for(back))

    def _asked(self, connection: Connection, values: Sequence[Any]) -> Iterator[Any]:
        """What comes back of values, as the database says. Its type may have been changed since it was looked up."""
        if not values:
            return
        self._kind = kind = self._columns.type_of(connection, self._table, self._column.name)
        for start in range(0, len(values), AT_ONCE):
            some = {f"v{place}": value for place, value in enumerate(values[start : start + AT_ONCE])}
            yield from self._ask(connection, kind, some) if kind is not None else some.values()

    def _ask(self, connection: Connection, kind: ColumnType, values: Mapping[str, Any]) -> Sequence[Any]:
        sent = (bindparam(name, type_=self._column.type) for name in values)
        back = (self._columns.as_kept(kind, one) for one in sent)
        asked = select(*(type_coerce(one, self._column.type).label(f"b{place}") for place, one in enumerate(back)))
        return connection.execute(asked, values).one()
