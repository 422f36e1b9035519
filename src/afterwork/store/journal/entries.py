"""Take changes out of the journal, and keep those that a running calculation may not have seen.

Nothing is ever read by position: a transaction that commits late adds rows with low numbers, which a cursor over a
sequence would lose; here they are found like any other.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Connection, TextClause, bindparam, text

from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal.change import Change, JournalEntry, changes_in

MAX_ENTRIES_PER_TAKE = 20_000

TAKES_BEFORE_GROWTH = 10
"""The number of successful takes after which a halved portion doubles again."""

NOW = bindparam("now", type_=UtcDateTime())

_DUE = "SELECT 1 FROM afterwork_due AS due WHERE due.derivation = d.id"


@dataclass(frozen=True)
class Literals:
    """The database's spelling of what `counts` needs: false, true, and the numbers in `:mine` as rows with an `id`."""

    no: str
    yes: str
    mine: str


def counts(of: Literals) -> str:
    """Return the columns that tell a server what it must learn, and whether its caches are due or claimed."""
    busy = (
        f"EXISTS (SELECT 1 FROM {of.mine} AS d WHERE EXISTS ({_DUE} AND due.claim IS NOT NULL)"
        f" OR EXISTS ({_DUE} AND due.claim IS NULL AND due.backfill = {of.no} AND due.due <= :now)"
        f" OR EXISTS ({_DUE} AND due.claim IS NULL AND due.backfill = {of.yes} AND due.due <= :now))"
    )
    return (
        "(SELECT count(*) FROM afterwork_read_pattern) AS read_patterns,"
        " (SELECT count(*) FROM afterwork_use) AS uses,"
        f" (SELECT sum(1 + code_changes) FROM afterwork_derivation) AS derivations, {busy} AS busy"
    )


@dataclass(frozen=True)
class Taken:
    """The changes taken, and what a server must know before it matches them.

    `patterns` and `uses` are counts: a server that knows fewer must load the others. (The highest number wouldn't tell,
    since numbers are committed in any order.) `derivations_version` grows with each new derivation and each change of
    one's code: a server with another version must load them anew. `busy` says that caches that the server runs are due
    or claimed, `more` that more changes may be waiting.
    """

    changes: Sequence[Change]
    patterns: int
    uses: int
    derivations_version: int
    busy: bool
    more: bool


@dataclass
class Portion:
    """The number of entries taken at once. It is halved after a take that was cancelled for taking too long."""

    max_limit: int
    limit: int = 0
    _taken: int = 0

    def __post_init__(self) -> None:
        self.limit = self.max_limit

    def halve(self) -> bool:
        """Halve the portion. Return False if it can't be halved."""
        if self.limit == 1:
            return False
        self.limit, self._taken = self.limit // 2, 0
        return True

    def went_well(self) -> None:
        """Note that a take of this size succeeded."""
        self._taken += 1
        if self.limit < self.max_limit and self._taken >= TAKES_BEFORE_GROWTH:
            self.limit, self._taken = min(self.max_limit, self.limit * 2), 0


