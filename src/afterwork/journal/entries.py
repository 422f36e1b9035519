"""Taking changes out of the journal, and keeping those that a computation in flight may not have seen.

Nothing is ever read by position: a transaction that commits late brings rows with low numbers, and they are found as
well as any (a cursor over a sequence would lose them).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, TextClause, literal_column, text

from afterwork.journal.change import Change, read
from afterwork.store.sqlite import LAST_CHANGE

TAKEN_AT_ONCE = 20_000

_SHAPES = "(SELECT count(*) FROM afterwork_shape) AS shapes"
_USES = "(SELECT count(*) FROM afterwork_use) AS uses"
_DEFINITIONS = "(SELECT count(*) FROM afterwork_definition) AS definitions"
_KNOWN = f"{_SHAPES}, {_USES}, {_DEFINITIONS}"


@dataclass(frozen=True)
class Taken:
    """What was taken. `shapes`, `uses` and `definitions` are how many of these there were by then: a server that knows
    of fewer has to learn (their numbers don't tell, since those are committed in any order). `more` says that there may
    be more changes."""

    changes: Sequence[Change]
    shapes: int
    uses: int
    definitions: int
    more: bool


@dataclass(frozen=True)
class Entries:
    """The statements on the journal for one kind of database. `in_flight` is the table of claims: `claimed_at` in it is
    what each computation in flight has seen at least."""

    dialect: str
    claims: str = "afterwork_due"

    def is_empty(self, connection: Connection) -> bool:
        """Whether nothing has changed since the journal was last taken from."""
        return connection.execute(_ANY).scalar() is None

    @property
    def to_take(self) -> str:
        """What a transaction begins with to be the only one who takes, with nobody just ending a computation. If it is
        lost with the machine, the journal is as it was, so it need not wait for the disk."""
        return _LOCK if self.dialect == "postgresql" else ""

    @property
    def to_end(self) -> str:
        """What a transaction begins with to end a computation, with nobody just taking."""
        return _LOCK_FOR_ENDING if self.dialect == "postgresql" else ""

    def take(self, connection: Connection) -> Taken:
        """Take changes out, in their order. Those that some computation in flight can't have seen are kept aside."""
        for statement in self._take[:-1]:
            connection.execute(statement)
        rows = connection.execute(self._take[-1]).all()
        if self.dialect == "sqlite":
            connection.execute(_CLEAR, {"last": rows[-1].id if rows else 0})
        if not rows:
            return Taken([], 0, 0, 0, False)
        first = rows[0]
        return Taken(read(rows), first.shapes, first.uses, first.definitions, len(rows) == TAKEN_AT_ONCE)

    def waiting(self, connection: Connection) -> Sequence[Change]:
        """The changes that nobody has taken yet, those of the transaction itself included. They stay."""
        return read(connection.execute(_WAITING).all())

    def first_waiting(self, connection: Connection, most: int) -> Sequence[Change] | None:
        """The changes that nobody has taken yet, as `waiting`; None if they fill more than so many rows."""
        rows = connection.execute(_FIRST_WAITING, {"most": most + 1}).all()
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

    @cached_property
    def _take(self) -> list[TextClause]:
        columns = "id, tx, moment, watch, kind, key, key_text, columns, old, new"
        if self.dialect == "postgresql":
            # The first ones, wherever they lie: an object that is deleted and made again has to come in this order.
            some = f"SELECT ctid FROM afterwork_journal ORDER BY id LIMIT {TAKEN_AT_ONCE}"
            return [
                text(
                    f"WITH taken AS (DELETE FROM afterwork_journal WHERE ctid = ANY (ARRAY({some}))"
                    f" RETURNING {columns}),"
                    f" kept AS (INSERT INTO afterwork_recent ({columns}) SELECT {columns} FROM taken"
                    f" WHERE {self._needed('taken')})"
                    f" SELECT {columns}, {_KNOWN} FROM taken ORDER BY id"
                )
            ]
        some = f"SELECT * FROM afterwork_journal ORDER BY id LIMIT {TAKEN_AT_ONCE}"
        return [
            text(
                f"INSERT INTO afterwork_recent ({columns}) SELECT {columns} FROM ({some}) AS taken"
                f" WHERE {self._needed('taken')}"
            ),
            text(f"SELECT *, {_KNOWN} FROM ({some})"),
        ]

    @cached_property
    def _unseen(self) -> TextClause:
        cast = "CAST(:snapshot AS pg_snapshot)" if self.dialect == "postgresql" else ":snapshot"
        seen = self._seen.format(entry="afterwork_recent", snapshot=cast)
        return text(f"SELECT * FROM afterwork_recent WHERE NOT ({seen}) ORDER BY id")

    @cached_property
    def _forget(self) -> TextClause:
        return text(f"DELETE FROM afterwork_recent WHERE NOT {self._needed('afterwork_recent')}")


def seen_by_now(dialect: str) -> Any:
    """What a computation would see that began now, as an expression."""
    return literal_column("pg_current_snapshot()") if dialect == "postgresql" else literal_column("0")


_WAITING = text("SELECT * FROM afterwork_journal ORDER BY id")
_FIRST_WAITING = text("SELECT * FROM afterwork_journal LIMIT :most")
_ANY = text("SELECT 1 FROM afterwork_journal LIMIT 1")
_OWN = text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
_LAST = text(LAST_CHANGE)
_CLEAR = text("DELETE FROM afterwork_journal WHERE id <= :last")
# The number of the table that was there first, so that installations in one database don't wait for each other.
_SPACE = "to_regclass('afterwork_journal')::oid::int4"
_LOCK = f"SELECT pg_advisory_xact_lock({_SPACE}, 1), set_config('synchronous_commit', 'off', true)"
# Whoever ends a computation holds up all who take. So it waits for rows of users only shortly, and gives way before
# PostgreSQL would look for deadlocks.
_LOCK_FOR_ENDING = f"SELECT pg_advisory_xact_lock_shared({_SPACE}, 1), set_config('lock_timeout', '100ms', true)"
