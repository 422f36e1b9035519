"""Follow the objects of each derivation: which there are now, whatever rows have come, gone, or changed class."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Dialect

from afterwork.derived.queue.cache_rows import CacheRows
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.queue.registry import DerivationRegistry
from afterwork.derived.tracking.class_extent import unreachable_keys
from afterwork.errors import UnnamedObject
from afterwork.store.journal.change import Change
from afterwork.store.journal.tracked_table import TrackedTable
from afterwork.store.journal.values import is_written_otherwise

ChangedRow = tuple[TrackedTable, Change, int | str]
"""A change of a row that has a key, with its table and the key."""


@dataclass(frozen=True)
class RootFollower:
    """Gives each object its caches, and drops those of objects that are gone, in any order of changes."""

    registry: DerivationRegistry
    cache_rows: CacheRows
    dialect: Dialect

    def follow(self, connection: Connection, changes: Sequence[Change], now: datetime) -> None:
        by_table: dict[int, list[Change]] = defaultdict(list)
        for change in changes:
            by_table[change.table_id].append(change)
        for derivation in self.registry:
            if derivation.plan is not None:
                continue  # its objects have no rows of their own
            if _is_emptied(derivation, by_table):
                self.cache_rows.forget_all(connection, derivation)
                self.registry.restart_backfill(connection, derivation)
            if not derivation.objects.discriminator_tables.isdisjoint(by_table):
                self.registry.restart_backfill(connection, derivation)
            rows = list(_changed_rows(derivation, by_table))
            if rows:
                self._follow(connection, derivation, rows, now)

    def _follow(
        self, connection: Connection, derivation: RegisteredDerivation, rows: Sequence[ChangedRow], now: datetime
    ) -> None:
        kinds, unnamed = self._kinds(connection, derivation, rows)
        # A row that was added and not deleted again is there, or its deletion is still to be taken.
        are_all_rows = derivation.objects.are_all_rows
        new = [root for root, of_root in kinds.items() if of_root == {"I"} and are_all_rows]
        self.cache_rows.add(connection, derivation, [root for root in new if root not in unnamed], now)
        self.cache_rows.reconcile(connection, derivation, [*kinds.keys() - set(new)], now)
        self.cache_rows.fail(connection, derivation, list(unnamed.values()), now)

    def _kinds(
        self, connection: Connection, derivation: RegisteredDerivation, rows: Sequence[ChangedRow]
    ) -> tuple[Mapping[str, set[str]], Mapping[str, UnnamedObject]]:
        """Return the kinds of changes by root, and the added objects that have no external id."""
        kinds: dict[str, set[str]] = defaultdict(set)
        unnamed: dict[str, UnnamedObject] = {}
        unfound = _unfound(connection, rows)
        for table, change, key in rows:
            try:
                if (table, key) in unfound:
                    raise derivation.unfound(key, table)
                kinds[derivation.root_of(key, self.dialect, table)].add(change.kind)
                if change.kind == "D" and is_written_otherwise(table, key, self.dialect) is None:
                    kinds[derivation.unfound(key, table).root].add("D")  # it may not have been found
            except UnnamedObject as error:
                kinds[error.root].add(change.kind)
                unnamed.pop(error.root, None)
                if change.kind == "I":
                    unnamed[error.root] = error
        return kinds, unnamed


def _is_emptied(derivation: RegisteredDerivation, by_table: Mapping[int, Sequence[Change]]) -> bool:
    return any(change.kind == "T" for table in derivation.objects.tables for change in by_table.get(table.id, ()))


def _changed_rows(derivation: RegisteredDerivation, by_table: Mapping[int, Sequence[Change]]) -> Iterator[ChangedRow]:
    """Yield the changes that may make or end an object, or change its class."""
    objects = derivation.objects
    for table, class_columns in objects.tables.items():
        for change in by_table.get(table.id, ()):
            if change.kind == "U" and (objects.are_all_rows or not change.columns & class_columns):
                continue
            if change.kind != "T" and change.key is not None:
                yield table, change, change.key


def _unfound(connection: Connection, rows: Iterable[ChangedRow]) -> set[tuple[TrackedTable, int | str]]:
    """Return the keys of added rows that the model doesn't find by them."""
    last: dict[TrackedTable, dict[int | str, str]] = defaultdict(dict)
    for table, change, key in rows:
        if not table.has_certain_key:
            last[table][key] = change.kind
    return {
        (table, key)
        for table, kinds in last.items()
        for key in unreachable_keys(connection, table, [key for key, kind in kinds.items() if kind != "D"])
    }
