"""Findings, and the context of a check."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from afterwork.model.inspection import ModelInfo
from afterwork.store.database import Database

INSTALL = "Run: afterwork install MODULE:APP --database URL"


@dataclass(frozen=True)
class Finding:
    """One result of a check. `advice` says what to do if it is not right.

    With `is_note`, it is worth knowing but no fault of the installation. `topic` groups findings.
    """

    what: str
    right: bool
    advice: str = ""
    is_note: bool = False
    topic: str = ""

    @property
    def is_fault(self) -> bool:
        return not self.right and not self.is_note


@dataclass(frozen=True)
class CheckLimits:
    """The thresholds from which on a finding is reported."""

    clocks_apart: timedelta = timedelta(seconds=5)
    """The largest difference between two clocks."""

    long_transaction: timedelta = timedelta(minutes=5)
    """The longest duration of a transaction."""

    waiting_changes: int = 100_000
    """The most rows in the journal. No more are counted."""

    waiting_for: timedelta = timedelta(minutes=10)
    """The longest time for which a change may wait to be matched."""

    dead_rows: int = 10_000
    """The most dead rows in a table, if they are also at least half as many as the living ones."""

    small_table: int = 1_000
    """A table with fewer rows needs no index. No more are counted."""

    wal_bytes: int = 100_000_000
    """The largest write-ahead log of a SQLite file."""

    room_bytes: int = 100_000_000
    """The least room that a SQLite file needs to grow."""


DEFAULT_LIMITS = CheckLimits()


@dataclass(frozen=True)
class CheckContext:
    """The context of a check: one installation at one time."""

    database: Database
    model: ModelInfo
    connection: Connection
    now: datetime
    limits: CheckLimits
