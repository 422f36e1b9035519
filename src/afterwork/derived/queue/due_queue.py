"""Which caches are due: marking them, claiming them, and ending their claims."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Text, bindparam, column, delete, func, literal_column, select, text, true, update

from afterwork.derived.queue.registry import RegisteredDerivation
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import derivation as derivations
from afterwork.derived.tables import due as dues
from afterwork.errors import ClaimLost
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.direct import Direct
from afterwork.store.sqlite.database import LAST_CHANGE


@dataclass(frozen=True)
class DueSummary:
    """Of one definition, the first cache that is due and that nobody has claimed, separately for those that wait to be
    filled; whether some are claimed; whether filling has come to its end; and what code the values come from."""

    derivation: int
    due: datetime | None
    backfill: datetime | None
    claimed: bool
    backfilled: bool
    checksum: str | None


@dataclass(frozen=True)
class DueMark:
    """Why and when a cache is to run. `since` is None for a moment that is still to come."""

    cache: int
    derivation: int
    due: datetime
    since: datetime | None
    cause: str
    backfill: bool = False
    cause_cache: int | None = None
    depth: int = 0
    attempts: int = 0
    reread: bool = True


@dataclass(frozen=True)
class ClaimedCache:
    """A cache that this server is going to run, with what its last run left."""

    cache: int
    root: str
    digest: int | None
    runs: int
    cause: str
    cause_cache: int | None
    depth: int
    attempts: int
    reread: bool
    since: datetime | None = None
    """When a server noted that it is stale."""
    waited: int = 0
    """How often it has run too early, and waited for what it reads."""


@dataclass(frozen=True)
class Stored:
    """A run that has stored its effects and was still claimed. They hold until a moment, if there is one. `marked` is
    the cause if it was marked as stale since."""

    cache: int
    derivation: int
    until: datetime | None
    marked: str | None


NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a run that has stored its effects is due again as long as nothing marks it."""

HELD = datetime(9998, 1, 1, tzinfo=UTC)
"""When the first cache is due that is held until others have run, which nobody can tell the moment of. A second later
is a level higher."""

WAITING = HELD + timedelta(days=300)
"""When a cache is due that waits for certain others."""


def held_at(level: int) -> datetime:
    """When a cache is due that is held until those of lower levels have run."""
    return min(HELD + timedelta(seconds=level), WAITING - timedelta(days=1))


def shown_due(due: datetime | None) -> datetime | None:
    """When a cache is due, as people may see it; None while it waits for others."""
    return None if due is None or due >= HELD else due


