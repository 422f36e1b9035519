"""Transactions of others that have been open for long, or whose locks keep others waiting. Only PostgreSQL tells."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

BLOCKED_SECONDS = 0.5
"""Seconds for which something has to wait before what it waits for is told. Runs give up after a little longer."""


@dataclass(frozen=True)
class OpenTransaction:
    """The transaction that has been open for longest, which holds back vacuum: its backend process, and its seconds.

    `is_idle` says that its program has it open, and does nothing.
    """

    pid: int
    seconds: float
    is_idle: bool = False


@dataclass(frozen=True)
class Blocker:
    """A connection whose locks others wait for: its process, program and state, for how many seconds its transaction
    has been open, and how many connections wait for it."""

    pid: int
    program: str
    state: str
    seconds: float
    blocked: int

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.program or 'no application_name'})"


_LONGEST = text(
    "SELECT pid, extract(epoch FROM clock_timestamp() - xact_start), state LIKE 'idle%' FROM pg_stat_activity"
    " WHERE xact_start IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend' ORDER BY xact_start LIMIT 1"
)

# Asking who blocks stops the lock manager for a moment, so it is asked only about those that have waited for some time.
_BLOCKERS = text(
    "WITH waiting AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database() AND clock_timestamp() - query_start > make_interval(secs => :seconds) LIMIT 20),"
    " blocked AS (SELECT waiting.pid, unnest(pg_blocking_pids(waiting.pid)) AS by FROM waiting)"
    " SELECT a.pid, a.application_name, a.state, extract(epoch FROM clock_timestamp() - a.xact_start), count(*)"
    " FROM blocked JOIN pg_stat_activity AS a ON a.pid = blocked.by"
    " WHERE NOT EXISTS (SELECT 1 FROM waiting WHERE waiting.pid = a.pid)"
    " GROUP BY a.pid, a.application_name, a.state, a.xact_start ORDER BY count(*) DESC, a.pid LIMIT 5"
)


def longest_transaction(connection: Connection) -> OpenTransaction | None:
    if connection.dialect.name != "postgresql":
        return None
    row = connection.execute(_LONGEST).one_or_none()
    return None if row is None else OpenTransaction(row[0], max(0.0, float(row[1])), bool(row[2]))


def blockers(connection: Connection) -> Sequence[Blocker]:
    """Return those whose locks others have waited for, for some seconds."""
    if connection.dialect.name != "postgresql":
        return ()
    rows = connection.execute(_BLOCKERS, {"seconds": BLOCKED_SECONDS})
    return [
        Blocker(pid, name, state or "at work", float(seconds or 0), count) for pid, name, state, seconds, count in rows
    ]
