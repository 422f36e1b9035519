"""Filling: a cache that is new, or whose code has changed, runs on all objects that are there, a chunk at a time.

New objects come by the journal, and first. How far filling has come is a row of the database, so it goes on after a
crash where it was.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from afterwork.derived.cause import Cause, read_cause
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registry import RegisteredDerivation, after_all_runs
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import derivation as derivations
from afterwork.derived.tables import due as dues
from afterwork.derived.tracking.unreachable_keys import unreachable_keys
from afterwork.store.journal.key_walk import KeyWalk

CHUNK = 1000


@dataclass(frozen=True)
class Backfill:
    """Adds the caches of objects that were there before."""

    matcher: Matcher

    def begin(self, connection: Connection, now: datetime) -> None:
        """Begin to fill each cache that is new, or whose code is not the one that its values come from."""
        c = derivations.c
        known = {row.id: row for row in connection.execute(select(c.id, c.checksum, c.root_table_id))}
        for definition in self.matcher.registry:
            checksum, watch = definition.declaration.checksum, definition.table.id
            if known[definition.id].root_table_id != watch:
                connection.execute(update(derivations).where(c.id == definition.id).values(root_table_id=watch))
            if known[definition.id].checksum == checksum:
                if self.matcher.cache_rows.forget_unnamed(connection, definition):
                    self.matcher.registry.look_through(connection, definition)  # by newer code, they may have one
                continue
            total = connection.execute(
                select(func.count()).select_from(definition.objects.keys.subquery())
            ).scalar_one()
            connection.commit()
            # With nobody just storing what other code came to, and nobody doing so later.
            with self.matcher.database.transaction(connection, self.matcher.entries.to_change_code):
                began = after_all_runs(connection, now, caches.c.derivation == definition.id)
                other = update(derivations).where(c.id == definition.id, c.checksum.is_distinct_from(checksum))
                start = other.values(
                    checksum=checksum,
                    code_changes=c.code_changes + 1,
                    backfill_began=began,
                    backfill_total=total,
                    gap=None,
                )
                if connection.execute(start.values(backfill_position=None, backfilled=False, backfill_done=0)).rowcount:
                    self.matcher.due_queue.release_all(connection, definition.id)
        self.matcher.registry.load(connection)
        connection.commit()

    def step(self, connection: Connection, definition: RegisteredDerivation, now: datetime) -> bool:
        """Add the next chunk of one cache. False if somebody else is at it, or the end is reached."""
        c = derivations.c
        # With nobody just taking: who makes a cache at once counts on nobody claiming it meanwhile.
        with self.matcher.database.transaction(connection, self.matcher.entries.to_end):
            row = connection.execute(
                select(c.backfill_position, c.backfill_done, c.backfill_began, c.gap)
                .where(c.id == definition.id, ~c.backfilled)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return False
            keys, last = KeyWalk(definition.table).chunk(connection, row.backfill_position, CHUNK)
            if keys:
                roots, unnamed = definition.roots_of(
                    keys, self.matcher.dialect, unreachable_keys(connection, definition.table, keys)
                )
                if not definition.objects.are_all_rows:
                    there = definition.there(connection, roots)
                    roots = [root for root in roots if root in there]
                cause = read_cause(row.gap) or Cause("fill")
                self.matcher.cache_rows.add(
                    connection, definition, roots, now, cause, backfill_since=row.backfill_began
                )
                self.matcher.cache_rows.fail(connection, definition, unnamed, now)
                progress = {"backfill_position": last, "backfill_done": row.backfill_done + len(roots) + len(unnamed)}
            else:
                self._drop_gone(connection, definition, row.backfill_began)
                progress = {"backfilled": True, "gap": None}
            connection.execute(update(derivations).where(c.id == definition.id).values(progress))
        return bool(keys)

    def _drop_gone(self, connection: Connection, definition: RegisteredDerivation, began: datetime) -> None:
        """Drop the caches of objects that filling has not met, and that are not there: they were deleted while nobody
        took note of it."""
        c = caches.c
        waits = select(dues.c.cache).where(dues.c.cache == c.id).exists()
        old = select(c.id, c.root).where(
            c.derivation == definition.id, c.computed.is_(None) | (c.computed < began), ~waits
        )
        rows = connection.execute(old).all()
        for start in range(0, len(rows), CHUNK):
            some = {row.root: row.id for row in rows[start : start + CHUNK]}
            there = definition.there(connection, some)
            self.matcher.cache_rows.drop(connection, [number for root, number in some.items() if root not in there])
