"""The statements on caches on SQLite."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Boolean, Connection, Text, bindparam, case, delete, literal_column, select, text, update

from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.caches.statements import (
    CLAIMED,
    DUE_COLUMNS,
    ON_ALREADY_DUE,
    CacheStatements,
    StatementValues,
    first_due,
)
from afterwork.store.caches.tables import BLOCKED
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.sqlite.database import LAST_CHANGE

_LAST: Any = literal_column(f"({LAST_CHANGE})")

_ENQUEUE = text(
    f"INSERT INTO afterwork_due ({', '.join(DUE_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in DUE_COLUMNS)})"
    + ON_ALREADY_DUE.format(blocked=f"'{BLOCKED:%Y-%m-%d} 00:00:00.000000'")
).bindparams(bindparam("due", type_=UtcDateTime()), bindparam("since", type_=UtcDateTime()))

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
        wrote=case((bindparam("wrote", type_=Boolean()), _LAST)),
    )
)


class SQLiteCacheStatements(CacheStatements):
    def __init__(self) -> None:
        self._ran = DirectStatement(_RAN)
        values = {"claim": bindparam("as_claim", type_=Text()), "server": bindparam("by"), "claimed_at": _LAST}
        self._claim = update(dues).where(dues.c.cache.in_(first_due())).values(values)
        # With the derivation, SQLite uses the index of claimed caches; without it, it would read all caches.
        mine = dues.c.derivation == bindparam("of"), dues.c.claim == bindparam("as_claim")
        self._claimed = DirectStatement(select(*CLAIMED).join(caches, caches.c.id == dues.c.cache).where(*mine))

    def enqueue(self, connection: Connection, entries: Sequence[StatementValues]) -> None:
        connection.execute(_ENQUEUE, entries)

    def claim(self, connection: Connection, values: StatementValues) -> Sequence[Sequence[Any]]:
        connection.execute(self._claim, values)
        return self._claimed.execute(connection, values)

    def end(self, connection: Connection, claim: str, caches: Collection[int]) -> set[int]:
        ours = dues.c.claim == claim, dues.c.cache.in_(list(caches))
        return set(connection.execute(delete(dues).where(*ours).returning(dues.c.cache)).scalars())

    def ran(self, connection: Connection, shared: StatementValues, each: Sequence[StatementValues]) -> None:
        if len(each) == 1:
            self._ran.execute(connection, {**shared, **each[0]})
        else:
            connection.execute(_RAN, [{**shared, **own} for own in each])