class DueQueue:
    """The statements on due caches for one kind of database."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._claim = [Direct(statement) for statement in _claim_statements(dialect)]
        self._end = Direct(_END)
        self._mark = Direct(_MARK)
        self._waiting = Direct(_WAITING)
        self._held = Direct(_HELD)

    def waiting(self, connection: Connection) -> list[DueSummary]:
        """What waits, by definition. Touches a row or two for each."""
        return [_unheld(DueSummary(*row)) for row in self._waiting.execute(connection)]

    def held(self, connection: Connection) -> dict[int, datetime]:
        """The derivations of which caches are held, each with the first moment in them."""
        rows = self._held.execute(connection, {"held_from": HELD})
        found = {row[0]: min(filter(None, row[1:]), default=None) for row in rows}
        return {number: first for number, first in found.items() if first is not None}

    def mark(self, connection: Connection, marks: Sequence[DueMark]) -> None:
        """Have caches run, each at its moment; one that is to run already does so at the earlier one of both."""
        if not marks:
            return
        if self._dialect == "postgresql":
            rows = json.dumps([vars(mark) for mark in marks], default=str)
            self._mark.execute(connection, {"marks": rows})
        else:
            connection.execute(_MARK_ON_SQLITE, [vars(mark) for mark in marks])

    def claim(
        self,
        connection: Connection,
        of: RegisteredDerivation,
        fill: bool,
        now: datetime,
        most: int,
        server: int,
        claim: str,
    ) -> "ClaimedBatch":
        """Claim the first due caches of a definition for a server, in a transaction of its own. There are none if the
        values come from other code by now."""
        values = {"of": of.id, "filling": fill, "now": now, "most": most, "by": server, "as_claim": claim}
        values |= {"code": of.declaration.checksum}
        for statement in self._claim[:-1]:
            connection.execute(statement.statement, values)
        rows = self._claim[-1].execute(connection, values)
        return ClaimedBatch(claim, [ClaimedCache(*row) for row in rows])

    def end(self, connection: Connection, batch: "ClaimedBatch", ended: Collection[int]) -> set[int]:
        """End the claims of caches that have run, in the transaction that stores what came of them. Returns those that
        were still claimed by this batch: somebody else has the others by now."""
        if self._dialect == "postgresql":
            rows = self._end.execute(connection, {"of_claim": batch.claim, "caches": list(ended)})
            return {row[0] for row in rows}
        ours = dues.c.claim == batch.claim, dues.c.cache.in_(list(ended))
        return set(connection.execute(delete(dues).where(*ours).returning(dues.c.cache)).scalars())

    def drop(self, connection: Connection, caches: Collection[int]) -> None:
        """Caches have run that were noted to do so at some moment."""
        if caches:
            connection.execute(delete(dues).where(dues.c.cache.in_(list(caches))))

    def stored(self, connection: Connection, batch: "ClaimedBatch", until: datetime | None) -> None:
        """Note that a claimed run has stored its effects, that hold until a moment, and is only to be checked.

        Raises `ClaimLost` if somebody else has it by now.
        """
        values = {"stored": True, "due": NEVER} if until is None else {"stored": True, "since": None, "due": until}
        ours = dues.c.claim == batch.claim, dues.c.cache.in_([one.cache for one in batch.caches])
        if not connection.execute(update(dues).where(*ours).values(values)).rowcount:
            raise ClaimLost()

    def finish(self, connection: Connection, claim: str) -> list["Stored"]:
        """End the claim of runs that have stored their effects."""
        c = dues.c
        rows = connection.execute(
            delete(dues).where(c.claim == claim, c.stored).returning(c.cache, c.derivation, c.due, c.since, c.cause)
        )
        return [_stored(row) for row in rows]

    def put_back(self, connection: Connection, batch: "ClaimedBatch", caches: Collection[int], due: datetime) -> None:
        """Let caches of a batch that have not run be claimed again, not before a moment."""
        if caches:
            ours = dues.c.claim == batch.claim, dues.c.cache.in_(list(caches))
            since = func.coalesce(dues.c.since, bindparam("put_back", due, UtcDateTime()))
            connection.execute(update(dues).where(*ours).values(**UNCLAIMED, due=due, since=since))

    def release(self, connection: Connection, claims: Iterable[str]) -> None:
        """Give back what is claimed and nobody is at any more."""
        mine = dues.c.claim.in_(list(claims))
        connection.execute(update(dues).where(mine).values(UNCLAIMED))

    def release_all(self, connection: Connection, definition: int) -> None:
        """Take back all claims of a definition. Whoever is at it will find them gone."""
        connection.execute(
            update(dues).where(dues.c.derivation == definition, dues.c.claim.is_not(None)).values(UNCLAIMED)
        )

    def claims(self, connection: Connection) -> dict[str, int]:
        """All claims there are, each with its server."""
        found = select(dues.c.claim, dues.c.server).where(dues.c.claim.is_not(None)).distinct()
        return {row.claim: row.server for row in connection.execute(found)}


@dataclass(frozen=True)
class ClaimedBatch:
    """Caches of one definition that were claimed together."""

    claim: str
    caches: list[ClaimedCache]


UNCLAIMED = {"claim": None, "server": None, "claimed_at": None, "stored": False}


def _stored(row: Any) -> Stored:
    if row.since is None:
        return Stored(row.cache, row.derivation, None if row.due == NEVER else row.due, None)
    return Stored(row.cache, row.derivation, None, None if row.due == NEVER else row.cause)


def _unheld(found: DueSummary) -> DueSummary:
    """What waits, without what is held."""
    return replace(found, due=shown_due(found.due), backfill=shown_due(found.backfill))


MARKED = tuple(field.name for field in fields(DueMark))

_TYPES = {
    "cache": "bigint", "derivation": "int", "due": "timestamptz", "since": "timestamptz", "cause": "text",
    "backfill": "bool", "cause_cache": "bigint", "depth": "int", "attempts": "int", "reread": "bool",
}  # fmt: skip

# What is held comes before what is due at a moment that is still to come, and after what is due already.
_ON_CONFLICT = (
    " ON CONFLICT (cache) DO UPDATE SET"
    " due = CASE"
    " WHEN afterwork_due.due >= {held} AND excluded.due < {held}"
    " THEN CASE WHEN excluded.due <= excluded.since THEN excluded.due ELSE afterwork_due.due END"
    " WHEN excluded.due >= {held} AND afterwork_due.due < {held}"
    " THEN CASE WHEN afterwork_due.due <= excluded.since THEN afterwork_due.due ELSE excluded.due END"
    " WHEN excluded.due < afterwork_due.due THEN excluded.due ELSE afterwork_due.due END,"
    " backfill = afterwork_due.backfill AND excluded.backfill,"
    " since = coalesce(afterwork_due.since, excluded.since),"
    " cause = excluded.cause, cause_cache = excluded.cause_cache, depth = excluded.depth,"
    " attempts = excluded.attempts, reread = afterwork_due.reread OR excluded.reread"
)

_MARK = text(
    f"INSERT INTO afterwork_due ({', '.join(MARKED)}) SELECT {', '.join(MARKED)}"
    f" FROM json_to_recordset(CAST(:marks AS json)) AS mark ({', '.join(f'{n} {_TYPES[n]}' for n in MARKED)})"
    + _ON_CONFLICT.format(held=f"TIMESTAMPTZ '{HELD:%Y-%m-%d} 00:00:00+00'")
)
"""Many at once, as JSON: the driver takes far longer to write long arrays of texts."""

_MARK_ON_SQLITE = text(
    f"INSERT INTO afterwork_due ({', '.join(MARKED)}) VALUES ({', '.join(f':{name}' for name in MARKED)})"
    + _ON_CONFLICT.format(held=f"'{HELD:%Y-%m-%d} 00:00:00.000000'")
).bindparams(bindparam("due", type_=UtcDateTime()), bindparam("since", type_=UtcDateTime()))

_END = text(
    "DELETE FROM afterwork_due WHERE claim = :of_claim AND cache = ANY (CAST(:caches AS bigint[])) RETURNING cache"
)

_FIRST = (
    "(SELECT due FROM afterwork_due WHERE derivation = d.id AND claim IS NULL AND backfill = {backfill}"
    " ORDER BY due LIMIT 1)"
)

_FIRST_HELD = (
    "(SELECT due FROM afterwork_due WHERE derivation = d.id AND claim IS NULL AND backfill = {backfill}"
    " AND due >= :held_from ORDER BY due LIMIT 1)"
)

_HELD = (
    text(
        f"SELECT d.id, {_FIRST_HELD.format(backfill='false')} AS due, {_FIRST_HELD.format(backfill='true')} AS backfill"
        " FROM afterwork_derivation AS d"
    )
    .bindparams(bindparam("held_from", type_=UtcDateTime()))
    .columns(column("id"), column("due", UtcDateTime()), column("backfill", UtcDateTime()))
)

_WAITING = text(
    f"SELECT d.id, {_FIRST.format(backfill='false')} AS due, {_FIRST.format(backfill='true')} AS backfill,"
    " EXISTS (SELECT 1 FROM afterwork_due WHERE derivation = d.id AND claim IS NOT NULL) AS claimed,"
    " d.backfilled, d.checksum FROM afterwork_derivation AS d"
).columns(
    column("id"),
    column("due", UtcDateTime()),
    column("backfill", UtcDateTime()),
    column("claimed"),
    column("backfilled"),
    column("checksum"),
)


_has_code = derivations.c.id == bindparam("of"), derivations.c.checksum == bindparam("code")


def _claim_statements(dialect: str) -> list[Any]:
    c = dues.c
    first = (
        select(c.cache)
        .where(c.derivation == bindparam("of"), c.claim.is_(None), c.backfill == bindparam("filling"))
        .where(c.due <= bindparam("now", type_=UtcDateTime()))
        .where(select(derivations.c.id).where(*_has_code).exists())
        .order_by(c.due)
        .limit(bindparam("most"))
    )
    seen: Any
    if dialect == "postgresql":
        # A statement that is a transaction of its own, and says that it need not wait for the disk.
        light = select(func.set_config("synchronous_commit", "off", true())).scalar_subquery()
        first = first.where(light.is_not(None)).with_for_update(skip_locked=True)
        seen = func.pg_current_snapshot()
    else:
        seen = literal_column(f"({LAST_CHANGE})")
    values = {"claim": bindparam("as_claim", type_=Text()), "server": bindparam("by"), "claimed_at": seen}
    result = (
        c.cache, caches.c.root, caches.c.digest, caches.c.runs, c.cause, c.cause_cache, c.depth, c.attempts, c.reread,
        c.since, c.waited,
    )  # fmt: skip
    if dialect == "postgresql":
        picked = first.cte("picked")
        claimed = update(dues).where(c.cache == picked.c.cache, caches.c.id == c.cache)
        return [claimed.values(values).returning(*result)]
    claimed = update(dues).where(c.cache.in_(first)).values(values)
    # With the definition SQLite finds them by the index of what is claimed; without it, it reads all caches there are.
    mine = c.derivation == bindparam("of"), c.claim == bindparam("as_claim")
    return [claimed, select(*result).join(caches, caches.c.id == c.cache).where(*mine)]
