"""The row of each cache: add it, drop it, and write what its runs leave there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, delete, select, update

from afterwork.derived.cause import Cause, cause_text
from afterwork.derived.queue.due_cache import ClaimedCache, DueEntry
from afterwork.derived.queue.due_queue import DueQueue
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import UnnamedObject
from afterwork.model.external_id import PLACEHOLDER
from afterwork.store.caches.manifests import ManifestStore
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues
from afterwork.store.dialects import cache_statements_of
from afterwork.store.texts import storable
from afterwork.store.upsert import insert_into

ROWS_PER_STATEMENT = 1000


@dataclass(frozen=True)
class RunResult:
    """The result of a run, as its cache's row keeps it.

    `snapshot` is the state that it has seen, `at` its timestamp; both are the same for all results of one batch.
    `own_tx` is the transaction in which a view model wrote; `wrote` says that this one writes a value.
    """

    claimed: ClaimedCache
    snapshot: Any
    digest: int | None
    at: datetime
    seconds: float
    error: str | None = None
    own_tx: int | None = None
    wrote: bool = False

    def shared(self) -> dict[str, Any]:
        return {"seen": self.snapshot, "in_tx": self.own_tx, "at": self.at}

    def each(self, connection: Connection) -> dict[str, Any]:
        return {
            "of": self.claimed.cache,
            "manifest": self.digest,
            "seconds": self.seconds,
            "why": self.claimed.cause,
            "by": self.claimed.cause_cache,
            "steps": self.claimed.depth,
            "raised": None if self.error is None else storable(connection, self.error),
            "wrote": self.wrote,
        }


@dataclass(frozen=True)
class SeenState:
    """The state that the last run of a cache has seen, and the transaction in which it wrote itself."""

    snapshot: Any
    own_tx: int | None


@dataclass(frozen=True)
class BackfillReason:
    """Why and since when a backfill goes on, for the caches that it enqueues now."""

    began: datetime
    cause: Cause
    now: datetime


class CacheRows:
    def __init__(self, dialect: str, manifests: ManifestStore, due_queue: DueQueue) -> None:
        self._statements = cache_statements_of(dialect)
        self._manifests = manifests
        self._due_queue = due_queue
        self._insert = insert_into(dialect, caches).on_conflict_do_nothing(index_elements=["derivation", "root"])

    def add(
        self, connection: Connection, derivation: RegisteredDerivation, roots: Sequence[str], now: datetime
    ) -> None:
        """Create missing rows and enqueue them.

        A cache that has run before is left alone: it has read its object's row, so a change of it enqueues it anyway.
        """
        number, cause = derivation.id, cause_text(Cause("new"))
        never_run = caches.c.computed.is_(None)
        self._add(connection, number, roots, never_run, lambda cache: DueEntry(cache, number, now, now, cause))

    def add_to_backfill(
        self, connection: Connection, derivation: RegisteredDerivation, roots: Sequence[str], backfill: BackfillReason
    ) -> None:
        """Create missing rows, and enqueue those that have not run since the backfill began."""
        number, now, cause = derivation.id, backfill.now, cause_text(backfill.cause)
        is_old = caches.c.computed.is_(None) | (caches.c.computed < backfill.began)
        self._add(
            connection, number, roots, is_old, lambda cache: DueEntry(cache, number, now, now, cause, backfill=True)
        )

    def _add(
        self,
        connection: Connection,
        derivation: int,
        roots: Sequence[str],
        which: ColumnElement[bool],
        entry_of: Callable[[int], DueEntry],
    ) -> None:
        """Create missing rows, and enqueue those of these roots that a condition picks."""
        c = caches.c
        for part in _slices(roots):
            connection.execute(self._insert, [{"derivation": derivation, "root": root} for root in part])
            picked = select(c.id).where(c.derivation == derivation, c.root.in_(part), which)
            self._due_queue.enqueue(connection, [entry_of(cache) for cache in connection.execute(picked).scalars()])

    def fail(
        self, connection: Connection, derivation: RegisteredDerivation, objects: Sequence[UnnamedObject], now: datetime
    ) -> None:
        """Create failed rows for objects without an external id. They run as soon as they have one."""
        for unnamed in objects:
            connection.execute(self._insert, {"derivation": derivation.id, "root": unnamed.root})
            own = update(caches).where(caches.c.derivation == derivation.id, caches.c.root == unnamed.root)
            connection.execute(own.values(computed=now, error=str(unnamed)))

    def ran(self, connection: Connection, results: Sequence[RunResult]) -> None:
        if results:
            each = [result.each(connection) for result in results]
            self._statements.ran(connection, results[0].shared(), each)

    def seen(self, connection: Connection, cache: int) -> SeenState:
        c = caches.c
        return SeenState(*connection.execute(select(cast(c.snapshot, Text), c.own).where(c.id == cache)).one())

    def numbers(self, connection: Connection, derivation: RegisteredDerivation, roots: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the caches of objects, by external id."""
        c = caches.c
        query = select(c.root, c.id).where(c.derivation == derivation.id, c.root.in_(roots))
        return {row.root: row.id for row in connection.execute(query)}

    def reconcile(
        self, connection: Connection, derivation: RegisteredDerivation, roots: Sequence[str], now: datetime
    ) -> None:
        """Create rows for objects that exist, and drop those of objects that don't.

        Nobody takes a change meanwhile that brings one.
        """
        for part in _slices(roots):
            existing = derivation.existing(connection, part)
            gone = [root for root in part if root not in existing]
            if gone:
                self.drop(connection, list(self.numbers(connection, derivation, gone).values()))
            self.add(connection, derivation, [root for root in part if root in existing], now)

    def forget_unnamed(self, connection: Connection, derivation: RegisteredDerivation) -> bool:
        """Drop the rows of objects without an external id. False if there are none."""
        c = caches.c
        failed = select(c.id).where(c.derivation == derivation.id, c.error.is_not(None))
        prefix = f"{derivation.declaration.root.class_.__name__}!{PLACEHOLDER}"
        unnamed = connection.execute(failed.where(c.root.startswith(prefix, autoescape=True))).scalars().all()
        self.drop(connection, unnamed)
        return bool(unnamed)

    def forget_all(self, connection: Connection, derivation: RegisteredDerivation) -> None:
        """Drop the rows of all objects of a class, whose table was emptied."""
        first = select(caches.c.id).where(caches.c.derivation == derivation.id).limit(ROWS_PER_STATEMENT)
        while numbers := list(connection.execute(first).scalars()):
            self.drop(connection, numbers)

    def drop(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Drop caches, with their manifests and entries in the queue."""
        if numbers:
            self._manifests.forget(connection, numbers)
            connection.execute(delete(dues).where(dues.c.cache.in_(numbers)))
            connection.execute(delete(caches).where(caches.c.id.in_(numbers)))


def _slices(roots: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(roots), ROWS_PER_STATEMENT):
        yield roots[start : start + ROWS_PER_STATEMENT]
