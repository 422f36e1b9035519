"""Find the feeders of runs: the caches that write what they have read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, select

from afterwork.derived.cause import Cause
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.queue.cache_rows import BackfillReason, CacheRows
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import UnnamedObject
from afterwork.model.external_id import is_placeholder, name_of
from afterwork.store.caches.tables import BLOCKED
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.journal.tracked_table import NULL
from afterwork.store.journal.values import value_of

KEYS_PER_STATEMENT = 500


@dataclass(frozen=True)
class FeederRun:
    """A run of a claimed cache that is to be stored.

    `is_new` says that its value changes, `has_waited` that it must be stored, since it has waited for others before.
    """

    cache: int
    reads: Reads
    is_new: bool
    has_waited: bool


@dataclass(frozen=True)
class Feeder:
    """A cache that another one reads. `is_made` says that it isn't due just now."""

    cache: int
    derivation: int
    level: int
    is_made: bool


ReaderIds = Mapping[str, Iterable[int]]
"""Caches that have read a value, by the external id of its object."""


@dataclass(frozen=True)
class Feeders:
    cache_rows: CacheRows
    dialect: Dialect

    def of(
        self, connection: Connection, writers: Iterable[RegisteredDerivation], runs: Sequence[FeederRun], now: datetime
    ) -> Mapping[int, list[Feeder]]:
        """Return the feeders of each run, among the caches of some derivations.

        Those that the backfill has not reached yet are added to it now.
        """
        feeders: dict[int, list[Feeder]] = defaultdict(list)
        for writer in writers:
            readers = self._readers(connection, writer, runs)
            for root, feeder in self._caches_of(connection, writer, list(readers), now):
                for reader in set(readers[root]) - {feeder.cache}:
                    feeders[reader].append(feeder)
        return feeders

    def _readers(self, connection: Connection, writer: RegisteredDerivation, runs: Sequence[FeederRun]) -> ReaderIds:
        readers: dict[str, list[int]] = defaultdict(list)
        if writer.target_column is None or writer.target is None:
            return readers
        asked: dict[tuple[str, str], list[int]] = defaultdict(list)
        for run in runs:
            for key in _rows(writer, run.reads):
                with suppress(UnnamedObject):
                    readers[writer.root_of(key, self.dialect, writer.target)].append(run.cache)
            for query in _queries(writer, run.reads):
                asked[query].append(run.cache)
        for (name, key), root in self.objects_with(connection, writer, asked):
            readers[root] += asked[name, key]
        return readers

    def objects_with(
        self, connection: Connection, writer: RegisteredDerivation, asked: Iterable[tuple[str, str]]
    ) -> Iterator[tuple[tuple[str, str], str]]:
        """Yield each column and value that was asked for with the objects whose rows have it."""
        assert writer.target is not None
        by_name: dict[str, dict[Any, str]] = defaultdict(dict)
        for name, key in asked:
            with suppress(Exception):  # whatever a type raises for what it can't read
                by_name[name][value_of(writer.target, name, key, self.dialect)] = key
        for name, values in by_name.items():
            column, wanted = writer.target.column(name), list(values)
            for start in range(0, len(wanted), KEYS_PER_STATEMENT):
                part = wanted[start : start + KEYS_PER_STATEMENT]
                query = writer.objects.keys.add_columns(column).where(column.in_(part))
                for *identity, value in connection.execute(query):
                    root = name_of(writer.declaration.root, tuple(identity))
                    if not is_placeholder(root):
                        yield (name, values[value]), root

    def _caches_of(
        self, connection: Connection, writer: RegisteredDerivation, roots: Sequence[str], now: datetime
    ) -> Iterator[tuple[str, Feeder]]:
        missing: list[str] = []
        for start in range(0, len(roots), KEYS_PER_STATEMENT):
            part = roots[start : start + KEYS_PER_STATEMENT]
            existing = dict(self._existing(connection, writer, part, now))
            yield from existing.items()
            missing += [root for root in part if root not in existing]
        if missing:
            yield from self._add_to_backfill(connection, writer, missing, now)

    def _existing(
        self, connection: Connection, writer: RegisteredDerivation, roots: Sequence[str], now: datetime
    ) -> Iterator[tuple[str, Feeder]]:
        c, d = caches.c, dues.c
        query = select(c.id, c.root, c.level, c.computed, d.due, d.claim).outerjoin(dues, d.cache == c.id)
        for row in connection.execute(query.where(c.derivation == writer.id, c.root.in_(roots))):
            is_due = row.due is not None and (row.claim is not None or row.due <= now or row.due >= BLOCKED)
            yield row.root, Feeder(row.id, writer.id, row.level or 0, row.computed is not None and not is_due)

    def _add_to_backfill(
        self, connection: Connection, writer: RegisteredDerivation, roots: Sequence[str], now: datetime
    ) -> Iterator[tuple[str, Feeder]]:
        c = derivations.c
        began = connection.execute(select(c.backfill_began).where(c.id == writer.id, ~c.backfilled)).scalar()
        if began is not None:
            existing = writer.existing(connection, roots)
            added = [root for root in roots if root in existing]
            self.cache_rows.add_to_backfill(connection, writer, added, BackfillReason(began, Cause("fill"), now))
            yield from self._existing(connection, writer, added, now)


def _rows(writer: RegisteredDerivation, reads: Reads) -> Iterator[int | str]:
    """Yield the keys of the rows whose derived column was read."""
    assert writer.target_column is not None
    target, column = writer.target_column
    yield from (key for (table_id, key), columns in reads.rows.items() if table_id == target and columns & column)
    yield from (key for (table_id, key), row in reads.own.items() if table_id == target and row.columns & column)


def _queries(writer: RegisteredDerivation, reads: Reads) -> Iterator[tuple[str, str]]:
    """Yield the queries by one column that have read the derived column: the queried column, and its value."""
    assert writer.target_column is not None
    target, column = writer.target_column
    for pattern, key in reads.queries:
        if pattern.table_id == target and pattern.columns & column and len(pattern.equal) == 1 and key != NULL:
            yield pattern.equal[0], key
