"""Taking changes out of the journal, and keeping those that a computation in flight may not have seen.

Nothing is ever read by position: a transaction that commits late brings rows with low numbers, and they are found as
well as any (a cursor over a sequence would lose them).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam, literal_column, text

from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.database import NOT_LONG
from afterwork.store.direct import Direct
from afterwork.store.journal.change import Change, JournalEntry, key_as_bytes, read
from afterwork.store.sqlite.database import LAST_CHANGE

TAKEN_AT_ONCE = 20_000

TAKES_UNTIL_MORE = 10
"""After so many takes that went well, a portion that had to be made smaller grows again."""

_NOW = bindparam("now", type_=UtcDateTime())

_READ_PATTERNS = "(SELECT count(*) FROM afterwork_read_pattern) AS read_patterns"
_USES = "(SELECT count(*) FROM afterwork_use) AS uses"
_DERIVATIONS = "(SELECT sum(1 + code_changes) FROM afterwork_derivation) AS derivations"
_DUE = "SELECT 1 FROM afterwork_due AS due WHERE due.derivation = d.id"
_BUSY = (
    f"EXISTS (SELECT 1 FROM {{mine}} WHERE EXISTS ({_DUE} AND due.claim IS NOT NULL)"
    f" OR EXISTS ({_DUE} AND due.claim IS NULL AND due.backfill = {{no}} AND due.due <= :now)"
    f" OR EXISTS ({_DUE} AND due.claim IS NULL AND due.backfill = {{yes}} AND due.due <= :now)) AS busy"
)
_KNOWN = f"{_READ_PATTERNS}, {_USES}, {_DERIVATIONS}, {_BUSY}"
_ON_POSTGRESQL = {
    "no": "false", "yes": "true",
    "mine": "(SELECT CAST(value AS int) AS id FROM json_array_elements_text(CAST(:mine AS json))) AS d",
}  # fmt: skip
_ON_SQLITE = {"no": "0", "yes": "1", "mine": "(SELECT value AS id FROM json_each(:mine)) AS d"}


@dataclass(frozen=True)
class Taken:
    """What was taken. `shapes` and `uses` are how many of these there were by then: a server that knows of fewer has to
    learn (their numbers don't tell, since those are committed in any order). So has one that knows another number of
    `definitions`, which grows with each new one, and whenever the code of one becomes another. `busy` says that caches
    that the server runs are due or claimed, `more` that there may be more changes."""

    changes: Sequence[Change]
    patterns: int
    uses: int
    derivations: int
    busy: bool
    more: bool


@dataclass
class Portion:
    """How many changes are taken at once: half of them after a take that was cancelled, since it took too long."""

    full: int
    most: int = 0
    _taken: int = 0

    def __post_init__(self) -> None:
        self.most = self.full

    def halve(self) -> bool:
        """Take half as many from now on. False if there is no half."""
        if self.most == 1:
            return False
        self.most, self._taken = self.most // 2, 0
        return True

    def went_well(self) -> None:
        """Note that so many could be taken."""
        self._taken += 1
        if self.most < self.full and self._taken >= TAKES_UNTIL_MORE:
            self.most, self._taken = min(self.full, self.most * 2), 0


@dataclass(frozen=True)
class Entries:
    """The statements on the journal for one kind of database. `in_flight` is the table of claims: `claimed_at` in it is
    what each computation in flight has seen at least."""

    dialect: str
    claims: str = "afterwork_due"
    portion: Portion = field(default_factory=lambda: Portion(TAKEN_AT_ONCE))
    _takes: dict[int, list[Direct]] = field(default_factory=dict)

    def is_empty(self, connection: Connection) -> bool:
        """Whether nothing has changed since the journal was last taken from."""
        return connection.execute(_ANY).scalar() is None

    @property
    def to_take(self) -> Sequence[str]:
        """What a transaction begins with to be the only one who takes, with nobody just ending a computation. If it is
        lost with the machine, the journal is as it was, so it need not wait for the disk."""
        return _TO_TAKE if self.dialect == "postgresql" else ()

    @property
    def to_take_and_end(self) -> Sequence[str]:
        """What a transaction begins with to do both."""
        return (*_TO_TAKE, NOT_LONG) if self.dialect == "postgresql" else ()

    @property
    def to_change_code(self) -> Sequence[str]:
        """What a transaction begins with to be the only one who takes, claims, or ends a computation."""
        claims = f"LOCK TABLE {self.claims} IN SHARE ROW EXCLUSIVE MODE"
        return (_TO_TAKE[0], claims) if self.dialect == "postgresql" else ()

    @property
    def to_end(self) -> Sequence[str]:
        """What a transaction begins with to end a computation, with nobody just taking."""
        return _TO_END if self.dialect == "postgresql" else ()

    def take(self, connection: Connection, mine: Iterable[int], now: datetime) -> Taken:
        """Take changes out, in their order. Those that some computation in flight can't have seen are kept aside.
        `mine` are the numbers of the definitions that this server runs."""
        most = self.portion.most
        # The number stands in the texts, so that the planner knows it.
        if most not in self._takes:
            self._takes[most] = self._take(most)
        statements = self._takes[most]
        for statement in statements[:-1]:
            statement.execute(connection)
        rows = statements[-1].execute(connection, {"now": now, "mine": json.dumps(list(mine))})
        if not rows:
            return Taken([], 0, 0, 0, False, False)
        *_, read_patterns, uses, derivations, busy = rows[0]
        entries = [JournalEntry(*row[: len(JournalEntry._fields)]) for row in rows]
        if self.dialect == "sqlite":
            self._clear.execute(connection, {"last": entries[-1].id})
        return Taken(read(entries), read_patterns, uses, derivations, bool(busy), len(rows) == most)

    def waiting(self, connection: Connection) -> Sequence[Change]:
        """The changes that nobody has taken yet, those of the transaction itself included. They stay."""
        return read(connection.execute(self._waiting).all())

    def first_waiting(self, connection: Connection, most: int) -> Sequence[Change] | None:
        """The changes that nobody has taken yet, as `waiting`; None if they fill more than so many rows."""
        rows = connection.execute(self._first_waiting, {"most": most + 1}).all()
        return None if len(rows) > most else read(rows)

    def unseen(self, connection: Connection, snapshot: Any) -> Sequence[Change]:
        """The changes kept aside that a computation with this snapshot has not seen."""
        return read(connection.execute(self._unseen, {"snapshot": snapshot}).all())

    def seen_by_writer(self, connection: Connection, snapshot: Any) -> tuple[Any, int | None]:
        """What a transaction with this snapshot has seen, once it has written: the snapshot and its own number, or,
        where there is one writer at a time, all that has been."""
        if self.dialect == "postgresql":
            return snapshot, int(connection.execute(_OWN).scalar_one())
        return connection.execute(_LAST).scalar_one(), None

    def forget(self, connection: Connection) -> None:
        """Drop what was kept aside and is not needed by any computation any more."""
        connection.execute(self._forget)

    @cached_property
    def _seen(self) -> str:
        """Whether a snapshot has seen a change."""
        if self.dialect == "postgresql":
            return "pg_visible_in_snapshot({entry}.tx, {snapshot})"
        return "{entry}.id <= {snapshot}"

    def _needed(self, entry: str) -> str:
        seen = self._seen.format(entry=entry, snapshot="claims.claimed_at")
        return f"EXISTS (SELECT 1 FROM {self.claims} claims WHERE claims.claim IS NOT NULL AND NOT ({seen}))"

    def _take(self, most: int) -> list[Direct]:
        columns = ", ".join(JournalEntry._fields)
        if self.dialect == "postgresql":
            # The first ones, wherever they lie: an object that is deleted and made again has to come in this order.
            some = f"SELECT ctid FROM afterwork_journal ORDER BY id LIMIT {most}"
            taken = text(
                f"WITH taken AS (DELETE FROM afterwork_journal WHERE ctid = ANY (ARRAY({some}))"
                f" RETURNING {columns}),"
                f" kept AS (INSERT INTO afterwork_recent ({columns}) SELECT {columns} FROM taken"
                f" WHERE {self._needed('taken')})"
                f" SELECT {columns}, {_KNOWN.format(**_ON_POSTGRESQL)} FROM taken ORDER BY id"
            ).bindparams(_NOW)
            return [Direct(taken)]
        some = f"SELECT * FROM afterwork_journal ORDER BY id LIMIT {most}"
        kept = text(
            f"INSERT INTO afterwork_recent ({columns}) SELECT {columns} FROM ({some}) AS taken"
            f" WHERE {self._needed('taken')}"
        )
        taken = text(f"SELECT {_COLUMNS_ON_SQLITE}, {_KNOWN.format(**_ON_SQLITE)} FROM ({some})").bindparams(_NOW)
        return [Direct(kept), Direct(taken)]

    @cached_property
    def _clear(self) -> Direct:
        return Direct(text("DELETE FROM afterwork_journal WHERE id <= :last"))

    @cached_property
    def _unseen(self) -> TextClause:
        cast = "CAST(:snapshot AS pg_snapshot)" if self.dialect == "postgresql" else ":snapshot"
        seen = self._seen.format(entry="afterwork_recent", snapshot=cast)
        return text(f"SELECT {self._columns} FROM afterwork_recent WHERE NOT ({seen}) ORDER BY id")

    @property
    def _columns(self) -> str:
        return ", ".join(JournalEntry._fields) if self.dialect == "postgresql" else _COLUMNS_ON_SQLITE

    @cached_property
    def _waiting(self) -> TextClause:
        return text(f"SELECT {self._columns} FROM afterwork_journal ORDER BY id")

    @cached_property
    def _first_waiting(self) -> TextClause:
        return text(f"SELECT {self._columns} FROM afterwork_journal LIMIT :most")

    @cached_property
    def _forget(self) -> TextClause:
        return text(f"DELETE FROM afterwork_recent WHERE NOT {self._needed('afterwork_recent')}")


def seen_by_now(dialect: str) -> Any:
    """What a computation would see that began now, as an expression."""
    return literal_column("pg_current_snapshot()") if dialect == "postgresql" else literal_column("0")


# What is no UTF-8 would keep the driver from reading any of it.
_AS_BYTES = {
    "key": f"{key_as_bytes('key')} AS key",
    **{name: f"CAST({name} AS BLOB) AS {name}" for name in ("key_text", "old", "new")},
}
_COLUMNS_ON_SQLITE = ", ".join(_AS_BYTES.get(name, name) for name in JournalEntry._fields)
_ANY = text("SELECT 1 FROM afterwork_journal LIMIT 1")
_OWN = text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
_LAST = text(LAST_CHANGE)
# The lock is one on a table that hardly anybody writes to. Unlike all other statements, LOCK doesn't settle what a
# transaction sees, so that also one with a single snapshot sees what whoever had the lock before has done.
_TO_TAKE = "LOCK TABLE afterwork_installation IN EXCLUSIVE MODE", "SET LOCAL synchronous_commit = off"
_TO_END = "LOCK TABLE afterwork_installation IN ROW SHARE MODE", NOT_LONG
