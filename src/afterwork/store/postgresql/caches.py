"""The statements on caches on PostgreSQL. Many rows go as JSON: the driver takes far longer to write long arrays.

The values of a derived column go as two arrays, by one statement that goes through the rows once.
"""

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Text, bindparam, column, func, select, text, true, update
from sqlalchemy.types import TypeDecorator

from afterwork.store.caches.statements import (
    CLAIMED,
    DUE_COLUMNS,
    ON_ALREADY_DUE,
    CacheStatements,
    ColumnWriter,
    Rows,
    StatementValues,
    first_due,
)
from afterwork.store.caches.tables import BLOCKED
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues
from afterwork.store.direct_statement import DirectStatement


def _definitions(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


_ENQUEUE = text(
    f"INSERT INTO afterwork_due ({', '.join(DUE_COLUMNS)}) SELECT {', '.join(DUE_COLUMNS)}"
    f" FROM json_to_recordset(CAST(:entries AS json)) AS entry ({_definitions(DUE_COLUMNS)})"
    + ON_ALREADY_DUE.format(blocked=f"TIMESTAMPTZ '{BLOCKED:%Y-%m-%d} 00:00:00+00'")
)

_END = text(
    "DELETE FROM afterwork_due WHERE claim = :of_claim AND cache = ANY (CAST(:caches AS bigint[])) RETURNING cache"
)

_EACH = {
    "of": "bigint", "manifest": "bigint", "seconds": "float8", "why": "text", "by": "bigint", "steps": "int",
    "raised": "text", "wrote": "bool",
}  # fmt: skip
"""The values that each cache that has run has of its own, with their types."""

_SEEN = (
    "UPDATE afterwork_cache SET snapshot = CAST(:seen AS pg_snapshot), own = CAST(CAST(:in_tx AS text) AS xid8),"
    " computed = CAST(:at AS timestamptz), runs = runs + 1, digest = {manifest}, took = {seconds}, cause = {why},"
    " cause_cache = {by}, depth = {steps}, error = {raised}, wrote = CASE WHEN {wrote} THEN pg_current_xact_id() END"
)
_RAN_ONE = text(
    _SEEN.format(**{name: f"CAST(:{name} AS {kind})" for name, kind in _EACH.items()})
    + " WHERE id = CAST(:of AS bigint)"
)
_RAN_MANY = text(
    _SEEN.format(**{name: f"one.{name}" for name in _EACH})
    + f" FROM json_to_recordset(CAST(:each AS json)) AS one ({_definitions(_EACH)}) WHERE id = one.of"
)


class PostgreSQLCacheStatements(CacheStatements):
    def __init__(self) -> None:
        self._enqueue, self._end = DirectStatement(_ENQUEUE), DirectStatement(_END)
        self._ran_one, self._ran_many = DirectStatement(_RAN_ONE), DirectStatement(_RAN_MANY)
        # A statement that is a transaction of its own, and says that it need not wait for the disk.
        light = select(func.set_config("synchronous_commit", "off", true())).scalar_subquery()
        picked = first_due().where(light.is_not(None)).with_for_update(skip_locked=True).cte("picked")
        values = {"claim": bindparam("as_claim", type_=Text()), "server": bindparam("by")}
        claimed = update(dues).where(dues.c.cache == picked.c.cache, caches.c.id == dues.c.cache)
        claimed = claimed.values(**values, claimed_at=func.pg_current_snapshot())
        self._claim = DirectStatement(claimed.returning(*CLAIMED))

    def enqueue(self, connection: Connection, entries: Sequence[StatementValues]) -> None:
        self._enqueue.execute(connection, {"entries": _json(entries)})

    def claim(self, connection: Connection, values: StatementValues) -> Sequence[Sequence[Any]]:
        return self._claim.execute(connection, values)

    def end(self, connection: Connection, claim: str, caches: Collection[int]) -> set[int]:
        rows = self._end.execute(connection, {"of_claim": claim, "caches": list(caches)})
        return {row[0] for row in rows}

    def ran(self, connection: Connection, shared: StatementValues, each: Sequence[StatementValues]) -> None:
        if len(each) == 1:
            self._ran_one.execute(connection, {**shared, **each[0]})
        else:
            self._ran_many.execute(connection, {**shared, "each": _json(each)})


def _json(rows: Sequence[StatementValues]) -> str:
    """Return rows as JSON, without escapes of characters: a database in SQL_ASCII can't read these."""
    return json.dumps(rows, default=str, ensure_ascii=False)


SCALAR_CLASSES = {bool, int, float, Decimal, str, bytes, UUID, date, datetime, time, timedelta}
"""Classes whose values are scalars in any column."""


class PostgreSQLColumnWriter(ColumnWriter):
    def write_many(self, connection: Connection, rows: Rows) -> int:
        if len(self.key) != 1 or not self._fit_in_array(rows):
            return super().write_many(connection, rows)
        (key,), member, bare = self.target.key, self.member, self.bare
        keys: Any = bindparam("afterwork_keys", [key for (key,), _ in rows], ARRAY(key.type))
        values: Any = bindparam("afterwork_values", [value for _, value in rows], ARRAY(member.type))
        both = func.unnest(keys, values).table_valued(column("key", key.type), column("value", member.type))
        new = both.render_derived(name="new")
        written = update(bare).where(bare.c[key.name] == new.c.key).values({member.name: new.c.value})
        return connection.execute(written).rowcount

    def _fit_in_array(self, rows: Rows) -> bool:
        """Return whether the items of an array are stored just as each value would be by itself.

        They aren't where a type or the database makes lists of them, which would be taken for arrays, or where the type
        has the database change them.
        """
        kinds, type_ = {type(value) for _, value in rows}, self.member.type
        is_plain = not isinstance(type_, TypeDecorator) and not type_._has_bind_expression
        return is_plain and len(kinds) == 1 and kinds <= SCALAR_CLASSES and not self._may_be_cut(rows)

    def _may_be_cut(self, rows: Rows) -> bool:
        """Return whether a text may be longer than its column: PostgreSQL refuses it, but cuts items of an array."""
        length = getattr(self.member.type, "length", None)
        return length is not None and not all(isinstance(value, str) and len(value) <= length for _, value in rows)
