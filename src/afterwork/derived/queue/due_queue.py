"""The queue of due caches: mark them, claim them, and end their claims."""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from afterwork.derived.queue import due_statements
from afterwork.derived.queue.due_cache import (
    BLOCKED,
    NEVER,
    CacheClaimRequest,
    ClaimedBatch,
    ClaimedCache,
    DueMark,
    DueSummary,
    StoredRun,
)
from afterwork.derived.tables import due as dues
from afterwork.errors import ClaimLost
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.direct import Direct

UNCLAIMED = {"claim": None, "server": None, "claimed_at": None, "stored": False}
"""The columns of a cache that nobody has claimed."""


class DueQueue:
    """The due caches in one kind of database."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._claim = [Direct(statement) for statement in due_statements.claim_statements(dialect)]
        self._end = Direct(due_statements.END)
        self._mark = Direct(due_statements.MARK)
        self._summaries = Direct(due_statements.SUMMARIES)
        self._first_blocked = Direct(due_statements.FIRST_BLOCKED)

    def summaries(self, connection: Connection) -> list[DueSummary]:
        """Return what waits, by derivation. Touches a row or two for each."""
        return [DueSummary(*row).without_blocked() for row in self._summaries.execute(connection)]

    def blocked(self, connection: Connection) -> dict[int, datetime]:
        """Return the derivations with caches that are blocked, each with the first due time among those."""
        rows = self._first_blocked.execute(connection, {"held_from": BLOCKED})
        first = {derivation: min(filter(None, due_times), default=None) for derivation, *due_times in rows}
        return {derivation: due for derivation, due in first.items() if due is not None}

    def mark(self, connection: Connection, marks: Sequence[DueMark]) -> None:
        """Mark caches as due. A cache that is marked already runs at the earlier of the two times."""
        if not marks:
            return
        if self._dialect == "postgresql":
            rows = json.dumps([vars(mark) for mark in marks], default=str)
            self._mark.execute(connection, {"marks": rows})
        else:
            connection.execute(due_statements.MARK_ON_SQLITE, [vars(mark) for mark in marks])

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
            "code": request.derivation.declaration.checksum,
        }
        for statement in self._claim[:-1]:
            connection.execute(statement.statement, values)
        rows = self._claim[-1].execute(connection, values)
        return ClaimedBatch(request.claim, request.derivation, [ClaimedCache(*row) for row in rows])

    def end(self, connection: Connection, batch: ClaimedBatch, ended: Collection[int]) -> set[int]:
        """End the claims of caches that have run, in the transaction that stores their results.

        Returns those that were still claimed by this batch: somebody else has the others by now.
        """
        if self._dialect == "postgresql":
            rows = self._end.execute(connection, {"of_claim": batch.claim, "caches": list(ended)})
            return {row[0] for row in rows}
        ours = dues.c.claim == batch.claim, dues.c.cache.in_(list(ended))
        return set(connection.execute(delete(dues).where(*ours).returning(dues.c.cache)).scalars())

    def drop(self, connection: Connection, caches: Collection[int]) -> None:
        """Drop the marks of caches that have run without being claimed."""
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