@dataclass(frozen=True)
class Entries(ABC):
    """The statements on the journal for one kind of database. `claims` is the table of claims: its `claimed_at` is what
    each running calculation has seen at least."""

    claims: str = "afterwork_due"
    portion: Portion = field(default_factory=lambda: Portion(MAX_ENTRIES_PER_TAKE))
    _takes: dict[int, list[DirectStatement]] = field(default_factory=dict)

    columns: ClassVar[str]
    """The columns of an entry in a SELECT."""

    snapshot_parameter: ClassVar[str] = ":snapshot"
    """The parameter for a snapshot in a condition."""

    to_install: ClassVar[Sequence[str]] = ()
    """Statements that begin a transaction which alone installs."""

    to_be_brief: ClassVar[Sequence[str]] = ()
    """Statements by which a transaction waits for a lock for a second at most."""

    to_take: ClassVar[Sequence[str]] = ()
    """Statements that begin a transaction which alone takes, while nobody else ends a calculation. If it is lost with
    the machine, the journal is as it was, so it need not wait for the disk. It gives way to whoever has locked a
    table of users, who may be waiting for it."""

    to_end: ClassVar[Sequence[str]] = ()
    """Statements that begin a transaction which ends a calculation while nobody takes."""

    @property
    def to_change_code(self) -> Sequence[str]:
        """Return statements that begin a transaction which alone takes, claims, or ends a calculation."""
        return ()

    def is_empty(self, connection: Connection) -> bool:
        """Return whether no changes wait in the journal."""
        return connection.execute(_ANY).scalar() is None

    def take(self, connection: Connection, mine: Iterable[int], now: datetime) -> Taken:
        """Take changes out, in their order, and keep those that some running calculation may not have seen. `mine` are
        the numbers of the derivations that this server runs."""
        limit = self.portion.limit
        # The limit is literal text, so that the planner knows it.
        if limit not in self._takes:
            self._takes[limit] = self.take_statements(limit)
        statements = self._takes[limit]
        for statement in statements[:-1]:
            statement.execute(connection)
        rows = statements[-1].execute(connection, {"now": now, "mine": json.dumps(list(mine))})
        if not rows:
            return Taken([], 0, 0, 0, False, False)
        *_, read_patterns, uses, derivations, busy = rows[0]
        entries = [JournalEntry(*row[: len(JournalEntry._fields)]) for row in rows]
        self.clear(connection, entries[-1])
        return Taken(changes_in(entries), read_patterns, uses, derivations, bool(busy), len(rows) == limit)

    @abstractmethod
    def take_statements(self, limit: int) -> list[DirectStatement]:
        """Return the statements that take up to `limit` entries out. The last one returns them, with `counts`."""

    def clear(self, connection: Connection, last: JournalEntry) -> None:  # noqa: B027 - where the others do it all
        """Delete the taken entries, up to the last one, unless taking has done so."""

    @abstractmethod
    def seen(self, entry: str, snapshot: str) -> str:
        """Return the condition that a snapshot has seen a change."""

    @property
    @abstractmethod
    def seen_by_now(self) -> ColumnElement[Any]:
        """Return the expression for what a calculation would see that began now."""

    @abstractmethod
    def seen_by_writer(self, connection: Connection, snapshot: Any) -> tuple[Any, int | None]:
        """Return what a transaction with this snapshot has seen, once it has written. That is the snapshot and its own
        number, or, with one writer at a time, all changes so far."""

    def waiting(self, connection: Connection) -> Sequence[Change]:
        """Return the changes not taken yet, including this transaction's own. They stay in the journal."""
        return changes_in(connection.execute(self._waiting).all())

    def first_waiting(self, connection: Connection, limit: int) -> Sequence[Change] | None:
        """Return the changes as `waiting` does; None if they fill more than `limit` rows."""
        rows = connection.execute(self._first_waiting, {"limit": limit + 1}).all()
        return None if len(rows) > limit else changes_in(rows)

    def unseen(self, connection: Connection, snapshot: Any) -> Sequence[Change]:
        """Return the kept changes that a calculation with this snapshot has not seen."""
        return changes_in(connection.execute(self._unseen, {"snapshot": snapshot}).all())

    def forget(self, connection: Connection) -> None:
        """Drop the kept changes that no calculation needs any more."""
        connection.execute(self._forget)

    def is_needed(self, entry: str) -> str:
        """Return the condition that some running calculation has not seen a change."""
        seen = self.seen(entry, "claims.claimed_at")
        return f"EXISTS (SELECT 1 FROM {self.claims} claims WHERE claims.claim IS NOT NULL AND NOT ({seen}))"

    @cached_property
    def _unseen(self) -> TextClause:
        seen = self.seen("afterwork_recent", self.snapshot_parameter)
        return text(f"SELECT {self.columns} FROM afterwork_recent WHERE NOT ({seen}) ORDER BY id")

    @cached_property
    def _waiting(self) -> TextClause:
        return text(f"SELECT {self.columns} FROM afterwork_journal ORDER BY id")

    @cached_property
    def _first_waiting(self) -> TextClause:
        return text(f"SELECT {self.columns} FROM afterwork_journal LIMIT :limit")

    @cached_property
    def _forget(self) -> TextClause:
        return text(f"DELETE FROM afterwork_recent WHERE NOT {self.is_needed('afterwork_recent')}")


_ANY = text("SELECT 1 FROM afterwork_journal LIMIT 1")
