"""Filling: a cache that is new, or whose code has changed, runs on all objects that are there, a chunk at a time.

New objects come by the journal, and first. How far filling has come is a row of the database, so it goes on after a
crash where it was.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, tuple_, update

from afterwork.manifest.cause import Cause
from afterwork.manifest.definitions import Definition
from afterwork.manifest.match import Matcher
from afterwork.manifest.tables import definition as definitions
from afterwork.model.external_id import ExternalId, parse

CHUNK = 1000


@dataclass(frozen=True)
class Filler:
    """Adds the caches of objects that were there before."""

    matcher: Matcher

    def begin(self, connection: Connection, now: datetime) -> None:
        """Begin to fill each cache that is new, or whose code is not the one that its values come from."""
        c = definitions.c
        known = {row.id: row.checksum for row in connection.execute(select(c.id, c.checksum))}
        for definition in self.matcher.definitions:
            checksum = definition.cache.checksum
            if known.get(definition.id) == checksum:
                continue
            total = connection.execute(select(func.count()).select_from(definition.cache.table)).scalar_one()
            connection.commit()
            other = c.checksum.is_distinct_from(checksum)
            start = {"checksum": checksum, "next_root": None, "filled": False, "done": 0, "total": total, "began": now}
            with self.matcher.database.transaction(connection):
                connection.execute(update(definitions).where(c.id == definition.id, other).values(start))

    def step(self, connection: Connection, definition: Definition, now: datetime) -> bool:
        """Add the next chunk of one cache. False if somebody else is at it, or the end is reached."""
        c = definitions.c
        # With nobody just taking: who makes a cache at once counts on nobody claiming it meanwhile.
        with self.matcher.database.transaction(connection, self.matcher.entries.to_end):
            row = connection.execute(
                select(c.next_root, c.done, c.began)
                .where(c.id == definition.id, ~c.filled)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return False
            roots = self._next(connection, definition, row.next_root)
            if roots:
                self.matcher.heads.add(connection, definition, roots, now, Cause("fill"), fill_since=row.began)
                progress = {"next_root": roots[-1], "done": row.done + len(roots)}
            else:
                progress = {"filled": True}
            connection.execute(update(definitions).where(c.id == definition.id).values(progress))
        return bool(roots)

    def _next(self, connection: Connection, definition: Definition, after: str | None) -> list[str]:
        mapper = definition.cache.root
        key = list(definition.cache.table.primary_key.columns)
        some = select(*key).order_by(*key).limit(CHUNK)
        if after is not None:
            last = parse(after, {mapper.class_.__name__: mapper}).key
            some = some.where(tuple_(*key) > tuple_(*last)) if len(key) > 1 else some.where(key[0] > last[0])
        return [str(ExternalId(mapper, tuple(row))) for row in connection.execute(some)]
