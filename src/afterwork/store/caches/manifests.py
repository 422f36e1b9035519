"""Manifests in the database: what each cache has read, and which caches have read what was changed."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnClause, Connection, column

from afterwork.model.utc_datetime import UtcDateTime


class TouchedRead(NamedTuple):
    """A read key that a change touches. SQLite gets it as a JSON array, so the order of the fields counts.

    `tx` is the transaction's id on PostgreSQL, the change's number on SQLite; `change` the position of the change among
    those at hand. `reread`: whoever depends on it may have to read again. `is_only_own_column`: nothing was
    changed but the column that the reader itself writes.
    """

    read_key: int
    tx: int
    change: int
    reread: bool
    is_only_own_column: bool = False


@dataclass(frozen=True)
class Affected:
    """A cache that has read something which was changed after its last run.

    `computed` is the timestamp of that run, `took` its duration in seconds. `is_enqueued`: it is in the queue, to run
    already. `change` is the first of the changes that affect it.
    """

    cache: int
    derivation: int
    root: str
    computed: datetime
    digest: int | None
    runs: int
    took: float | None
    is_enqueued: bool
    change: int
    reread: bool


class ManifestStore(ABC):
    """The manifests in one kind of database."""

    def prepare(self, connection: Connection) -> Iterator[str]:
        """Create what finding readers needs beside the tables. Yields a line for each step."""
        yield from ()

    @abstractmethod
    def read_keys(self, connection: Connection, caches: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """Return the manifests of those of these caches that have one."""

    @abstractmethod
    def save(self, connection: Connection, changed: Mapping[int, Collection[int]]) -> None:
        """Write manifests that differ from the stored ones."""

    @abstractmethod
    def forget(self, connection: Connection, caches: Sequence[int]) -> None:
        """Delete the manifests of caches."""

    @abstractmethod
    def readers(self, connection: Connection, read_keys: Sequence[int], limit: int) -> list[tuple[int, int, str]]:
        """Return at most `limit` caches that have read any of these: their number, derivation and root."""

    @abstractmethod
    def affected(self, connection: Connection, touched: Sequence[TouchedRead]) -> list[Affected]:
        """Return the caches that have read what was touched, and have not seen the change."""

    def is_own_write(self, tx: int, wrote: int | None) -> bool:
        """Return whether the cache itself, which last `wrote` then, made a change of its value, and nobody else."""
        return wrote is not None and tx == wrote


def digest(read_keys: Collection[int], *, in_sql: bool = False) -> int:
    """Return a number that tells a manifest from others.

    It is odd if SQL said what was read: what Python reads for the same value may be less, so a calculation in SQL can't
    continue from there.
    """
    content = array("q", sorted(read_keys)).tobytes()
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True) & ~1 | in_sql


def is_of_sql(number: int | None) -> bool:
    """Return whether a digest is that of a manifest which SQL has made."""
    return number is not None and bool(number & 1)


def affected_by(row: Any, change: int, reread: bool) -> Affected:
    """Return a cache as affected by a change, from a row with the result of its last run."""
    return Affected(
        row.id, row.derivation, row.root, row.computed, row.digest, row.runs, row.took, bool(row.waits), change, reread
    )


LAST_RUN = (
    "c.id, c.derivation, c.root, c.computed, c.digest, c.runs, c.took,"
    " EXISTS (SELECT 1 FROM afterwork_due WHERE cache = c.id) AS waits"
)
"""The columns of `Affected` that both databases select from the caches `c`."""

AFFECTED_COLUMNS: tuple[ColumnClause[Any], ...] = (
    column("cache"),
    column("derivation"),
    column("root"),
    column("computed", UtcDateTime()),
    column("digest"),
    column("runs"),
    column("took"),
    column("waits", Boolean()),
    column("change"),
    column("reread", Boolean()),
)
"""The fields of `Affected`, with the types in which they are read."""
