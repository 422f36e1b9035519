"""Which caches are out of date, as one transaction sees them, whatever servers have still to do."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Dialect, select
from sqlalchemy.exc import DBAPIError

from afterwork.derived.cause import Cause, cause_of
from afterwork.derived.manifest.reads import QueryRead, RowRead, pattern_number, row_number, same_row
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.feeders import Feeders
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.model.key import is_one_of
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.dialects import refresh_of
from afterwork.store.journal.change import Change
from afterwork.store.journal.refresh import is_any_touched, is_touched

MAX_CACHES_OF_ROW = 100
"""Derived members whose caches may be looked up by the row that they write to."""


@dataclass
class Staleness:
    """Tells whether caches are out of date. Each answer is looked up once.

    `waiting` are the changes that no server has taken yet. In doubt, a cache counts as out of date: where its queries
    ask for derived values by more than one column, or by no integer.
    """

    connection: Connection
    matcher: Matcher
    waiting: Sequence[Change]
    _known: dict[int, bool] = field(default_factory=dict)
    _derivations: dict[int, bool] = field(default_factory=dict)

    def is_stale(self, derivation: RegisteredDerivation, root: str) -> bool:
        """Return whether the cache of an object is out of date, also through others, or has never run."""
        if self.is_in_sets(derivation, root):
            return self._differs(derivation, root)
        numbers = self.matcher.cache_rows.numbers(self.connection, derivation, [root])
        return root not in numbers or self._is_stale(numbers[root]) or self._leads_to(derivation, root)

    def cause(self, number: int) -> Cause | None:
        """Return what makes a cache stale as soon as a server takes it: the first waiting change; None without any."""
        read_keys = self._read_keys(number)
        for change, touched in self._touches:
            mine = [is_own for read_key, is_own in touched if read_key in read_keys]
            is_touched = bool(mine) and not (all(mine) and self._has_written(number, [change.tx]))
            if is_touched or (change.kind == "T" and change.table_id in self._tables(read_keys)):
                return cause_of(change, self.matcher.patterns.table(change.table_id))
        return None

    def is_in_sets(self, derivation: RegisteredDerivation, root: str) -> bool:
        """Return whether an object's value is refreshed in sets, and was not set aside."""
        return derivation.plan is not None and not self.matcher.cache_rows.numbers(self.connection, derivation, [root])

    def in_sets(self, derivation: RegisteredDerivation, root: str) -> Any:
        """Return what the database computes for an object, whatever is stored."""
        assert derivation.plan is not None
        refresh = refresh_of(derivation.plan, self._dialect.name)
        query = refresh.from_scratch(is_one_of(derivation.plan.key, [derivation.key_of(root)]))
        with self.connection.begin_nested():  # if it fails, the transaction goes on
            return self.connection.execute(query).one()

    def _differs(self, derivation: RegisteredDerivation, root: str) -> bool:
        """Return whether what the database computes is not what is stored. What can't be computed is out of date."""
        try:
            return bool(self.in_sets(derivation, root).differs)
        except DBAPIError as error:
            if self.matcher.database.is_its_own(error):
                raise
            return True

    def _leads_to(self, derivation: RegisteredDerivation, root: str) -> bool:
        """Return whether a touch leads to an object that was set aside."""
        plan = derivation.plan
        return plan is not None and is_touched(self.connection, plan, derivation.key_of(root))

    def _is_stale(self, number: int) -> bool:
        if number not in self._known:
            self._known[number] = False  # in a cycle, the others decide
            self._known[number] = self._is_due(number) or self._is_touched(number) or self._has_stale_feeder(number)
        return self._known[number]

    def _is_due(self, number: int) -> bool:
        since = select(dues.c.cache).where(dues.c.cache == number, dues.c.since.is_not(None))
        never = select(caches.c.id).where(caches.c.id == number, caches.c.computed.is_(None))
        return self.connection.execute(since.union_all(never)).first() is not None

    def _is_touched(self, number: int) -> bool:
        read_keys = self._read_keys(number)
        if not self._touched.isdisjoint(read_keys) or self._is_overwritten(number, read_keys):
            return True
        return bool(self._emptied) and not self._emptied.isdisjoint(self._tables(read_keys))

    def _is_overwritten(self, number: int, read_keys: set[int]) -> bool:
        """Return whether somebody else has written the value."""
        transactions = [tx for tx, written in self._overwritten if not read_keys.isdisjoint(written)]
        return bool(transactions) and not self._has_written(number, transactions)

    def _has_written(self, number: int, transactions: Iterable[int]) -> bool:
        """Return whether the last run of a cache wrote its value in all these transactions."""
        wrote = self.connection.execute(select(caches.c.wrote).where(caches.c.id == number)).scalar()
        return all(self.matcher.manifest_store.is_own_write(tx, wrote) for tx in transactions)

    def _has_stale_feeder(self, number: int) -> bool:
        return any(map(self._finds_stale, self._read_keys(number)))

    def _finds_stale(self, read_key: int) -> bool:
        """Return whether a read finds a derived value that is out of date. In doubt, it does."""
        pattern, key = self.matcher.patterns.of_read_key(self.connection, read_key), row_number(read_key)
        about = self.matcher.registry.writing(pattern.table_id, self.matcher.patterns.mask(pattern))
        writers = list(filter(self._may_be_stale, about))
        match pattern:
            case _ if not writers:
                return False
            case RowRead() if key is not None:
                return any(self._is_any_stale(writer, writer.roots_of([key], self._dialect)[0]) for writer in writers)
            case RowRead():
                return self._is_row_stale(read_key, pattern, {writer.id for writer in writers})
            case QueryRead(equal=(name,), columns=columns) if key is not None and _write_only(writers, columns):
                return any(self._is_any_stale(writer, self._matching(writer, name, key)) for writer in writers)
            case _:
                return True

    def _may_be_stale(self, derivation: RegisteredDerivation) -> bool:
        """Return whether any cache of a derivation is out of date, or may be because of what others write."""
        if derivation.id not in self._derivations:
            self._derivations[derivation.id] = False  # as above
            registry = self.matcher.registry
            self._derivations[derivation.id] = (
                self._has_due(derivation)
                or self._has_touches(derivation)
                or any(registry.knows(derivation.id, [pattern]) for pattern in self._touched_patterns)
                or any(registry.reads(derivation, feeder) and self._may_be_stale(feeder) for feeder in registry)
            )
        return self._derivations[derivation.id]

    def _has_due(self, derivation: RegisteredDerivation) -> bool:
        due = select(dues.c.derivation).where(dues.c.derivation == derivation.id, dues.c.since.is_not(None))
        unfinished = select(derivations.c.id).where(derivations.c.id == derivation.id, ~derivations.c.backfilled)
        return self.connection.execute(due.union_all(unfinished).limit(1)).first() is not None

    def _has_touches(self, derivation: RegisteredDerivation) -> bool:
        return derivation.plan is not None and is_any_touched(self.connection, derivation.plan.routes)

    def _is_any_stale(self, derivation: RegisteredDerivation, roots: Iterable[str]) -> bool:
        return any(self.is_stale(derivation, root) for root in roots)

    def _is_row_stale(self, read_key: int, pattern: RowRead, writers: Set[int]) -> bool:
        """Return whether a row whose key is only known as a hash has a stale value. Its own caches have read it."""
        own = [
            same_row(read_key, number)
            for number, row in self.matcher.patterns.row_reads(pattern.table_id)
            if row.own_column & pattern.columns
        ]
        readers = self.matcher.manifest_store.readers(self.connection, own, MAX_CACHES_OF_ROW)
        return any(derivation in writers and self._is_stale(number) for number, derivation, _ in readers)

    def _matching(self, derivation: RegisteredDerivation, name: str, key: int) -> Iterator[str]:
        """Yield the external ids of the objects whose row has this value in a column."""
        feeders = Feeders(self.matcher.cache_rows, self._dialect)
        return (root for _, root in feeders.objects_with(self.connection, derivation, [(name, str(key))]))

    @property
    def _dialect(self) -> Dialect:
        return self.matcher.dialect

    @cached_property
    def _touched_patterns(self) -> set[int]:
        """The numbers of all read patterns that are touched by changes that are not matched yet."""
        patterns = self.matcher.patterns
        of_emptied = {
            number
            for table in self._emptied
            for number, _ in (*patterns.row_reads(table), *patterns.query_reads(table))
        }
        return of_emptied | {pattern_number(read_key) for _, touched in self._touches for read_key, _ in touched}

    @cached_property
    def _emptied(self) -> set[int]:
        """The numbers of the tables that were emptied, all of whose rows have changed."""
        return {change.table_id for change in self.waiting if change.kind == "T"}

    def _tables(self, read_keys: Iterable[int]) -> set[int]:
        """Return the numbers of the tables that were read."""
        return {self.matcher.patterns.of_read_key(self.connection, read_key).table_id for read_key in read_keys}

    @cached_property
    def _touched(self) -> set[int]:
        """The read keys of changes that are not matched yet."""
        return {read_key for _, touched in self._touches for read_key, is_own in touched if not is_own}

    @cached_property
    def _overwritten(self) -> list[tuple[int, list[int]]]:
        """The read keys of values written by changes that are not matched yet, with the transaction of each."""
        return [(change.tx, [read_key for read_key, is_own in touched if is_own]) for change, touched in self._touches]

    @cached_property
    def _touches(self) -> list[tuple[Change, list[tuple[int, bool]]]]:
        """The changes that are not matched yet, each with what it touches (see `ReadPatterns.touched`)."""
        return [(change, self.matcher.patterns.touched(change)) for change in self.waiting]

    def _read_keys(self, number: int) -> set[int]:
        return set(self.matcher.manifest_store.read_keys(self.connection, [number]).get(number, ()))


def _write_only(writers: Iterable[RegisteredDerivation], columns: int) -> bool:
    """Return whether derivations write these columns, and none of those that a query asks by."""
    return all(writer.target_column is not None and writer.target_column[1] & columns for writer in writers)
