"""Backfill: run a derivation that is new, or whose code has changed, on all objects, a chunk at a time.

New objects come by the journal, and first. The progress of a backfill is a row of the database, so it continues after a
crash where it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from afterwork.derived.cause import Cause, read_cause
from afterwork.derived.compute.refresher import BackfilledChunk, Fill
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_rows import BackfillReason
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.queue.registry import after_all_runs
from afterwork.derived.tracking.class_extent import unreachable_keys
from afterwork.jobs.source import EndedRuns
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.dialects import key_walk_of
from afterwork.store.journal.route_spec import forget_touches

CHUNK_SIZE = 1000
"""Objects that one step adds."""


@dataclass(frozen=True)
class BackfillResult:
    """The result of a step of a backfill: `is_made` unless there was nothing to do here, and the runs that it made."""

    is_made: bool = False
    ran: EndedRuns = field(default_factory=list)


@dataclass(frozen=True)
class Backfill:
    """Adds the caches of objects that existed before their derivation did, or computes their values in sets."""

    matcher: Matcher

    def begin(self, connection: Connection, now: datetime) -> None:
        """Begin the backfill of each derivation that is new, or whose values come from other code."""
        c = derivations.c
        known = {row.id: row for row in connection.execute(select(c.id, c.checksum, c.root_table_id))}
        for derivation in self.matcher.registry:
            row, table = known[derivation.id], derivation.table.id
            if row.root_table_id != table:
                connection.execute(update(derivations).where(c.id == derivation.id).values(root_table_id=table))
            if row.checksum != derivation.checksum:
                self._begin(connection, derivation, now)
            elif self.matcher.cache_rows.forget_unnamed(connection, derivation):
                self.matcher.registry.restart_backfill(connection, derivation)  # newer code may name those objects
        self.matcher.registry.load(connection)
        connection.commit()

    def step(
        self, connection: Connection, derivation: RegisteredDerivation, now: datetime, in_sets: Fill
    ) -> BackfillResult:
        """Do the next chunk of one derivation: `in_sets` if it is refreshed so. No progress is made if another server
        is at it, or at the end."""
        c = derivations.c
        # With nobody just taking changes: inline recomputation counts on nobody claiming a cache meanwhile.
        with self.matcher.database.transaction(connection, self.matcher.entries.to_end):
            row = connection.execute(
                select(c.backfill_position, c.backfill_done, c.backfill_began, c.gap)
                .where(c.id == derivation.id, ~c.backfilled)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return BackfillResult()
            if derivation.plan is None:
                chunk = self._add_caches(connection, derivation, row, now)
            else:
                chunk = self._fill(connection, derivation, row.backfill_position, in_sets)
            progress: Mapping[str, object] = {"backfilled": True, "gap": None}
            if chunk.position is not None:
                progress = {"backfill_position": chunk.position, "backfill_done": row.backfill_done + chunk.count}
            connection.execute(update(derivations).where(c.id == derivation.id).values(progress))
        return BackfillResult(chunk.position is not None, chunk.ran)

    def _add_caches(
        self, connection: Connection, derivation: RegisteredDerivation, row: Any, now: datetime
    ) -> BackfilledChunk:
        """Add the caches of the next objects, to be run."""
        keys, last = key_walk_of(connection, derivation.table).chunk(row.backfill_position, CHUNK_SIZE)
        if not keys:
            self._drop_gone(connection, derivation, row.backfill_began)
            return BackfilledChunk(0, None)
        reason = BackfillReason(row.backfill_began, read_cause(row.gap) or Cause("fill"), now)
        return BackfilledChunk(self._add(connection, derivation, keys, reason), last)

    def _fill(
        self, connection: Connection, derivation: RegisteredDerivation, position: str | None, in_sets: Fill
    ) -> BackfilledChunk:
        """Compute the next objects of a derivation that is refreshed in sets."""
        if position is None:
            self.matcher.cache_rows.forget_all(connection, derivation)  # what was set aside is tried again
            forget_touches(connection, [derivation.name])  # all objects are computed after this
        return in_sets(connection, derivation, position)

    def _begin(self, connection: Connection, derivation: RegisteredDerivation, now: datetime) -> None:
        c, checksum = derivations.c, derivation.checksum
        count_all = select(func.count()).select_from(derivation.objects.keys.subquery())
        total = connection.execute(count_all).scalar_one()
        connection.commit()
        # With nobody just storing the results of other code, and nobody doing so later.
        with self.matcher.database.transaction(connection, self.matcher.entries.to_change_code):
            began = after_all_runs(connection, now, caches.c.derivation == derivation.id)
            other = update(derivations).where(c.id == derivation.id, c.checksum.is_distinct_from(checksum))
            start = other.values(
                checksum=checksum, code_changes=c.code_changes + 1, backfill_began=began, backfill_total=total, gap=None
            )
            if connection.execute(start.values(backfill_position=None, backfilled=False, backfill_done=0)).rowcount:
                self.matcher.due_queue.release_all(connection, derivation.id)
                if derivation.plan is not None:
                    self.matcher.cache_rows.forget_all(connection, derivation)

    def _add(
        self, connection: Connection, derivation: RegisteredDerivation, keys: Sequence[Any], reason: BackfillReason
    ) -> int:
        """Add the caches of the rows with these keys. Returns how many there are."""
        unfound = unreachable_keys(connection, derivation.table, keys)
        roots, unnamed = derivation.roots_of(keys, self.matcher.dialect, unfound)
        if not derivation.objects.are_all_rows:
            existing = derivation.existing(connection, roots)
            roots = [root for root in roots if root in existing]
        self.matcher.cache_rows.add_to_backfill(connection, derivation, roots, reason)
        self.matcher.cache_rows.fail(connection, derivation, unnamed, reason.now)
        return len(roots) + len(unnamed)

    def _drop_gone(self, connection: Connection, derivation: RegisteredDerivation, began: datetime) -> None:
        """Drop the caches of objects that the backfill hasn't met and that are gone.

        They were deleted while nobody noticed.
        """
        c = caches.c
        is_enqueued = select(dues.c.cache).where(dues.c.cache == c.id).exists()
        unmet = select(c.id, c.root).where(
            c.derivation == derivation.id, c.computed.is_(None) | (c.computed < began), ~is_enqueued
        )
        rows = connection.execute(unmet).all()
        for start in range(0, len(rows), CHUNK_SIZE):
            numbers = {row.root: row.id for row in rows[start : start + CHUNK_SIZE]}
            existing = derivation.existing(connection, numbers)
            self.matcher.cache_rows.drop(connection, [numbers[root] for root in numbers if root not in existing])
