"""What looking at an installation gives, and what is looked at."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from afterwork.model.inspection import ModelInfo
from afterwork.store.database import Database

INSTALL = "Run: afterwork install MODULE:APP --database URL"


@dataclass(frozen=True)
class Finding:
    """One thing that `check` looked at. `advice` says what to do if it is not right. With `is_note`, that is worth
    knowing but no fault of the installation. `topic` is a word for what it is about."""

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
    """From where on something is told."""

    clocks_apart: timedelta = timedelta(seconds=5)
    """Two clocks that differ by more."""

    long_transaction: timedelta = timedelta(minutes=5)
    """A transaction that has gone on for longer."""

    waiting_changes: int = 100_000
    """More rows in the journal. No more than so many are counted."""

    waiting_for: timedelta = timedelta(minutes=10)
    """Changes that nobody has taken for longer."""

    dead_rows: int = 10_000
    """More dead rows in one of the tables, if they are also half as many as the living ones."""

    small_table: int = 1_000
    """A table with fewer rows needs no index. No more than so many are counted."""

    wal_bytes: int = 100_000_000
    """A larger write-ahead log of a SQLite file."""


DEFAULT_LIMITS = CheckLimits()


@dataclass(frozen=True)
class CheckContext:
    """What is looked at: one installation, at one moment."""

    database: Database
    model: ModelInfo
    connection: Connection
    now: datetime
    limits: CheckLimits
