"""Which caches the runs of others have read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, select

from afterwork.derived.cause import Cause
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.queue.cache_rows import CacheRows
from afterwork.derived.queue.due_queue import HELD
from afterwork.derived.queue.registry import RegisteredDerivation
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import derivation as derivations
from afterwork.derived.tables import due as dues
from afterwork.errors import UnnamedObject
from afterwork.model.external_id import root_id
from afterwork.store.journal.tracked_table import NULL
from afterwork.store.journal.values import value_of

AT_ONCE = 500


@dataclass(frozen=True)
class FeederRun:
    """A run of a claimed cache that is to be stored: what it has read, whether its value is another one, and whether it
    must be stored since it has waited for others before."""

    cache: int
    reads: Reads
    is_new: bool
    has_waited: bool


@dataclass(frozen=True)
class Feeder:
    """A cache that another one reads. `is_made`: nothing is to be done about it just now."""

    cache: int
    derivation: int
    level: int
    is_made: bool


Readers = Mapping[str, Iterable[int]]
"""Objects of which a value was read, each with the caches that have read it."""


@dataclass(frozen=True)
class Feeders:
    """The statements that find them."""

    cache_rows: CacheRows
    dialect: Dialect

    def of(
        self, connection: Connection, writers: Iterable[RegisteredDerivation], runs: Sequence[FeederRun], now: datetime
    ) -> Mapping[int, list[Feeder]]:
        """Return what each run has read of what some derivations write. To those that filling has not come to yet, it
        comes now."""
        found: dict[int, list[Feeder]] = defaultdict(list)
        for writer in writers:
            readers = self._readers(connection, writer, runs)
            for root, feeder in self._found(connection, writer, list(readers), now):
                for reader in set(readers[root]) - {feeder.cache}:
                    found[reader].append(feeder)
        return found

    def _readers(self, connection: Connection, writer: RegisteredDerivation, runs: Sequence[FeederRun]) -> Readers:
        found: dict[str, list[int]] = defaultdict(list)
        if writer.written is None or writer.target is None:
            return found
        asked: dict[tuple[str, str], list[int]] = defaultdict(list)
        for run in runs:
            for key in _rows(writer, run.reads):
                with suppress(UnnamedObject):
                    found[writer.root_of(key, self.dialect, writer.target)].append(run.cache)
            for question in _questions(writer, run.reads):
                asked[question].append(run.cache)
        for (name, key), root in self._answers(connection, writer, asked):
            found[root] += asked[name, key]
        return found

    def _answers(
        self, connection: Connection, writer: RegisteredDerivation, asked: Iterable[tuple[str, str]]
    ) -> Iterator[tuple[tuple[str, str], str]]:
        """The objects whose rows have the values that were asked for."""
        assert writer.target is not None
        by_name: dict[str, dict[Any, str]] = defaultdict(dict)
        for name, key in asked:
            with suppress(Exception):  # whatever a type raises for what it can't read
                by_name[name][value_of(writer.target, name, key, self.dialect)] = key
        for name, values in by_name.items():
            column, wanted = writer.target.column(name), list(values)
            for start in range(0, len(wanted), AT_ONCE):
                some = writer.objects.keys.add_columns(column).where(column.in_(wanted[start : start + AT_ONCE]))
                for *identity, value in connection.execute(some):
                    yield (name, values[value]), root_id(writer.declaration.root, tuple(identity))

    def _found(
        self, connection: Connection, writer: RegisteredDerivation, roots: Sequence[str], now: datetime
    ) -> Iterator[tuple[str, Feeder]]:
        missing: list[str] = []
        for start in range(0, len(roots), AT_ONCE):
            some = roots[start : start + AT_ONCE]
            there = dict(self._there(connection, writer, some, now))
            yield from there.items()
            missing += [root for root in some if root not in there]
        if missing:
            yield from self._added(connection, writer, missing, now)

    def _there(
        self, connection: Connection, writer: RegisteredDerivation, roots: Sequence[str], now: datetime
    ) -> Iterator[tuple[str, Feeder]]:
        c, d = caches.c, dues.c
        some = select(c.id, c.root, c.level, c.computed, d.due, d.claim).outerjoin(dues, d.cache == c.id)
        for row in connection.execute(some.where(c.derivation == writer.id, c.root.in_(roots))):
            is_due = row.due is not None and (row.claim is not None or row.due <= now or row.due >= HELD)
            yield row.root, Feeder(row.id, writer.id, row.level or 0, row.computed is not None and not is_due)

    def _added(
        self, connection: Connection, writer: RegisteredDerivation, roots: Sequence[str], now: datetime
    ) -> Iterator[tuple[str, Feeder]]:
        c = derivations.c
        began = connection.execute(select(c.backfill_began).where(c.id == writer.id, ~c.backfilled)).scalar()
        if began is not None:
            there = writer.there(connection, roots)
            added = [root for root in roots if root in there]
            self.cache_rows.add(connection, writer, added, now, Cause("fill"), backfill_since=began)
            yield from self._there(connection, writer, added, now)


def _rows(writer: RegisteredDerivation, reads: Reads) -> Iterator[int | str]:
    """The keys of the rows of which the column that a definition writes was read."""
    assert writer.written is not None
    target, column = writer.written
    yield from (key for (watch, key), columns in reads.rows.items() if watch == target and columns & column)
    yield from (key for (watch, key), row in reads.own.items() if watch == target and row.columns & column)


def _questions(writer: RegisteredDerivation, reads: Reads) -> Iterator[tuple[str, str]]:
    """The questions by one column that have read the column which a definition writes: that one, and the value."""
    assert writer.written is not None
    target, column = writer.written
    for where, key in reads.queries:
        if where.table_id == target and where.columns & column and len(where.equal) == 1 and key != NULL:
            yield where.equal[0], key
