"""The columns of derived members: compare results with them, lock their rows, and write them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from afterwork.derived.compute.column_writer import ColumnWriter
from afterwork.derived.compute.result_column import ResultColumn
from afterwork.derived.compute.results import CalculationResult
from afterwork.derived.compute.store_context import StoreContext
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.model.derivation import MemberDerivation
from afterwork.model.key import is_one_of
from afterwork.store.database import Database


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
        if len(new) < 2 or self.database.dialect == "sqlite":
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
            self._writer(context.derivation).write(context.connection, rows)

    def _writer(self, derivation: RegisteredDerivation) -> ColumnWriter:
        writer = self._writers.get(derivation.id)
        if writer is None:
            assert isinstance(derivation.declaration, MemberDerivation)
            assert derivation.target is not None
            key = derivation.objects.key_columns(derivation.target)
            writer = ColumnWriter(derivation.target, key, derivation.declaration.column)
            self._writers[derivation.id] = writer
        return writer
