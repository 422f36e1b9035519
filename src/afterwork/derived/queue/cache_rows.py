"""The row that each cache of each object has: adding and dropping it, and what its runs leave there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Text,
    bindparam,
    case,
    cast,
    delete,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from afterwork.derived.cause import Cause, written
from afterwork.derived.manifest.manifest_store import ManifestStore
from afterwork.derived.queue.due_queue import ClaimedCache, DueMark, DueQueue
from afterwork.derived.queue.registry import RegisteredDerivation
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import due as dues
from afterwork.errors import UnnamedObject
from afterwork.model.external_id import PLACEHOLDER
from afterwork.store.direct import Direct
from afterwork.store.sqlite.database import LAST_CHANGE
from afterwork.store.texts import storable

AT_ONCE = 1000


@dataclass(frozen=True)
class RunResult:
    """What a run leaves in its cache's row. `in_tx` is the transaction in which a view model wrote, `wrote` says that a
    value was written in this one. Those that are written together have seen the same, at the same moment."""

    of: int
    seen: Any
    in_tx: int | None
    manifest: int | None
    at: datetime
    seconds: float
    why: str | None
    by: int | None
    steps: int
    raised: str | None
    wrote: bool = False

    @classmethod
    def of_run(
        cls,
        claimed: ClaimedCache,
        snapshot: Any,
        own: int | None,
        manifest: int | None,
        now: datetime,
        took: float,
        raised: str | None,
        wrote: bool = False,
    ) -> "RunResult":
        """What the run of a claimed cache leaves."""
        why, by, steps = claimed.cause, claimed.cause_cache, claimed.depth
        return cls(claimed.cache, snapshot, own, manifest, now, took, why, by, steps, raised, wrote)


@dataclass(frozen=True)
class Seen:
    """What the last run of a cache has seen, and the transaction in which it wrote itself."""

    snapshot: Any
    own: int | None


EACH = {
    "of": "bigint", "manifest": "bigint", "seconds": "float8", "why": "text", "by": "bigint", "steps": "int",
    "raised": "text", "wrote": "bool",
}  # fmt: skip

_SEEN = (
    "UPDATE afterwork_cache SET snapshot = CAST(:seen AS pg_snapshot), own = CAST(CAST(:in_tx AS text) AS xid8),"
    " computed = CAST(:at AS timestamptz), runs = runs + 1, digest = {manifest}, took = {seconds}, cause = {why},"
    " cause_cache = {by}, depth = {steps}, error = {raised}, wrote = CASE WHEN {wrote} THEN pg_current_xact_id() END"
)

_RAN_ONE = text(
    _SEEN.format(**{name: f"CAST(:{name} AS {kind})" for name, kind in EACH.items()})
    + " WHERE id = CAST(:of AS bigint)"
)

_RAN_MANY = text(
    _SEEN.format(**{name: f"one.{name}" for name in EACH}) + " FROM json_to_recordset(CAST(:each AS json))"
    f" AS one ({', '.join(f'{name} {kind}' for name, kind in EACH.items())}) WHERE id = one.of"
)
"""Many at once, as JSON: the driver takes far longer to write long arrays of texts."""

_RAN = (
    update(caches)
    .where(caches.c.id == bindparam("of"))
    .values(
        snapshot=bindparam("seen", type_=caches.c.snapshot.type),
        own=bindparam("in_tx", type_=caches.c.own.type),
        digest=bindparam("manifest"),
        runs=caches.c.runs + 1,
        took=bindparam("seconds"),
        computed=bindparam("at", type_=caches.c.computed.type),
        cause=bindparam("why"),
        cause_cache=bindparam("by"),
        depth=bindparam("steps"),
        error=bindparam("raised"),
        wrote=case((bindparam("wrote", type_=Boolean()), literal_column(f"({LAST_CHANGE})"))),
    )
)


class CacheRows:
    """The statements on the rows of caches for one kind of database."""

    def __init__(self, dialect: str, manifests: ManifestStore, dues: DueQueue) -> None:
        self._dialect = dialect
        self._ran = Direct(_RAN_MANY)
        self._ran_one = Direct(_RAN_ONE if dialect == "postgresql" else _RAN)
        self._manifests = manifests
        self._dues = dues
        insert = postgresql.insert(caches) if dialect == "postgresql" else sqlite.insert(caches)
        self._insert = insert.on_conflict_do_nothing(index_elements=["derivation", "root"])

    def add(
        self,
        connection: Connection,
        definition: RegisteredDerivation,
        roots: Sequence[str],
        now: datetime,
        cause: Cause = Cause("new"),  # noqa: B008 - frozen
        backfill_since: datetime | None = None,
    ) -> None:
        """Let objects have a cache, as far as they have not, and have it run. One that has run finds out by itself that
        its object is another one; while filling, it is right already if it has done so since that began."""
        for start in range(0, len(roots), AT_ONCE):
            some = roots[start : start + AT_ONCE]
            connection.execute(self._insert, [{"derivation": definition.id, "root": root} for root in some])
            found = self._old(connection, definition, some, backfill_since)
            text, fill = written(cause), backfill_since is not None
            self._dues.mark(connection, [DueMark(number, definition.id, now, now, text, fill) for number in found])

    def fail(
        self, connection: Connection, definition: RegisteredDerivation, objects: Sequence[UnnamedObject], now: datetime
    ) -> None:
        """Let objects that have no external id have a cache that has failed. It runs as soon as they have one."""
        for one in objects:
            connection.execute(self._insert, {"derivation": definition.id, "root": one.root})
            own = update(caches).where(caches.c.derivation == definition.id, caches.c.root == one.root)
            connection.execute(own.values(computed=now, error=str(one)))

    def forget_unnamed(self, connection: Connection, definition: RegisteredDerivation) -> bool:
        """Drop the caches of objects that have no external id. False if there are none."""
        c = caches.c
        failed = select(c.id).where(c.derivation == definition.id, c.error.is_not(None))
        prefix = f"{definition.declaration.root.class_.__name__}!{PLACEHOLDER}"
        found = connection.execute(failed.where(c.root.startswith(prefix, autoescape=True))).scalars().all()
        self.drop(connection, found)
        return bool(found)

    def _old(
        self, connection: Connection, definition: RegisteredDerivation, roots: Sequence[str], since: datetime | None
    ) -> Sequence[int]:
        """The caches of objects that have never run, or not since a moment."""
        c = caches.c
        never = c.computed.is_(None)
        old = never if since is None else never | (c.computed < since)
        found = select(c.id).where(c.derivation == definition.id, c.root.in_(roots), old)
        return connection.execute(found).scalars().all()

    def numbers(self, connection: Connection, definition: RegisteredDerivation, roots: Sequence[str]) -> dict[str, int]:
        """The numbers of the caches of objects."""
        c = caches.c
        found = select(c.root, c.id).where(c.derivation == definition.id, c.root.in_(roots))
        return {row.root: row.id for row in connection.execute(found)}

    def ran(self, connection: Connection, left: Sequence[RunResult]) -> None:
        """Write what runs left."""
        if not left:
            return
        left = [one if one.raised is None else replace(one, raised=storable(connection, one.raised)) for one in left]
        if len(left) == 1:
            self._ran_one.execute(connection, vars(left[0]))
        elif self._dialect == "postgresql":
            alike = {"seen": left[0].seen, "in_tx": left[0].in_tx, "at": left[0].at}
            each = [{name: getattr(one, name) for name in EACH} for one in left]
            self._ran.execute(connection, alike | {"each": json.dumps(each)})
        else:
            connection.execute(_RAN, [vars(one) for one in left])

    def seen(self, connection: Connection, cache: int) -> Seen:
        """What the last run of a cache has seen."""
        c = caches.c
        return Seen(*connection.execute(select(cast(c.snapshot, Text), c.own).where(c.id == cache)).one())

    def settle(
        self, connection: Connection, definition: RegisteredDerivation, roots: Sequence[str], now: datetime
    ) -> None:
        """Let objects have a cache as far as they are there; those that are not have none. No change that brings one is
        taken meanwhile."""
        for start in range(0, len(roots), AT_ONCE):
            some = roots[start : start + AT_ONCE]
            there = definition.there(connection, some)
            gone = [root for root in some if root not in there]
            if gone:
                self.drop(connection, list(self.numbers(connection, definition, gone).values()))
            self.add(connection, definition, [root for root in some if root in there], now)

    def forget_all(self, connection: Connection, definition: RegisteredDerivation) -> None:
        """Drop the caches of all objects of a class, whose table was emptied."""
        some = select(caches.c.id).where(caches.c.derivation == definition.id).limit(AT_ONCE)
        while found := list(connection.execute(some).scalars()):
            self.drop(connection, found)

    def drop(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Drop caches, with all that there is of them."""
        if numbers:
            self._manifests.forget(connection, numbers)
            connection.execute(delete(dues).where(dues.c.cache.in_(numbers)))
            connection.execute(delete(caches).where(caches.c.id.in_(numbers)))
