"""Calculating derived members by the statement that says what they are in SQL: many by one."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, select
from sqlalchemy.orm import Mapper

from afterwork.boundary import CONTAINED
from afterwork.derived.compute.equality import is_same
from afterwork.derived.compute.python_calculator import Calculated
from afterwork.derived.compute.result_check import checked
from afterwork.derived.compute.root_visibility import RootReads
from afterwork.derived.manifest.manifest_store import is_of_sql
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.queue.due_queue import ClaimedCache
from afterwork.derived.tables import due as dues
from afterwork.derived.tracking.query import SetBasedExpression
from afterwork.errors import AfterworkError, shown
from afterwork.jobs.outcome import text_of
from afterwork.model.derivation import MemberDerivation
from afterwork.model.external_id import ExternalId, parse
from afterwork.store.dialects import entries_of
from afterwork.store.direct import Direct
from afterwork.store.journal.change import Change
from afterwork.store.journal.tracked_table import TrackedTables

Key = tuple[object, ...]

MOST_WAITING = 100
"""With more changes waiting, it isn't looked what they are."""


@dataclass(frozen=True)
class SqlCalculator:
    """Calculates the values of one cache by its SQL side."""

    cache: MemberDerivation
    classes: Mapping[str, Mapper[object]]
    set_based: SetBasedExpression
    root_reads: RootReads

    def calculate(self, connection: Connection, claimed: Sequence[ClaimedCache], limit: float) -> Iterator[Calculated]:
        """Calculate all of them at once. What they depend on is asked only where it may be something else by now."""
        return self._calculate(connection, claimed, self._moved)

    def calculate_unmoved(self, connection: Connection, claimed: Sequence[ClaimedCache]) -> Iterator[Calculated]:
        """The same in the transaction that has taken all changes which it sees."""
        return self._calculate(connection, claimed, lambda _, there: {one.cache for one in there if _is_unsure(one)})

    def failed(self, connection: Connection, claimed: ClaimedCache, error: Exception) -> Calculated:
        """Return what comes of a value that can't be had."""
        return Calculated(claimed, parse(claimed.root, self.classes), error=error, in_sql=True)

    def _calculate(
        self,
        connection: Connection,
        claimed: Sequence[ClaimedCache],
        moved_of: Callable[[Connection, Sequence[ClaimedCache]], set[int]],
    ) -> Iterator[Calculated]:
        ids = {one.cache: parse(one.root, self.classes) for one in claimed}
        began = time.perf_counter()
        rows = self._rows(connection, [root.key for root in ids.values()])
        there = [one for one in claimed if ids[one.cache].key in rows]
        moved = moved_of(connection, there)
        reads = self._reads(connection, [ids[one.cache] for one in there if one.cache in moved])
        for key, found in reads.items():
            self.root_reads.add(found, key, connection)
        took = (time.perf_counter() - began) / max(1, len(claimed))
        for one in claimed:
            root = ids[one.cache]
            if root.key in rows:
                value, stored = rows[root.key]
                yield self._calculated(one, root, value, stored, reads.get(root.key), took)
            else:
                gone = Reads()
                self.root_reads.add(gone, root.key, connection)
                yield Calculated(one, None, reads=gone)

    def _rows(self, connection: Connection, keys: Sequence[Key]) -> dict[Key, Sequence[Any]]:
        """By key, what each value is, and what is stored."""
        if len(keys) == 1:
            found = self._row_of_one.execute(connection, self.set_based.parameters(keys[0]))
        else:
            found = connection.execute(self.set_based.values(keys).add_columns(self.cache.column)).all()
        width = len(self.cache.root.primary_key)
        return {tuple(row[:width]): row[width:] for row in found}

    @cached_property
    def _row_of_one(self) -> Direct:
        return Direct(self.set_based.value().add_columns(self.cache.column))

    def _moved(self, connection: Connection, claimed: Sequence[ClaimedCache]) -> set[int]:
        """The caches of which what they depend on may be something else. What was changed since they were claimed, and
        is seen here, makes none of them stale later: so it is found here, in the journal or where it was taken."""
        waiting = entries_of(connection.dialect.name).first_waiting(connection, MOST_WAITING)
        if waiting is None or any(
            change.table_id in self.set_based.tables and self.rereads(change) for change in waiting
        ):
            return {one.cache for one in claimed}
        marked = select(dues.c.cache).where(dues.c.claim.is_not(None), dues.c.reread)
        moved = set(connection.execute(marked).scalars())
        return moved | {one.cache for one in claimed if _is_unsure(one)}

    def rereads(self, change: Change) -> bool:
        """Whether what values depend on may be something else after a change."""
        if change.kind != "U":
            return True
        return any(
            watch == change.table_id and columns & change.columns for watch, columns in self.set_based.deciding_columns
        )

    def _reads(self, connection: Connection, roots: Sequence[ExternalId]) -> Mapping[tuple[object, ...], Reads]:
        if not roots:
            return {}
        keys = [root.key for root in roots]
        return self.set_based.reads(keys, connection.execute(self.set_based.provenance(keys)).all())

    def _calculated(
        self, claimed: ClaimedCache, root: ExternalId, value: object, stored: object, reads: Reads | None, took: float
    ) -> Calculated:
        try:
            value = checked(self.cache.column, self.cache.name, value)
        except AfterworkError as error:
            return Calculated(claimed, root, stored=stored, reads=reads, error=error, took=took, in_sql=True)
        is_new = not is_same(stored, value)
        return Calculated(claimed, root, value, stored, is_new, reads, took=took, in_sql=True)


def _is_unsure(claimed: ClaimedCache) -> bool:
    return claimed.reread or not is_of_sql(claimed.digest)


def in_sql(
    cache: MemberDerivation,
    itself: RootReads,
    classes: Mapping[str, Mapper[object]],
    watches: TrackedTables,
    dialect: Dialect,
) -> SqlCalculator | str | None:
    """The calculator of a cache that has a SQL side; None if it has none; the reason if that can't be used."""
    try:
        says = cache.in_sql
        if says is None:
            return None
        with CONTAINED:
            side = says()
        if not isinstance(side, ColumnElement) and not hasattr(side, "__clause_element__"):
            return f"it is {shown(side)}, which is no expression and no scalar select"
        if cache.overrides:
            return f"{', '.join(cache.overrides)} calculates it by a function of its own"
        set_based = SetBasedExpression(cache.root, side, watches, dialect)
        reason = set_based.reason
    except Exception as error:  # of the application's own function
        return text_of(error)
    return SqlCalculator(cache, classes, set_based, itself) if reason is None else reason
