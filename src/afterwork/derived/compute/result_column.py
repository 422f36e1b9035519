"""The columns of derived members: compare results as they would give them back, lock their rows, and write them.

A column pads, rounds and cuts; a type writes in lower case or as JSON. For nearly all values it is known what the
column will keep. For the others the database is asked, by one statement for many.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, select, type_coerce

from afterwork.derived.compute.result_check import is_same
from afterwork.derived.compute.results import CalculationResult, StoreContext
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import BadValue
from afterwork.jobs.run import text_of
from afterwork.model.derivation import MemberDerivation
from afterwork.model.key import is_one_of
from afterwork.store.caches.statements import ColumnWriter
from afterwork.store.column_type import ColumnType, KeptValue, RefusedValue, UncertainValue
from afterwork.store.database import Database
from afterwork.store.dialects import column_writer_of, refresh_of

VALUES_PER_STATEMENT = 100

UNKNOWN = object()
"""Stands for the form in which a stored value would be sent, where its type can't say."""


class ResultColumn:
    """The column of a derived member, in one database."""

    def __init__(self, database: Database, table: Table, column: Column[Any], name: str) -> None:
        self._columns, self._table, self._column, self._name = database.columns, table, column, name
        self._dialect = database.engine.dialect
        self._impl: Any = column.type.dialect_impl(self._dialect)
        self._bind = self._impl.bind_processor(self._dialect)
        self._is_in_sql = bool(column.type._has_bind_expression or column.type._has_column_expression)
        self._kind: ColumnType | None = None

    def compared(self, connection: Connection, results: Sequence[CalculationResult]) -> list[CalculationResult]:
        """Return the results with `is_new` corrected: false where the column would give back what is stored.

        A value that the column's type can't send has failed.
        """
        compared = [self._compared_or_failed(connection, result) if result.is_new else result for result in results]
        uncertain = [position for position, result in enumerate(compared) if result is None]
        values = self._read_back(connection, [results[position].value for position in uncertain])
        read_back = dict(zip(uncertain, values, strict=True))
        return [
            replace(before, is_new=not self._is_same(before.stored, read_back[position])) if result is None else result
            for position, (before, result) in enumerate(zip(results, compared, strict=True))
        ]

    def come_back(self, connection: Connection, value: Any) -> Any:
        """Return what is read of a value once it is stored.

        Raises `BadValue`, and errors of the database, after which the connection's transaction goes on.
        """
        match self._kept(connection, self._sent(value), UNKNOWN):
            case KeptValue(kept):
                return self._read(value, kept)
            case _:
                with connection.begin_nested():
                    return next(self._read_back(connection, [value]))

    def _compared_or_failed(self, connection: Connection, result: CalculationResult) -> CalculationResult | None:
        """Return a result compared without asking the database; None where it has to be asked."""
        try:
            return self._compared(connection, result)
        except BadValue as error:
            return replace(result, is_new=False, error=error)

    def _compared(self, connection: Connection, result: CalculationResult) -> CalculationResult | None:
        sent, stored = self._sent(result.value), self._sent_for(result.stored)
        if is_same(stored, sent):
            return replace(result, is_new=False)
        match self._kept(connection, sent, stored):
            case KeptValue(kept):
                return replace(result, is_new=not self._is_same(result.stored, self._read(result.value, kept)))
            case RefusedValue():
                return result
            case UncertainValue():
                return result if stored is None else None

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

    def _kept(self, connection: Connection, sent: Any, stored: Any) -> KeptValue | RefusedValue | UncertainValue:
        if self._is_in_sql:
            return UncertainValue()
        if self._kind is None:
            self._kind = self._columns.type_of(connection, self._table, self._column.name)
        return RefusedValue() if self._kind is None else self._columns.kept(self._kind, sent, stored)

    def _read(self, value: Any, kept: Any) -> Any:
        """Return what is read of a kept value. A value that couldn't be read must not be stored."""
        try:
            process = self._impl.result_processor(self._dialect, None if self._kind is None else self._kind.code)
            return kept if process is None else process(kept)
        except Exception as error:  # as above
            raise BadValue(f"{self._name} could not be read if it were {value!r:.100}: {text_of(error)}") from error

    def _is_same(self, stored: Any, read_back: Any) -> bool:
        return is_same(stored, read_back) or is_same(self._sent_for(stored), self._sent_for(read_back))

    def _read_back(self, connection: Connection, values: Sequence[Any]) -> Iterator[Any]:
        """Yield the values that the database gives back. The column's type may have changed since it was looked up."""
        if not values:
            return
        self._kind = kind = self._columns.type_of(connection, self._table, self._column.name)
        for start in range(0, len(values), VALUES_PER_STATEMENT):
            part = values[start : start + VALUES_PER_STATEMENT]
            yield from self._ask(connection, kind, part) if kind is not None else part

    def _ask(self, connection: Connection, kind: ColumnType, values: Sequence[Any]) -> Sequence[Any]:
        column_type = self._column.type
        sent = [bindparam(f"v{number}", type_=column_type) for number in range(len(values))]
        kept = [self._columns.as_kept(kind, parameter) for parameter in sent]
        query = select(*(type_coerce(value, column_type).label(f"b{number}") for number, value in enumerate(kept)))
        return connection.execute(query, {f"v{number}": value for number, value in enumerate(values)}).one()


