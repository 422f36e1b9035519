"""The SQL of the due queue."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Text, bindparam, column, func, literal_column, select, text, true, update

from afterwork.derived.queue.due_cache import BLOCKED, DueMark
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import derivation as derivations
from afterwork.derived.tables import due as dues
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.sqlite.database import LAST_CHANGE

COLUMNS = tuple(field.name for field in fields(DueMark))

_TYPES = {
    "cache": "bigint", "derivation": "int", "due": "timestamptz", "since": "timestamptz", "cause": "text",
    "backfill": "bool", "cause_cache": "bigint", "depth": "int", "attempts": "int", "reread": "bool",
}  # fmt: skip

# A blocked cache comes before one that is due only later, and after one that is due already.
_ON_CONFLICT = (
    " ON CONFLICT (cache) DO UPDATE SET"
    " due = CASE"
    " WHEN afterwork_due.due >= {blocked} AND excluded.due < {blocked}"
    " THEN CASE WHEN excluded.due <= excluded.since THEN excluded.due ELSE afterwork_due.due END"
    " WHEN excluded.due >= {blocked} AND afterwork_due.due < {blocked}"
    " THEN CASE WHEN afterwork_due.due <= excluded.since THEN afterwork_due.due ELSE excluded.due END"
    " WHEN excluded.due < afterwork_due.due THEN excluded.due ELSE afterwork_due.due END,"
    " backfill = afterwork_due.backfill AND excluded.backfill,"
    " since = coalesce(afterwork_due.since, excluded.since),"
    " cause = excluded.cause, cause_cache = excluded.cause_cache, depth = excluded.depth,"
    " attempts = excluded.attempts, reread = afterwork_due.reread OR excluded.reread"
)

MARK = text(
    f"INSERT INTO afterwork_due ({', '.join(COLUMNS)}) SELECT {', '.join(COLUMNS)}"
    f" FROM json_to_recordset(CAST(:marks AS json)) AS mark ({', '.join(f'{n} {_TYPES[n]}' for n in COLUMNS)})"
    + _ON_CONFLICT.format(blocked=f"TIMESTAMPTZ '{BLOCKED:%Y-%m-%d} 00:00:00+00'")
)
"""Marks many caches, as JSON: the driver takes far longer to write long arrays of texts."""

MARK_ON_SQLITE = text(
    f"INSERT INTO afterwork_due ({', '.join(COLUMNS)}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"
    + _ON_CONFLICT.format(blocked=f"'{BLOCKED:%Y-%m-%d} 00:00:00.000000'")
).bindparams(bindparam("due", type_=UtcDateTime()), bindparam("since", type_=UtcDateTime()))

END = text(
    "DELETE FROM afterwork_due WHERE claim = :of_claim AND cache = ANY (CAST(:caches AS bigint[])) RETURNING cache"
)

_FIRST_IN = (
    "(SELECT due FROM afterwork_due WHERE derivation = d.id AND claim IS NULL AND backfill = {backfill}"
    " ORDER BY due LIMIT 1)"
)

_FIRST_HELD_IN = (
    "(SELECT due FROM afterwork_due WHERE derivation = d.id AND claim IS NULL AND backfill = {backfill}"
    " AND due >= :held_from ORDER BY due LIMIT 1)"
)

FIRST_BLOCKED = (
    text(
        f"SELECT d.id, {_FIRST_HELD_IN.format(backfill='false')} AS due,"
        f" {_FIRST_HELD_IN.format(backfill='true')} AS backfill FROM afterwork_derivation AS d"
    )
    .bindparams(bindparam("held_from", type_=UtcDateTime()))
    .columns(column("id"), column("due", UtcDateTime()), column("backfill", UtcDateTime()))
)

SUMMARIES = text(
    f"SELECT d.id, {_FIRST_IN.format(backfill='false')} AS due, {_FIRST_IN.format(backfill='true')} AS backfill,"
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


def claim_statements(dialect: str) -> list[Any]:
    """Return the statements of a claim; the last one returns the claimed caches."""
    c = dues.c
    first = (
        select(c.cache)
        .where(c.derivation == bindparam("of"), c.claim.is_(None), c.backfill == bindparam("is_backfill"))
        .where(c.due <= bindparam("now", type_=UtcDateTime()))
        .where(select(derivations.c.id).where(*_has_code).exists())
        .order_by(c.due)
        .limit(bindparam("limit"))
    )
    if dialect == "postgresql":
        # A statement that is a transaction of its own, and says that it need not wait for the disk.
        light = select(func.set_config("synchronous_commit", "off", true())).scalar_subquery()
        first = first.where(light.is_not(None)).with_for_update(skip_locked=True)
        seen: Any = func.pg_current_snapshot()
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
    # With the derivation, SQLite uses the index of claimed caches; without it, it would read all caches.
    mine = c.derivation == bindparam("of"), c.claim == bindparam("as_claim")
    return [claimed, select(*result).join(caches, caches.c.id == c.cache).where(*mine)]
