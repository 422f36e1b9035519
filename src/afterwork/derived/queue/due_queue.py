"""The queue of due caches: enqueue them, claim them, and end their claims."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, column, delete, func, select, text, update

from afterwork.derived.cause import Cause, cause_text
from afterwork.derived.queue.due_cache import (
    NEVER,
    CacheClaimRequest,
    ClaimedBatch,
    ClaimedCache,
    DueEntry,
    DueSummary,
    StoredRun,
)
from afterwork.errors import BadRequest, ClaimLost, NoCacheYet
from afterwork.model.external_id import ExternalId
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.caches.tables import BLOCKED
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.dialects import cache_statements_of
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal.last_change import NO_CHANGE
from afterwork.store.journal.tables import route as routes
from afterwork.store.journal.tables import touch
from afterwork.store.upsert import insert_into

UNCLAIMED = {"claim": None, "server": None, "claimed_at": None, "stored": False}
"""The columns of a cache that nobody has claimed."""


def _first(backfill: str, more: str = "") -> str:
    return (
        "(SELECT due FROM afterwork_due WHERE derivation = d.id AND claim IS NULL"
        f" AND backfill = {backfill}{more} ORDER BY due LIMIT 1)"
    )


def _firsts(more: str = "") -> str:
    return f"d.id, {_first('false', more)} AS due, {_first('true', more)} AS backfill"


_FIRSTS: Any = column("id"), column("due", UtcDateTime()), column("backfill", UtcDateTime())

_BLOCKED = text(f"SELECT {_firsts(' AND due >= :held_from')} FROM afterwork_derivation AS d")

_SUMMARIES = text(
    f"SELECT {_firsts()}, EXISTS (SELECT 1 FROM afterwork_due WHERE derivation = d.id AND claim IS NOT NULL)"
    " AS claimed, d.backfilled, d.checksum FROM afterwork_derivation AS d"
)


class DueQueue:
    """The due caches in one kind of database."""

    def __init__(self, dialect: str) -> None:
        self._statements = cache_statements_of(dialect)
        names: Any = (column(name) for name in ("claimed", "backfilled", "checksum"))
        self._summaries = DirectStatement(_SUMMARIES.columns(*_FIRSTS, *names))
        self._blocked = DirectStatement(
            _BLOCKED.bindparams(bindparam("held_from", type_=UtcDateTime())).columns(*_FIRSTS)
        )

    def summaries(self, connection: Connection) -> list[DueSummary]:
        """Return what waits, by derivation. Touches a row or two for each."""
        return [DueSummary(*row).without_blocked() for row in self._summaries.execute(connection)]

    def blocked(self, connection: Connection) -> dict[int, datetime]:
        """Return the derivations with caches that are blocked, each with the first due time among those."""
        rows = self._blocked.execute(connection, {"held_from": BLOCKED})
        first = {derivation: min(filter(None, due_times), default=None) for derivation, *due_times in rows}
        return {derivation: due for derivation, due in first.items() if due is not None}

    def enqueue(self, connection: Connection, entries: Sequence[DueEntry]) -> None:
        """Enqueue caches. A cache that is in the queue already runs at the earlier of the two times."""
        if entries:
            self._statements.enqueue(connection, [vars(entry) for entry in entries])

    def claim(self, connection: Connection, request: CacheClaimRequest, now: datetime) -> ClaimedBatch:
        """Claim the first due caches of a derivation, in a transaction of its own.

        Claims none if the values come from other code by now.
        """
        values = {
            "of": request.derivation.id,
            "is_backfill": request.is_backfill,
            "now": now,
            "limit": request.limit,
            "by": request.server,
            "as_claim": request.claim,
            "code": request.derivation.checksum,
        }
        rows = self._statements.claim(connection, values)
        return ClaimedBatch(request.claim, request.derivation, [ClaimedCache(*row) for row in rows])

    def end(self, connection: Connection, batch: ClaimedBatch, ended: Collection[int]) -> set[int]:
        """End the claims of caches that have run, in the transaction that stores their results.

        Returns those that were still claimed by this batch: somebody else has the others by now.
        """
        return self._statements.end(connection, batch.claim, ended)

    def drop(self, connection: Connection, caches: Collection[int]) -> None:
        """Drop the entries of caches that have run without being claimed."""
        if caches:
            connection.execute(delete(dues).where(dues.c.cache.in_(list(caches))))

    def stored(self, connection: Connection, batch: ClaimedBatch, until: datetime | None) -> None:
        """Note that a claimed run has stored its effects, which hold `until` then, and is only to be checked.

        Raises `ClaimLost` if somebody else has it by now.
        """
        values = {"stored": True, "due": NEVER} if until is None else {"stored": True, "since": None, "due": until}
        ours = dues.c.claim == batch.claim, dues.c.cache.in_([claimed.cache for claimed in batch.caches])
        if not connection.execute(update(dues).where(*ours).values(values)).rowcount:
            raise ClaimLost()

    def finish(self, connection: Connection, claim: str) -> list[StoredRun]:
        """End a claim where runs have stored their effects."""
        c = dues.c
        rows = connection.execute(
            delete(dues).where(c.claim == claim, c.stored).returning(c.cache, c.derivation, c.due, c.since, c.cause)
        )
        return [_stored_run(row) for row in rows]

    def put_back(self, connection: Connection, batch: ClaimedBatch, caches: Collection[int], due: datetime) -> None:
        """Let caches of a batch that have not run be claimed again, not before they are `due`."""
        if caches:
            ours = dues.c.claim == batch.claim, dues.c.cache.in_(list(caches))
            since = func.coalesce(dues.c.since, bindparam("put_back", due, UtcDateTime()))
            connection.execute(update(dues).where(*ours).values(**UNCLAIMED, due=due, since=since))

    def release(self, connection: Connection, claims: Iterable[str]) -> None:
        """Give back claims that nobody works on any more."""
        ours = dues.c.claim.in_(list(claims))
        connection.execute(update(dues).where(ours).values(UNCLAIMED))

    def release_all(self, connection: Connection, derivation: int) -> None:
        """Take back all claims of a derivation. Whoever works on one will find it gone."""
        claimed = dues.c.derivation == derivation, dues.c.claim.is_not(None)
        connection.execute(update(dues).where(*claimed).values(UNCLAIMED))

    def claims(self, connection: Connection) -> dict[str, int]:
        """Return all claims, each with its server."""
        claimed = select(dues.c.claim, dues.c.server).where(dues.c.claim.is_not(None)).distinct()
        return {row.claim: row.server for row in connection.execute(claimed)}


def _stored_run(row: Any) -> StoredRun:
    due = None if row.due == NEVER else row.due
    if row.since is None:
        return StoredRun(row.cache, row.derivation, due, None)
    return StoredRun(row.cache, row.derivation, None, None if due is None else row.cause)


def have_run(connection: Connection, name: str, root: ExternalId, who: str, now: datetime) -> None:
    """Enqueue a cache of an object, due now, in the transaction that is open. Until it has run, it keeps its value.

    Raises `NoCacheYet` if the object has no such cache, and `BadRequest` if it is running.
    """
    c, d = caches.c, dues.c
    query = select(c.id, c.derivation, d.claim).join(derivations, derivations.c.id == c.derivation)
    query = query.outerjoin(dues, d.cache == c.id).where(derivations.c.name == name, c.root == str(root))
    row = connection.execute(query).one_or_none()
    if row is None and _touch(connection, name, root):
        return
    if row is None:
        raise NoCacheYet(str(root), name)
    if row.claim is not None:
        raise BadRequest(f"{name} of {root} runs just now. Ask again if that was not enough.")
    cause = cause_text(Cause("hand", moment=now, who=who))
    DueQueue(connection.dialect.name).enqueue(connection, [DueEntry(row.id, row.derivation, now, now, cause)])


def _touch(connection: Connection, name: str, root: ExternalId) -> bool:
    """Touch an object whose value is refreshed in sets. Return False if the derivation is none of these."""
    own = select(routes.c.id).where(routes.c.derivation == name, routes.c.role == "own").limit(1)
    route = connection.execute(own).scalar()
    if route is not None:
        as_text = connection.dialect.name == "postgresql"
        values = {f"v{place}": str(part) if as_text else part for place, part in enumerate(root.key, 1)}
        insert = insert_into(connection.dialect.name, touch).values(route=route, via=NO_CHANGE, **values)
        connection.execute(insert.on_conflict_do_nothing())
    return route is not None
