"""Calculate derived members in SQL: many values by one statement."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, select
from sqlalchemy.orm import Mapper

from afterwork.boundary import CONTAINED
from afterwork.derived.compute.result_check import checked, is_same
from afterwork.derived.compute.results import CalculationResult, Limited, unlimited
from afterwork.derived.compute.root_visibility import RootReads
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.queue.due_cache import ClaimedCache
from afterwork.derived.tracking.query import SetBasedExpression
from afterwork.errors import AfterworkError, shown
from afterwork.jobs.run import text_of
from afterwork.model.derivation import MemberDerivation
from afterwork.model.external_id import ExternalId, parse
from afterwork.model.key import PrimaryKey
from afterwork.store.caches.manifests import is_of_sql
from afterwork.store.caches.tables import due as dues
from afterwork.store.dialects import entries_of
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal.change import Change
from afterwork.store.journal.tracked_table import TrackedTables

MAX_INSPECTED_CHANGES = 100
"""Waiting changes that are inspected. With more of them, what the values depend on is read again."""


@dataclass(frozen=True)
class SqlCalculator:
    """Calculates the values of one derivation by its SQL side."""

    declared: MemberDerivation
    classes: Mapping[str, Mapper[object]]
    set_based: SetBasedExpression
    root_reads: RootReads

    def calculate(
        self,
        connection: Connection,
        claimed: Sequence[ClaimedCache],
        max_seconds: float,
        limited: Limited = unlimited,
    ) -> Iterator[CalculationResult]:
        """Calculate all values at once. What they depend on is read only where it may have changed."""
        return self._calculate(connection, claimed, limited, self._find_reread)

    def calculate_inline(
        self, connection: Connection, claimed: Sequence[ClaimedCache], limited: Limited
    ) -> Iterator[CalculationResult]:
        """Calculate in the transaction that has taken all changes which it sees."""
        return self._calculate(connection, claimed, limited, lambda _, caches: _to_reread(caches))

    def failed(self, connection: Connection, claimed: ClaimedCache, error: Exception) -> CalculationResult:
        """Return the result for a value that can't be calculated."""
        return CalculationResult(claimed, parse(claimed.root, self.classes), error=error, in_sql=True)

    def rereads(self, change: Change) -> bool:
        """Return whether a change may alter what values depend on."""
        if change.kind != "U":
            return True
        return any(
            table == change.table_id and columns & change.columns for table, columns in self.set_based.deciding_columns
        )

    def _calculate(
        self,
        connection: Connection,
        claimed: Sequence[ClaimedCache],
        limited: Limited,
        find_reread: Callable[[Connection, Sequence[ClaimedCache]], set[int]],
    ) -> Iterator[CalculationResult]:
        ids = {cache.cache: parse(cache.root, self.classes) for cache in claimed}
        began = time.perf_counter()
        with limited(claimed):
            rows = self._rows(connection, [root.key for root in ids.values()])
            existing = [cache for cache in claimed if ids[cache.cache].key in rows]
            reread = find_reread(connection, existing)
            reads = self._reads(connection, [ids[cache.cache] for cache in existing if cache.cache in reread])
        asked = self.root_reads.asked_keys(connection, list(reads))
        for key, of_root in reads.items():
            self.root_reads.add(of_root, key, connection, asked)
        seconds = (time.perf_counter() - began) / max(1, len(claimed))
        for cache in claimed:
            root = ids[cache.cache]
            if root.key in rows:
                yield self._result(cache, root, rows[root.key], reads.get(root.key), seconds)
            else:
                of_gone = Reads()
                self.root_reads.add(of_gone, root.key, connection)
                yield CalculationResult(cache, None, reads=of_gone)

    def _rows(self, connection: Connection, keys: Sequence[PrimaryKey]) -> dict[PrimaryKey, Sequence[Any]]:
        """Return the calculated and the stored value of each root, by its key."""
        if len(keys) == 1:
            rows = self._row_of_one.execute(connection, self.set_based.parameters(keys[0]))
        else:
            rows = connection.execute(self.set_based.values(keys).add_columns(self.declared.column)).all()
        width = len(self.declared.root.primary_key)
        return {tuple(row[:width]): row[width:] for row in rows}

    @cached_property
    def _row_of_one(self) -> DirectStatement:
        return DirectStatement(self.set_based.value().add_columns(self.declared.column))

    def _find_reread(self, connection: Connection, claimed: Sequence[ClaimedCache]) -> set[int]:
        """Return caches whose dependencies may have changed.

        Changes already visible in this snapshot won't make them stale later, so find them now: in the journal, or as
        entries of the queue where they were taken.
        """
        waiting = entries_of(connection.dialect.name).first_waiting(connection, MAX_INSPECTED_CHANGES)
        if waiting is None or any(
            change.table_id in self.set_based.tables and self.rereads(change) for change in waiting
        ):
            return {cache.cache for cache in claimed}
        enqueued = select(dues.c.cache).where(dues.c.claim.is_not(None), dues.c.reread)
        return set(connection.execute(enqueued).scalars()) | _to_reread(claimed)

    def _reads(self, connection: Connection, roots: Sequence[ExternalId]) -> Mapping[tuple[object, ...], Reads]:
        if not roots:
            return {}
        keys = [root.key for root in roots]
        return self.set_based.reads(keys, connection.execute(self.set_based.provenance(keys)).all())

    def _result(
        self, claimed: ClaimedCache, root: ExternalId, row: Sequence[Any], reads: Reads | None, seconds: float
    ) -> CalculationResult:
        value, stored = row
        try:
            value = checked(self.declared.column, self.declared.name, value)
        except AfterworkError as error:
            return CalculationResult(
                claimed, root, stored=stored, reads=reads, error=error, seconds=seconds, in_sql=True
            )
        is_new = not is_same(stored, value)
        return CalculationResult(claimed, root, value, stored, is_new, reads, seconds=seconds, in_sql=True)


def _to_reread(claimed: Sequence[ClaimedCache]) -> set[int]:
    """Return caches that are enqueued to be read again, or whose manifest Python has made."""
    return {cache.cache for cache in claimed if cache.reread or not is_of_sql(cache.digest)}


@dataclass(frozen=True)
class SqlCalculators:
    """Makes the calculators of a model's derivations that have a SQL side."""

    classes: Mapping[str, Mapper[object]]
    tables: TrackedTables
    dialect: Dialect

    def of(self, declared: MemberDerivation, root_reads: RootReads) -> SqlCalculator | str | None:
        """Return the calculator of a derivation; None without a SQL side; the reason if that side can't be used."""
        try:
            sql_side = declared.sql_side
            if sql_side is None:
                return None
            with CONTAINED:
                expression = sql_side()
            if not isinstance(expression, ColumnElement) and not hasattr(expression, "__clause_element__"):
                return f"it is {shown(expression)}, which is no expression and no scalar select"
            if declared.overrides:
                return f"{', '.join(declared.overrides)} calculates it by a function of its own"
            set_based = SetBasedExpression(declared.root, expression, self.tables, self.dialect)
            reason = set_based.reason
        except Exception as error:  # of the application's own function
            return text_of(error)
        return SqlCalculator(declared, self.classes, set_based, root_reads) if reason is None else reason