@dataclass(frozen=True)
class ResultColumns:
    """The columns that the derivations of a model write, by derivation."""

    database: Database
    _writers: dict[int, ColumnWriter] = field(default_factory=dict)
    _columns: dict[int, ResultColumn] = field(default_factory=dict)

    def compared(
        self, connection: Connection, derivation: RegisteredDerivation, results: Sequence[CalculationResult]
    ) -> Sequence[CalculationResult]:
        """Return the results with `is_new` corrected: false where the column would give back what is stored."""
        declared, target = derivation.declaration, derivation.target
        is_any_new = any(result.is_new for result in results)
        if not isinstance(declared, MemberDerivation) or target is None or not is_any_new:
            return results
        if derivation.id not in self._columns:
            self._columns[derivation.id] = ResultColumn(self.database, target.table, declared.column, derivation.name)
        return self._columns[derivation.id].compared(connection, results)

    def locked(self, context: StoreContext, results: Sequence[CalculationResult]) -> Collection[int]:
        """Return the caches whose rows somebody else has locked.

        To wait for one row while holding others could be a deadlock.
        """
        new = [result for result in results if result.is_to_be_written]
        if len(new) < 2 or self.database.has_one_writer:
            return ()
        caches = {result.root.key: result.cache for result in new if result.root is not None}
        assert context.derivation.target is not None
        columns = context.derivation.objects.key_columns(context.derivation.target)
        free = select(*columns).where(is_one_of(columns, caches)).with_for_update(key_share=True, skip_locked=True)
        free_keys = {tuple(row) for row in context.connection.execute(free)}
        return {cache for key, cache in caches.items() if key not in free_keys}

    def write(self, context: StoreContext, results: Sequence[CalculationResult]) -> None:
        """Write the column and nothing else: the timestamp of the last change and the version are the users'.

        Raises `RowNotFound` if a row is gone.
        """
        new = sorted((result for result in results if result.is_to_be_written), key=lambda result: str(result.root))
        if new:
            rows = [(result.root.key, result.value) for result in new if result.root is not None]
            with self._writing(context):
                self._writer(context.derivation).write(context.connection, rows)

    def _writing(self, context: StoreContext) -> AbstractContextManager[None]:
        """Let the block write a member that is refreshed in sets, though this object is set aside."""
        plan = context.derivation.plan
        if plan is None:
            return nullcontext()
        return refresh_of(plan, self.database.dialect).writing(context.connection)

    def _writer(self, derivation: RegisteredDerivation) -> ColumnWriter:
        writer = self._writers.get(derivation.id)
        if writer is None:
            assert isinstance(derivation.declaration, MemberDerivation)
            assert derivation.target is not None
            key = derivation.objects.key_columns(derivation.target)
            writer = column_writer_of(self.database.dialect)(derivation.target, key, derivation.declaration.column)
            self._writers[derivation.id] = writer
        return writer
